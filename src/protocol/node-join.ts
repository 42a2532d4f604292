/**
 * How a machine gets its keys: by a join token the first time, by its own key from then on. Each exchange is one websocket at
 * the same door, signed like every call, with one message each way:
 *
 * server `keys` → the machine writes them down → machine `saved` → the server withdraws the older ones, answers `done` and closes.
 *
 * The new keys are valid from the first message on and the older ones until the second, so a lost connection locks nobody out.
 */

/** IAM action `gantry:JoinNode`; signed with the credentials of a join token. */
export const NODE_JOIN_PATH = "/node-join/ws";
/** IAM action `gantry:RenewNodeKeys`; signed with one of the machine's present keys. */
export const NODE_KEYS_PATH = "/node-keys/ws";
/** IAM action `gantry:CreateJoinToken`; for whoever may bring machines in. The one answer is {@link JoinTokenMessage}. */
export const JOIN_TOKEN_PATH = "/join-token/ws";
/** Query parameter of the first two: the machine that asks. */
export const MACHINE_PARAMETER = "ec2InstanceId";

/** Websocket close code: a machine of that id has keys, and a token does not take its place. */
export const ALREADY_JOINED = 4409;

/** Server → machine. */
export type NodeKeysMessage =
  | { readonly type: "keys"; readonly keys: NodeKeys }
  | { readonly type: "done" };

/** Machine → server: the keys are on its disk. */
export interface NodeKeysReply {
  readonly type: "saved";
}

/** What a machine needs to speak as itself. */
export interface NodeKeys {
  /** The account whose cluster it joins for the EC2 launch type. */
  readonly accountId: string;
  readonly region: string;
  /** Account → the machine's key there. */
  readonly keys: Readonly<Record<string, NodeKey>>;
}

export interface NodeKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Credentials that let any machine that has them join, until they expire. */
export interface JoinTokenMessage {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}
