/**
 * What a node's dataplane is told: the network as it should be, as a list followed by changes, on its own websocket.
 * The agent protocol does not carry this: as in AWS, the network is not the agent's business.
 */

/** Websocket path; query parameter `ec2InstanceId` names the machine. IAM action `gantry:NodeFeed`. */
export const NODE_FEED_PATH = "/node-feed/ws";

/** Server → node: first one `list`, then `change`s in order. A node that reconnects gets a new `list`. */
export type FeedMessage =
  | { readonly type: "list"; readonly network: NodeNetwork }
  | {
      readonly type: "change";
      readonly put: Partial<NodeNetwork>;
      /** Ids that are gone. */
      readonly deleted: {
        readonly vpcs?: readonly string[];
        readonly interfaces?: readonly string[];
      };
    }
  | { readonly type: "heartbeat" };

/** Node → server, answering each heartbeat. */
export type FeedReply = { readonly type: "heartbeat" };

/** All that concerns one node. */
export interface NodeNetwork {
  readonly vpcs: readonly FeedVpc[];
  readonly interfaces: readonly FeedInterface[];
}

export interface FeedVpc {
  readonly vpcId: string;
  /** e.g. `172.31.0.0/16`. */
  readonly cidr: string;
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
