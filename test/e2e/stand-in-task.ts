/** A task as amazon-ecs-agent runs it in Docker, from its payload to its end. */
import { setTimeout as delay } from "node:timers/promises";
import type { PayloadContainer, PayloadTask } from "../../src/protocol/acs.ts";
import type { DockerClient } from "./docker-client.ts";
import { type CreateRequest, createRequest, dockerName, pauseRequest } from "./stand-in-docker.ts";
import { addInterface, deleteInterface } from "./vpc-eni.ts";

/** The agent: seconds from the stop signal to SIGKILL where the container does not say. */
const STOP_SECONDS_DEFAULT = 30;

/** What the agent has on its disk of a task. */
export interface TaskState {
  readonly task: PayloadTask;
  pauseId?: string;
  /** Docker's ids, in the order of their start. */
  readonly containers: { readonly name: string; readonly id: string }[];
}

export interface StandInTaskOptions {
  readonly docker: DockerClient;
  /** An image with `sleep`, for the container that holds a network. */
  readonly pauseImage: string;
  /** Reports a change of the task, until it has been taken. */
  readonly report: (change: object) => Promise<void>;
  /** Writes the state down. */
  readonly save: () => void;
}

interface Inspected {
  readonly State: {
    readonly Pid: number;
    readonly Running: boolean;
    readonly ExitCode: number;
    readonly Health?: { readonly Status: string };
  };
  readonly NetworkSettings: {
    readonly Ports: Readonly<
      Record<string, readonly { HostIp: string; HostPort: string }[] | null>
    >;
  };
}

export class StandInTask {
  readonly state: TaskState;
  readonly #options: StandInTaskOptions;
  readonly #stopAsked = Promise.withResolvers<void>();

  constructor(options: StandInTaskOptions, state: TaskState) {
    this.#options = options;
    this.state = state;
  }

  /** Starts the task, or takes it over when the state has its containers, and resolves when its end has been reported. */
  async run(): Promise<void> {
    if (this.state.containers.length === 0) {
      try {
        await this.#start();
      } catch (error) {
        return this.#end(String((error as Error).message));
      }
    }
    const { containers } = this.state.task;
    const ends = this.state.containers
      .filter(({ name }) => containers.find((one) => one.name === name)?.essential)
      .map(({ id }) => this.#options.docker.call("POST", `/containers/${id}/wait`));
    await Promise.race([this.#stopAsked.promise, ...ends]);
    await this.#end();
  }

  stop(): void {
    this.#stopAsked.resolve();
  }

  /** What Docker says of the health of the containers that have a check. */
  async health(): Promise<{ containerName: string; healthStatus: string; statusSince: number }[]> {
    const reports = [];
    for (const { name, id } of this.state.containers) {
      const container = this.state.task.containers.find((one) => one.name === name);
      if (container?.healthCheckType !== "docker") continue;
      const status = (await this.#inspect(id)).State.Health?.Status;
      const healthStatus = ["healthy", "unhealthy"].includes(status ?? "") ? status : "unknown";
      reports.push({
        containerName: name,
        healthStatus: String(healthStatus).toUpperCase(),
        statusSince: Date.now() / 1000,
      });
    }
    return reports;
  }

  async #start(): Promise<void> {
    const { task } = this.state;
    const volumes = await this.#makeVolumes();
    if (task.networkMode === "awsvpc") await this.#holdNetwork();
    const names = new Map<string, string>();
    for (const container of inOrder(task.containers)) {
      await this.#dependenciesOf(container);
      const made = { names, volumes, pauseId: this.state.pauseId };
      const request = createRequest(task, container, made);
      // `prefer-cached`: what is not here would be pulled.
      await this.#options.docker.call("GET", `/images/${container.image}/json`);
      const id = await this.#make(request);
      names.set(container.name, request.name);
      this.state.containers.push({ name: container.name, id });
      this.#options.save();
    }
    await this.#options.report({ status: "RUNNING", containers: await this.#describe("RUNNING") });
  }

  /** Volumes without a path on the machine. Those of a task are named after it. */
  async #makeVolumes(): Promise<ReadonlyMap<string, string>> {
    const { task } = this.state;
    const names = new Map<string, string>();
    for (const { dockerVolumeConfiguration: docker, host, name, type } of task.volumes) {
      if (type === "host" && host?.sourcePath) continue;
      if (docker !== undefined && docker.scope !== "task" && !docker.autoprovision) {
        throw new Error(`volume '${name}' does not exist and autoprovision is set to false`);
      }
      const isShared = docker !== undefined && docker.scope !== "task";
      const Name = isShared ? name : dockerName(task, name);
      await this.#options.docker.call("POST", "/volumes/create", {
        Name,
        Driver: docker?.driver ?? "local",
        DriverOpts: docker?.driverOpts ?? {},
        Labels: docker?.labels ?? {},
      });
      names.set(name, Name);
    }
    return names;
  }

