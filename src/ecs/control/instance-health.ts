import type { ContainerInstanceHealthStatus, InstanceHealthCheckType } from "@aws-sdk/client-ecs";
import type { InstanceStatus } from "../../protocol/tcs.ts";

/** Chosen: after so many missed publications (every 20 s) an old word is none. */
const STALE_MS = 180_000;

/** The agent's names for what it checks, and the API's. */
const TYPES: Readonly<Record<InstanceStatus["type"], InstanceHealthCheckType>> = {
  ContainerRuntime: "CONTAINER_RUNTIME",
  Agent: "AGENT_CONNECTIVITY",
  EBSDaemon: "DAEMON",
  ACCELERATED_COMPUTE: "ACCELERATED_COMPUTE",
};

/** The worst comes first. */
const BY_RANK = ["IMPAIRED", "INSUFFICIENT_DATA", "INITIALIZING", "OK"] as const;

/** What agents have last said of their machines, in memory: after a restart of the server they say it again within seconds. */
export class InstanceHealthBook {
  readonly #instances = new Map<string, Map<InstanceStatus["type"], InstanceStatus>>();

  record(instanceKey: string, statuses: readonly InstanceStatus[]): void {
    const known = this.#instances.get(instanceKey) ?? new Map();
    this.#instances.set(instanceKey, known);
    for (const status of statuses) {
      if (Object.hasOwn(TYPES, status.type)) known.set(status.type, status);
    }
  }

  forget(instanceKey: string): void {
    this.#instances.delete(instanceKey);
  }

  /** In the API's words. Who has said nothing for minutes has insufficient data. */
  present(instanceKey: string, now: number): ContainerInstanceHealthStatus {
    const details = [...(this.#instances.get(instanceKey)?.values() ?? [])].map((reported) => {
      const { type, status, lastUpdated, lastStatusChange } = reported;
      const isStale = now - lastUpdated * 1000 > STALE_MS;
      return {
        type: TYPES[type],
        status: isStale ? ("INSUFFICIENT_DATA" as const) : status,
        lastUpdated: new Date(lastUpdated * 1000),
        lastStatusChange: new Date(lastStatusChange * 1000),
      };
    });
    const worst = BY_RANK.find((rank) => details.some(({ status }) => status === rank));
    return { overallStatus: worst ?? "INSUFFICIENT_DATA", details };
  }
}
