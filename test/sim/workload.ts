import type { RunTaskRequest } from "@aws-sdk/client-ecs";
import { instanceArn } from "../../src/ecs/model/arn.ts";
import type { Instance } from "../../src/ecs/model/instance.ts";
import type { Task } from "../../src/ecs/model/task.ts";
import type { SimClient } from "./client.ts";
import { DEFINITIONS, ENDS_UNTOLD } from "./definitions.ts";
import { arnOf, type SafetyChecker } from "./safety.ts";
import type { SeededRandom } from "./seeded-random.ts";

const CLUSTER = "default";

export interface WorkloadDeps {
  readonly client: SimClient;
  readonly random: SeededRandom;
  readonly records: SafetyChecker;
  readonly subnets: readonly string[];
}

/** How often each thing is done, relative to the others; drawn for each world. */
export type WorkloadMix = Readonly<Record<keyof Workload["actions"], number>>;

/** What users do: one drawn action after another. */
export class Workload {
  readonly #deps: WorkloadDeps;

  readonly actions = {
    runTask: (): Promise<void> => this.#runTask(),
    repeatRunTask: (): Promise<void> => this.#deps.client.repeat(),
    startTask: (): Promise<void> => this.#startTask(),
    stopTask: (): Promise<void> => this.#stopTask(),
    drain: (): Promise<void> => this.#setState("DRAINING"),
    activate: (): Promise<void> => this.#setState("ACTIVE"),
    deregister: (): Promise<void> => this.#deregister(),
  };

  constructor(deps: WorkloadDeps) {
    this.#deps = deps;
  }

  /** Does one thing of the mix. Throws Violation. */
  async act(mix: WorkloadMix): Promise<void> {
    const names = Object.keys(mix) as (keyof WorkloadMix)[];
    const total = names.reduce((sum, name) => sum + mix[name], 0);
    let left = this.#deps.random.next() * total;
    for (const name of names) {
      left -= mix[name];
      if (left < 0) return this.actions[name]();
    }
  }

  async stopEverything(): Promise<void> {
    const { client, records } = this.#deps;
    for (const task of records.list<Task>("tasks").filter(isWanted)) {
      await client.stopTask(arnOf(task));
    }
  }

  async #runTask(): Promise<void> {
    const { client, random } = this.#deps;
    const hasToken = random.chance(0.5);
    await client.runTask({
      ...this.#request(),
      count: random.chance(0.7) ? random.integer(1, 3) : random.integer(1, 10),
      ...(hasToken && { clientToken: random.uuid() }),
    });
  }

  async #startTask(): Promise<void> {
    const { client } = this.#deps;
    const { launchType, ...request } = this.#request();
    const instance = this.#anInstance();
    if (launchType !== "EC2" || instance === undefined) return;
    await client.startTask({ ...request, containerInstances: [instance.id] });
  }

  async #stopTask(): Promise<void> {
    const { client, random, records } = this.#deps;
    const task = random.pickFrom(records.list<Task>("tasks").filter(isWanted));
    if (task !== undefined) await client.stopTask(arnOf(task));
  }

  async #setState(status: "ACTIVE" | "DRAINING"): Promise<void> {
    const instance = this.#anInstance();
    if (instance === undefined) return;
    const input = { cluster: CLUSTER, containerInstances: [instance.id], status };
    await this.#deps.client.call("UpdateContainerInstancesState", input);
  }

  async #deregister(): Promise<void> {
    const instance = this.#anInstance();
    if (instance === undefined) return;
    const containerInstance = instanceArn(instance, instance.clusterName, instance.id);
    const force = this.#deps.random.chance(0.7);
    const input = { cluster: CLUSTER, containerInstance, force };
    await this.#deps.client.call("DeregisterContainerInstance", input);
  }

  #anInstance(): Instance | undefined {
    const { random, records } = this.#deps;
    return random.pickFrom(
      records.list<Instance>("instances").filter(({ clusterName }) => clusterName === CLUSTER),
    );
  }

  #request(): RunTaskRequest {
    const { random, subnets } = this.#deps;
    const definition = random.pickFrom(DEFINITIONS);
    const isFargate = definition?.requiresCompatibilities?.includes("FARGATE") ?? false;
    const command = [`runFor=${random.integer(0, 300_000)}`, `exitCode=${random.integer(0, 3)}`];
    return {
      cluster: CLUSTER,
      taskDefinition: definition?.family ?? "",
      launchType: isFargate ? "FARGATE" : "EC2",
      ...(definition?.networkMode === "awsvpc" && {
        networkConfiguration: { awsvpcConfiguration: { subnets: [...subnets] } },
      }),
      ...(random.chance(0.4) &&
        !ENDS_UNTOLD.has(definition?.family ?? "") && {
          overrides: { containerOverrides: [{ name: "app", command }] },
        }),
    };
  }
}

function isWanted(task: Task): boolean {
  return task.desiredStatus === "RUNNING";
}