  async #holdNetwork(): Promise<void> {
    const { task } = this.state;
    const [eni] = task.elasticNetworkInterfaces ?? [];
    this.state.pauseId = await this.#make(pauseRequest(task, this.#options.pauseImage));
    const { Pid } = (await this.#inspect(this.state.pauseId)).State;
    if (eni !== undefined) await addInterface(eni, `/proc/${Pid}/ns/net`);
  }

  async #dependenciesOf({ dependsOn = [] }: PayloadContainer): Promise<void> {
    for (const { condition, containerName } of dependsOn) {
      const id = this.state.containers.find(({ name }) => name === containerName)?.id;
      if (id === undefined || condition === "START") continue;
      if (condition === "HEALTHY") {
        while ((await this.#inspect(id)).State.Health?.Status !== "healthy") await delay(100);
        continue;
      }
      const ended = await this.#options.docker.call("POST", `/containers/${id}/wait`);
      const { StatusCode } = ended as { StatusCode: number };
      if (condition === "SUCCESS" && StatusCode !== 0) throw new Error(`${containerName} failed`);
    }
  }

  async #make({ body, name, version }: CreateRequest): Promise<string> {
    const { docker } = this.#options;
    const path = `/containers/create?name=${name}`;
    const { Id } = await docker.call<{ Id: string }>("POST", path, body, version);
    await docker.call("POST", `/containers/${Id}/start`);
    return Id;
  }

  async #end(reason?: string): Promise<void> {
    const { docker, report } = this.#options;
    const { containers, pauseId, task } = this.state;
    const executionStoppedAt = Date.now() / 1000;
    for (const { id, name } of containers.toReversed()) {
      const container = task.containers.find((one) => one.name === name);
      const seconds = container?.stopTimeout ?? STOP_SECONDS_DEFAULT;
      await docker.call("POST", `/containers/${id}/stop?t=${seconds}`);
    }
    if (pauseId !== undefined) await this.#releaseNetwork(pauseId);
    const stopped = await this.#describe("STOPPED");
    const failed = task.containers.find(({ name }) => containers.every((one) => one.name !== name));
    if (reason !== undefined && failed !== undefined) {
      stopped.push({
        containerName: failed.name,
        status: "STOPPED",
        reason: `CannotCreateContainerError: ${reason}`,
      });
    }
    await report({ status: "STOPPED", containers: stopped, executionStoppedAt });
  }

  async #releaseNetwork(pauseId: string): Promise<void> {
    const [eni] = this.state.task.elasticNetworkInterfaces ?? [];
    const { Pid } = (await this.#inspect(pauseId)).State;
    if (eni !== undefined) await deleteInterface(eni, `/proc/${Pid}/ns/net`);
    await this.#options.docker.call("POST", `/containers/${pauseId}/kill`);
  }

  async #describe(status: "RUNNING" | "STOPPED"): Promise<object[]> {
    const described = [];
    for (const { id, name } of this.state.containers) {
      const { NetworkSettings, State } = await this.#inspect(id);
      described.push({
        containerName: name,
        runtimeId: id,
        status: State.Running ? status : "STOPPED",
        ...(!State.Running && { exitCode: State.ExitCode }),
        networkBindings: bindingsOf(NetworkSettings.Ports),
      });
    }
    return described;
  }

  #inspect(id: string): Promise<Inspected> {
    return this.#options.docker.call("GET", `/containers/${id}/json`);
  }
}

/** As the agent does by default: what Docker binds to IPv6 as well is not told twice. */
function bindingsOf(ports: Inspected["NetworkSettings"]["Ports"]): object[] {
  return Object.entries(ports ?? {}).flatMap(([port, bindings]) => {
    const [containerPort, protocol] = port.split("/");
    return (bindings ?? [])
      .filter(({ HostIp }) => HostIp !== "::")
      .map(({ HostIp, HostPort }) => ({
        bindIP: HostIp,
        containerPort: Number(containerPort),
        hostPort: Number(HostPort),
        protocol,
      }));
  });
}

/** Each container after those that it depends on. */
function inOrder(containers: readonly PayloadContainer[]): readonly PayloadContainer[] {
  const ordered: PayloadContainer[] = [];
  const visit = (container: PayloadContainer): void => {
    if (ordered.includes(container)) return;
    const before = [
      ...(container.dependsOn ?? []).map(({ containerName }) => containerName),
      ...(container.volumesFrom ?? []).map(({ sourceContainer }) => sourceContainer),
      ...(container.links ?? []).map((link) => link.replace(/:.*$/, "")),
    ];
    for (const name of before)
      visit(containers.find((one) => one.name === name) as PayloadContainer);
    ordered.push(container);
  };
  for (const container of containers) visit(container);
  return ordered;
}
