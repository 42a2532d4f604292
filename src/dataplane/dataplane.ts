import type { NodeNetwork } from "../protocol/node-feed.ts";

/**
 * One node's network. The feed says what should be; `attach` joins a task's namespace to its interface, `attachBridge` a
 * container to the node's own bridge network. Everything is idempotent and survives a restart: what exists already is adopted.
 */
export interface Dataplane {
  /** Makes VPCs and interfaces on this node as `network` says, and removes what it no longer names. */
  apply(network: NodeNetwork): Promise<void>;
  /**
   * The network namespace of a task with its interface (lo and eth0 up, address, default route). Waits for the feed to
   * bring the interface, at most `timeoutMs`. Returns the namespace's path. Throws DataplaneError with the reason.
   */
  attach(taskId: string, interfaceId: string, timeoutMs: number): Promise<string>;
  /** Where the network namespace of a task is, once it is there. */
  namespacePath(taskId: string): string;
  /**
   * Makes the namespace of a task, for what can go on before `attach` puts an interface into it. One that has an interface
   * keeps it. Throws DataplaneError.
   */
  begin(taskId: string): Promise<void>;
  /** A namespace with nothing but loopback (network mode none). Returns its path. */
  isolate(taskId: string): Promise<string>;
  /** Removes the task's namespace. An unknown task is a success. */
  detach(taskId: string): Promise<void>;
  /**
   * The network namespace of one container on the node's bridge network, with its ports mapped to ports of the machine. What is
   * attached already keeps its address and its ports. Throws PortUnavailableError when a port cannot be had, DataplaneError
   * for what may pass.
   */
  attachBridge(containerId: string, ports: readonly PortMap[]): Promise<BridgeAttachment>;
  /** Removes a container's namespace and gives its address and ports back. An unknown container is a success. */
  detachBridge(containerId: string): Promise<void>;
  /** Who has a namespace on this machine, whoever made it. */
  namespaces(): Promise<Namespaces>;
}

/** Tasks with a namespace of their own, and containers with one on the node's bridge network. */
export interface Namespaces {
  readonly taskIds: readonly string[];
  readonly containerIds: readonly string[];
}

/** Inclusive; a single port is a range of one. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Every port of a range. */
export function portsOf({ first, last }: PortRange): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Ports of a container that shall be reached at as many ports of the machine. */
export interface PortMap {
  readonly protocol: "tcp" | "udp";
  readonly containerPorts: PortRange;
  /** The first port of the machine; undefined: any that are free. */
  readonly hostPort: number | undefined;
}

/** A port map with the machine's ports, which are reached at every IPv4 address of the machine. */
export interface PortBinding {
  readonly protocol: "tcp" | "udp";
  readonly containerPorts: PortRange;
  readonly hostPorts: PortRange;
}

export interface BridgeAttachment {
  /** Of the network namespace, e.g. `/run/netns/…`. */
  readonly path: string;
  /** The container's, which every other container on the node's bridge network reaches. */
  readonly address: string;
  /** In the order of the port maps. */
  readonly bindings: readonly PortBinding[];
}

export class DataplaneError extends Error {
  override readonly name: string = "DataplaneError";
}

/** A port of the machine that a container shall have is taken, or none is left. Trying again does not help. */
export class PortUnavailableError extends DataplaneError {
  override readonly name = "PortUnavailableError";
}
