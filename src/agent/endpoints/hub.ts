/**
 * Whom the endpoint server answers for. Each agent of the machine puts its tasks in; the server finds the one that a request
 * is about and checks that it comes from there. No I/O: the simulator's agents have hubs without a server.
 */
import type { RoleCredentials } from "../../protocol/acs.ts";
import type { TaskStorageUsage } from "../../runtime/task-storage.ts";
import type { AgentConfig, ApiClient, Credentials } from "../agent-deps.ts";
import { networkModeOf, type TaskRecord } from "../task-record.ts";
import type { StatsPair } from "../telemetry/usage.ts";
import type { VolumePlaces } from "../volumes.ts";
import type { EndpointIds } from "./container-ids.ts";

/** What an agent gives so that its tasks' questions can be answered. */
export interface EndpointAgent {
  readonly config: AgentConfig;
  readonly ids: EndpointIds;
  readonly volumePlaces: VolumePlaces;
  /** Of a task's own role, as the server has sent them. */
  readonly taskCredentials: (taskArn: string) => RoleCredentials | undefined;
  /** Undefined until the agent is registered. */
  readonly instanceArn: () => string | undefined;
  /** Of the machine; undefined: not known yet. */
  readonly vpcId: () => string | undefined;
  /** The latest two samples of a container; undefined when it does not run. */
  readonly stats: (containerId: string) => Promise<StatsPair | undefined>;
  /** How full a task's own disk is; undefined when it has none. */
  readonly taskStorage: (taskArn: string) => Promise<TaskStorageUsage | undefined>;
  /** The ECS API in the node's name. */
  readonly ecs: ApiClient;
  /** The ECS API in another's name. */
  readonly ecsAs: (credentials: Credentials) => ApiClient;
}

/** One task of one agent. `record` is always the present one. */
export interface EndpointTask {
  readonly agent: EndpointAgent;
  readonly arn: string;
  readonly record: TaskRecord;
}

/** The container that asks. */
export interface EndpointContainer {
  readonly task: EndpointTask;
  readonly name: string;
}

export class EndpointHub {
  readonly #tasks = new Set<EndpointTask>();
  /** By the id that its environment names. */
  readonly #containers = new Map<string, EndpointContainer>();

  add(task: EndpointTask): void {
    this.#tasks.add(task);
    for (const { name } of task.record.containers) {
      this.#containers.set(task.agent.ids.idOf(task.arn, name), { task, name });
    }
  }

  remove(task: EndpointTask): void {
    this.#tasks.delete(task);
    for (const { name } of task.record.containers) {
      this.#containers.delete(task.agent.ids.idOf(task.arn, name));
    }
  }

  /** The container with this id, unless the request comes from another task. */
  container(id: string, sourceAddress: string): EndpointContainer | undefined {
    const found = this.#containers.get(id);
    return found && this.#mayBe(found.task, sourceAddress) ? found : undefined;
  }

  /** The task that lives and whose role has credentials of this id, unless the request comes from another task. */
  taskOfCredentials(credentialsId: string, sourceAddress: string): EndpointTask | undefined {
    for (const task of this.#tasks) {
      const { record } = task;
      const isIts =
        record.credentialsId === credentialsId ||
        task.agent.taskCredentials(task.arn)?.credentialsId === credentialsId;
      if (!isIts || !isAlive(record)) continue;
      return this.#mayBe(task, sourceAddress) ? task : undefined;
    }
    return undefined;
  }

  /** The only task at an address; undefined where there is none, or more than one. */
  taskAt(sourceAddress: string): EndpointTask | undefined {
    const [task, ...others] = this.#tasksAt(sourceAddress);
    return others.length === 0 ? task : undefined;
  }

  /** An address that belongs to tasks speaks for these only; any other (the machine's own) may be a task of host mode. */
  #mayBe(task: EndpointTask, sourceAddress: string): boolean {
    const owners = this.#tasksAt(sourceAddress);
    return owners.length === 0 || owners.includes(task);
  }

  #tasksAt(address: string): readonly EndpointTask[] {
    return [...this.#tasks].filter(
      ({ record }) => isAlive(record) && addressesOf(record).includes(address),
    );
  }
}

/** Credentials die with the last process. */
function isAlive(record: TaskRecord): boolean {
  return record.containers.some(({ status }) => status !== "STOPPED");
}

/** The addresses that are the task's alone. On the bridge each container has one, for as long as it lives. */
function addressesOf({ containers, task }: TaskRecord): readonly string[] {
  const mode = networkModeOf(task);
  if (mode === "bridge") {
    return containers.flatMap(({ address, status }) =>
      status === "STOPPED" || address === undefined ? [] : [address],
    );
  }
  if (mode !== "awsvpc") return [];
  return (task.elasticNetworkInterfaces ?? []).flatMap(({ ipv4Addresses, ipv6Addresses }) => [
    ...(ipv4Addresses ?? []).map(({ privateAddress }) => privateAddress),
    ...(ipv6Addresses ?? []).map(({ address }) => address),
  ]);
}
