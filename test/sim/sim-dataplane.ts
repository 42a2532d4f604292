import { AppliedNetwork } from "../../src/dataplane/applied-network.ts";
import { type Dataplane, DataplaneError } from "../../src/dataplane/dataplane.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { KeyedTurns } from "../../src/lib/turns.ts";
import type { NodeNetwork } from "../../src/protocol/node-feed.ts";
import type { Effects } from "./effects.ts";

/** A machine's network as its kernel holds it: it outlives processes, not the machine's power. */
export class Kernel {
  /** By task: its interface, undefined for one with a loopback only. */
  readonly namespaces: Map<string, string | undefined> = new Map();
  /**
   * Tasks whose agent lost its directory when they had a namespace and no container: nothing is left that could tell whose
   * the namespace was, so it stays until the power goes.
   */
  readonly unclaimed: Set<string> = new Set();
  /** Ids of the interfaces that the feed has named. */
  readonly interfaces: Set<string> = new Set();

  restart(): void {
    this.namespaces.clear();
    this.interfaces.clear();
    this.unclaimed.clear();
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
        for (const { interfaceId } of network.interfaces) kernel.interfaces.add(interfaceId);
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
  };
}

function pathOf(taskId: string): string {
  return `/run/netns/${taskId}`;
}
