import type { MessageSocket } from "../lib/message-socket.ts";
import type { ConditionKeys, Principal } from "./service.ts";

/** A websocket handshake whose SigV4 signature has been verified. */
export interface UpgradeCall {
  readonly principal: Principal;
  readonly region: string;
  readonly query: URLSearchParams;
  readonly requestId: string;
  /** The door's URL as the caller reached it. */
  readonly endpoint: string;
}

/** Take the connection, or answer the handshake with an HTTP error. */
export type UpgradeDecision =
  | { readonly accept: (socket: MessageSocket) => void }
  | { readonly refuse: { readonly status: number; readonly body: string } };

/** One websocket path of the door. Path and IAM action are checked before `open` is called. */
export interface UpgradeRoute {
  /** Exact path, e.g. `/acs/ws`. */
  readonly path: string;
  /** IAM action, e.g. `ecs:Poll`. */
  readonly action: string;
  /** ARNs the action is about. Absent: `*`. */
  readonly resources?: (query: URLSearchParams) => readonly string[];
  readonly conditions?: (query: URLSearchParams, resource: string) => ConditionKeys;
  readonly open: (call: UpgradeCall) => Promise<UpgradeDecision> | UpgradeDecision;
}
