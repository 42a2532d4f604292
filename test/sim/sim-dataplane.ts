import { AppliedNetwork } from "../../src/dataplane/applied-network.ts";
import {
  type BridgeAttachment,
  type Dataplane,
  DataplaneError,
  type PortBinding,
  type PortMap,
  PortUnavailableError,
} from "../../src/dataplane/dataplane.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { KeyedTurns } from "../../src/lib/turns.ts";
import type { NodeNetwork } from "../../src/protocol/node-feed.ts";
import type { Effects } from "./effects.ts";

/** A machine's network as its kernel holds it: it outlives processes, not the machine's power. */
export class Kernel {
  /** By task: its interface, undefined for one with a loopback only. */
  readonly namespaces: Map<string, string | undefined> = new Map();
  /** Ids of the interfaces that the feed has named. */
  readonly interfaces: Set<string> = new Set();
  /** The same, on machines whose address it has named. */
  readonly remoteInterfaces: Set<string> = new Set();
  /** By container id: what it has of the machine's bridge network. */
  readonly bridged: Map<string, BridgeAttachment> = new Map();

  restart(): void {
    this.namespaces.clear();
    this.bridged.clear();
    this.interfaces.clear();
    this.remoteInterfaces.clear();
  }

  /** Joins a container to the bridge network, as a kernel keeps it: once, whoever asks again. Throws PortUnavailableError. */
  bridge(containerId: string, ports: readonly PortMap[]): BridgeAttachment {
    const known = this.bridged.get(containerId);
    if (known !== undefined) return known;
    const taken = new Set<string>();
    const attachments = [...this.bridged.values()];
    for (const { bindings } of attachments) for (const each of bindings) take(taken, each);
    const bindings = ports.map((map): PortBinding => {
      const binding = place(map, taken);
      take(taken, binding);
      return binding;
    });
    const addresses = new Set(attachments.map(({ address }) => address));
    let host = 4;
    while (addresses.has(`192.168.240.${host}`)) host++;
    const attachment = { path: pathOf(containerId), address: `192.168.240.${host}`, bindings };
    this.bridged.set(containerId, attachment);
    return attachment;
  }

  /** The task that has the interface, if one has. */
  holderOf(interfaceId: string): string | undefined {
    return [...this.namespaces].find(([, held]) => held === interfaceId)?.[0];
  }
}

/** The dataplane of one process over `kernel`: the waits are the real ones, the commands take time and may fail. */
export function createSimDataplane(deps: {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly effects: Effects;
  /** Told of two tasks on one interface. */
  readonly onConflict: (what: string) => void;
}): Dataplane {
  const { kernel, effects, onConflict } = deps;
  const applied = new AppliedNetwork(deps.clock);
  const turns = new KeyedTurns();
  const apply = async (network: NodeNetwork): Promise<void> => {
    applied.retain(network);
    try {
      await effects.command("apply", () => {
        kernel.interfaces.clear();
        kernel.remoteInterfaces.clear();
        const machines = new Set(network.peers.map((peer) => peer.ec2InstanceId));
        for (const { interfaceId } of network.interfaces) kernel.interfaces.add(interfaceId);
        for (const { ec2InstanceId, interfaceId } of network.remoteInterfaces)
          if (machines.has(ec2InstanceId)) kernel.remoteInterfaces.add(interfaceId);
      });
    } catch (error) {
      applied.recordFailure(String(error));
      throw error;
    }
    applied.put(network, new Map());
  };
  const attach = async (taskId: string, interfaceId: string): Promise<string> => {
    await effects.command(`attach ${taskId} ${interfaceId}`, () => {
      const holder = kernel.holderOf(interfaceId);
      if (holder !== undefined && holder !== taskId) {
        onConflict(`tasks ${holder} and ${taskId} share interface ${interfaceId}`);
      }
      kernel.namespaces.set(taskId, interfaceId);
    });
    if (applied.find(interfaceId) !== undefined) return pathOf(taskId);
    kernel.namespaces.delete(taskId);
    throw new DataplaneError(`interface ${interfaceId} was removed while task ${taskId} took it`);
  };
  return {
    apply: (network) => turns.take("network", () => apply(network)),
    attach: (taskId, interfaceId, timeoutMs) => {
      const waiting = applied.wait(taskId, interfaceId, timeoutMs);
      waiting.catch(() => undefined);
      return turns.take(taskId, async () => {
        await waiting;
        return attach(taskId, interfaceId);
      });
    },
    namespacePath: pathOf,
    begin: (taskId) =>
      turns.take(taskId, () =>
        effects.command(`begin ${taskId}`, () => {
          kernel.namespaces.set(taskId, kernel.namespaces.get(taskId));
        }),
      ),
    isolate: (taskId) =>
      turns.take(taskId, async () => {
        await effects.command(`isolate ${taskId}`, () => {
          kernel.namespaces.set(taskId, undefined);
        });
        return pathOf(taskId);
      }),
    detach: async (taskId) => {
      applied.abandon(taskId, `task ${taskId} gave up its network while waiting for it`);
      await turns.take(taskId, () =>
        effects.command(`detach ${taskId}`, () => {
          kernel.namespaces.delete(taskId);
        }),
      );
    },
    attachBridge: (containerId, ports) =>
      turns.take(containerId, () =>
        effects.command(`attach ${containerId}`, () => kernel.bridge(containerId, ports)),
      ),
    namespaces: () =>
      effects.command("list networks", () => ({
        taskIds: [...kernel.namespaces.keys()],
        containerIds: [...kernel.bridged.keys()],
      })),
    detachBridge: (containerId) =>
      turns.take(containerId, () =>
        effects.command(`detach ${containerId}`, () => {
          kernel.bridged.delete(containerId);
        }),
      ),
  };
}

/** Linux: where the ports begin that nobody asked for by number. */
const DYNAMIC_PORT_FIRST = 32_768;

/** Gives a map the machine's ports: the ones it wants, or the first that are free. */
function place({ containerPorts, hostPort, protocol }: PortMap, taken: Set<string>): PortBinding {
  const length = containerPorts.last - containerPorts.first;
  let first = hostPort ?? DYNAMIC_PORT_FIRST;
  const isFree = (): boolean =>
    Array.from({ length: length + 1 }, (_, index) => `${protocol} ${first + index}`).every(
      (port) => !taken.has(port),
    );
  if (hostPort !== undefined && !isFree()) {
    throw new PortUnavailableError(`port ${hostPort} is already allocated`);
  }
  while (!isFree()) first++;
  return { protocol, containerPorts, hostPorts: { first, last: first + length } };
}

function take(taken: Set<string>, { hostPorts, protocol }: PortBinding): void {
  for (let port = hostPorts.first; port <= hostPorts.last; port++) taken.add(`${protocol} ${port}`);
}

function pathOf(taskId: string): string {
  return `/run/netns/${taskId}`;
}
