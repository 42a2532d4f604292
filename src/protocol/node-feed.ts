/**
 * What a node's dataplane is told: the network as it should be, as a list followed by changes, on its own websocket.
 * The agent protocol does not carry this: as in AWS, the network is not the agent's business.
 */

/**
 * Websocket path; query parameter `ec2InstanceId` names the machine. IAM action `gantry:NodeFeed`. By which address other
 * machines reach this one is in its registration: `privateIp` of its identity document.
 */
export const NODE_FEED_PATH = "/node-feed/ws";

/** Server → node: first one `list`, then `change`s in order. A node that reconnects gets a new `list`. */
export type FeedMessage =
  | { readonly type: "list"; readonly network: NodeNetwork }
  | {
      readonly type: "change";
      readonly put: Partial<NodeNetwork>;
      /** Ids that are gone. */
      readonly deleted: Partial<Readonly<Record<keyof NodeNetwork, readonly string[]>>>;
    }
  | { readonly type: "heartbeat" };

/** Node → server, answering each heartbeat. */
export type FeedReply = { readonly type: "heartbeat" };

/** All that concerns one node. */
export interface NodeNetwork {
  readonly vpcs: readonly FeedVpc[];
  readonly interfaces: readonly FeedInterface[];
  /** The other machines of the region. */
  readonly peers: readonly FeedPeer[];
  /** Interfaces on them, in the VPCs above. */
  readonly remoteInterfaces: readonly FeedRemoteInterface[];
}

export const NO_NETWORK: NodeNetwork = {
  vpcs: [],
  interfaces: [],
  peers: [],
  remoteInterfaces: [],
};

/** What identifies the members of each list. */
export const FEED_ID_MEMBERS: Readonly<Record<keyof NodeNetwork, string>> = {
  vpcs: "vpcId",
  interfaces: "interfaceId",
  peers: "ec2InstanceId",
  remoteInterfaces: "interfaceId",
};

export interface FeedVpc {
  readonly vpcId: string;
  /** e.g. `172.31.0.0/16`. */
  readonly cidr: string;
  /** Of a default VPC: whose it is, and its default subnet in each zone. */
  readonly defaultOf?: {
    readonly accountId: string;
    readonly subnetIds: Readonly<Record<string, string>>;
  };
}

/** A network interface that belongs on this node. */
export interface FeedInterface {
  /** `eni-…`. */
  readonly interfaceId: string;
  readonly vpcId: string;
  readonly subnetId: string;
  readonly subnetCidr: string;
  readonly macAddress: string;
  readonly privateIpv4Address: string;
}

/** Another machine. */
export interface FeedPeer {
  readonly ec2InstanceId: string;
  /** IPv4, by which this machine reaches it. */
  readonly address: string;
}

/** A network interface on another machine. */
export interface FeedRemoteInterface {
  readonly interfaceId: string;
  readonly vpcId: string;
  readonly privateIpv4Address: string;
  readonly ec2InstanceId: string;
}
