import type { NodeNetwork } from "../protocol/node-feed.ts";

/**
 * One node's network. The feed says what should be; `attach` joins a task's namespace to its interface.
 * Everything is idempotent and survives a restart: what exists already is adopted.
 */
export interface Dataplane {
  /** Makes VPCs and interfaces on this node as `network` says, and removes what it no longer names. */
  apply(network: NodeNetwork): Promise<void>;
  /**
   * The network namespace of a task with its interface (lo and eth0 up, address, default route). Waits for the feed to
   * bring the interface, at most `timeoutMs`. Returns the namespace's path. Throws DataplaneError with the reason.
   */
  attach(taskId: string, interfaceId: string, timeoutMs: number): Promise<string>;
  /** A namespace with nothing but loopback (network mode none). Returns its path. */
  isolate(taskId: string): Promise<string>;
  /** Removes the task's namespace. An unknown task is a success. */
  detach(taskId: string): Promise<void>;
}

export class DataplaneError extends Error {
  override readonly name = "DataplaneError";
}
