/**
 * Brings one task to what is wanted of it, one step at a time: ask `nextStep`, do it, write down what became of it. Every
 * step is safe to do again, so a crash between any two of them costs nothing but the repetition.
 */
import type { Dataplane } from "../dataplane/dataplane.ts";
import { type Backoff, backoffMs } from "../lib/backoff.ts";
import { messageOf } from "../lib/errors.ts";
import type { Permits } from "../lib/turns.ts";
import type { ContainerNetwork } from "../runtime/runtime.ts";
import { adoptOne } from "./adopt.ts";
import { Attendance } from "./attendance.ts";
import { restarted, stoppedBy } from "./container-end.ts";
import type { ExecutionRoleDeps } from "./execution-role.ts";
import { healthAtStart } from "./health-check.ts";
import { linksOf } from "./links.ts";
import { TaskSecrets } from "./secrets.ts";
import {
  type ContainersDeps,
  containerDown,
  containerKill,
  containerRestart,
  containerStop,
  containerUp,
} from "./steps/containers.ts";
import { type ImagesDeps, TaskImages } from "./steps/images.ts";
import { type LogsDeps, TaskLogs } from "./steps/logs.ts";
import { namespacesDown, namespacesUp } from "./steps/namespaces.ts";
import {
  bridgeDown,
  bridgeUp,
  completeNetwork,
  type NetworkInTheMaking,
  networkBegin,
  networkDown,
  networkUp,
} from "./steps/network.ts";
import { storageDown, storageUp } from "./steps/storage.ts";
import type { TaskEntry } from "./task-entry.ts";
import { TaskFailure } from "./task-failure.ts";
import { removeTaskFiles } from "./task-files.ts";
import {
  CONTAINER_LABEL,
  type ContainerRecord,
  definitionOf,
  TASK_LABEL,
  withContainer,
} from "./task-record.ts";
import { NO_PROGRESS, nextStep, type Step, type TaskProgress } from "./task-step.ts";
import { normalImageVolumes } from "./volumes.ts";
import { unlessAborted, waitForChange } from "./wake.ts";

const RETRY_BACKOFF: Backoff = { firstMs: 100, factor: 2, maxMs: 10_000 };
/** How long a step on the way up is tried before the task fails, by ECS's name for the failure; the way down never gives up. */
const UP_LIMITS: Partial<Record<Step["kind"], { readonly ms: number; readonly error: string }>> = {
  networkUp: { ms: 60_000, error: "ResourceInitializationError" },
  namespacesUp: { ms: 60_000, error: "ResourceInitializationError" },
  imagesUp: { ms: 60_000, error: "CannotPullContainerError" },
  // ECS agent: its default start timeout.
  containerUp: { ms: 180_000, error: "CannotStartContainerError" },
  restart: { ms: 180_000, error: "CannotStartContainerError" },
};

export interface TaskControllerDeps
  extends ContainersDeps,
    ExecutionRoleDeps,
    ImagesDeps,
    LogsDeps {
  readonly dataplane: Dataplane;
  /** How many containers of this machine are made or removed at a time. */
  readonly permits: Permits;
}

type ActiveStep = Exclude<Step, { kind: "wait" | "done" }>;

export class TaskController {
  readonly #deps: TaskControllerDeps;
  readonly #entry: TaskEntry;
  readonly #logs: TaskLogs;
  readonly #attendance: Attendance;
  readonly #images: TaskImages;
  readonly #secrets: TaskSecrets;
  #progress: TaskProgress = NO_PROGRESS;
  #network: NetworkInTheMaking | undefined;
  /** It was not completed once: from then on containers are made when it is, and a network that never is fails the task. */
  #isNetworkDoubtful = false;
  /** Containers whose start failed in a way that does not tell whether they run. */
  readonly #unsure = new Set<string>();

  constructor(deps: TaskControllerDeps, entry: TaskEntry) {
    this.#deps = deps;
    this.#entry = entry;
    this.#logs = new TaskLogs(deps, entry.record.task);
    this.#attendance = new Attendance(deps, entry, this.#logs);
    this.#images = new TaskImages(deps, entry, (failure) => this.#fail(failure));
    this.#secrets = new TaskSecrets(deps, entry.record.task);
  }

  /** Works until nothing of the task is left on this machine, or `signal` aborts: then all stays as it is. */
  async run(signal: AbortSignal): Promise<void> {
    this.#resume(signal);
    await this.#loop(signal);
    await this.#logs.down();
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    let failingSince: number | undefined;
    let failures = 0;
    while (!signal.aborted) {
      const changed = this.#entry.changed();
      const step = nextStep(this.#entry.record, this.#progress, clock.now());
      if (step.kind === "done") return;
      if (step.kind === "wait") {
        await waitForChange(clock, changed, step.untilAt, signal);
        continue;
      }
      try {
        await unlessAborted(this.#apply(step, signal), signal);
        failingSince = undefined;
        failures = 0;
      } catch (error) {
        failingSince ??= clock.now();
        failures++;
        await this.#handle(error, step, { failingSince, failures }, signal);
      }
    }
  }

  /** Goes on where the agent before us stopped: containers that run are waited for, their output is followed. */
  #resume(signal: AbortSignal): void {
    for (const { name } of this.#entry.record.containers) this.#attendance.begin(name, signal);
  }

  async #handle(
    error: unknown,
    step: ActiveStep,
    trouble: { readonly failingSince: number; readonly failures: number },
    signal: AbortSignal,
  ): Promise<void> {
    if (signal.aborted) return;
    const { clock, log, random } = this.#deps;
    const failure = await this.#failureOf(error, step, trouble.failingSince, signal);
    if (signal.aborted) return;
    try {
      if (failure !== undefined) return this.#fail(failure);
    } catch (cause) {
      // It comes again with the step.
      log.debug("cannot write down a failure yet", { error: messageOf(cause) });
    }
    const fields = { task: this.#entry.arn, step: step.kind, error: messageOf(error) };
    if (trouble.failures === 1) log.warn("a step of a task failed and is tried again", fields);
    const waitUntil = clock.now() + backoffMs(RETRY_BACKOFF, trouble.failures, random);
    await waitForChange(clock, this.#entry.changed(), waitUntil, signal);
  }

  /** What an error means for the task; undefined: that the step is tried again. */
  async #failureOf(
    error: unknown,
    step: ActiveStep,
    failingSince: number,
    signal: AbortSignal,
  ): Promise<TaskFailure | undefined> {
    const failure = this.#claimedFailure(error, step, failingSince);
    const { container } = failure ?? {};
    if (container === undefined || !this.#unsure.has(container)) return failure;
    // A start that had no answer, or that could not be written down: where the container runs, nothing has failed.
    const isKnown = await this.#isFoundOut(container, signal);
    return isKnown && this.#isStillToStart(container) ? failure : undefined;
  }

  #claimedFailure(error: unknown, step: ActiveStep, failingSince: number): TaskFailure | undefined {
    if (error instanceof TaskFailure) return error;
    if (step.kind === "containerUp" || step.kind === "restart") this.#unsure.add(step.name);
    const limit = UP_LIMITS[step.kind];
    if (limit === undefined || this.#deps.clock.now() - failingSince < limit.ms) return undefined;
    const container = "name" in step ? step.name : undefined;
    return new TaskFailure(`${limit.error}: ${messageOf(error)}`, container);
  }

  #fail({ container, message }: TaskFailure): void {
    if (container === undefined) {
      this.#entry.update((record) => ({ ...record, failure: record.failure ?? message }));
    } else {
      const { restartAfter } = this.#container(container);
      const never = { status: "STOPPED", stoppedAt: this.#deps.clock.now() } as const;
      const ended = restartAfter === undefined ? never : stoppedBy(restartAfter);
      this.#change(container, { ...ended, reason: message });
    }
    this.#deps.log.info("task cannot run", { task: this.#entry.arn, reason: message });
  }

  async #apply(step: ActiveStep, signal: AbortSignal): Promise<void> {
    switch (step.kind) {
      case "networkUp":
        return this.#placeUp(signal);
      case "namespacesUp":
        await this.#deps.permits.use(() => namespacesUp(this.#deps, this.#entry.record.task));
        return this.#advance({ namespacesUp: true });
      case "imagesUp":
        return this.#advance({ imagesUp: await this.#images.up(signal) });
      case "logsUp":
        await this.#logs.up(signal);
        return this.#advance({ logsUp: true });
      case "containerUp":
        return this.#containerUp(step.name, signal);
      case "restart":
        return this.#restart(step.name, signal);
      case "skip": {
        if (this.#unsure.has(step.name)) return this.#findOut(step.name, signal);
        const { name, exitCode, reason } = step;
        const stoppedAt = this.#deps.clock.now();
        return this.#change(name, {
          status: "STOPPED",
          stoppedAt,
          ...(exitCode !== undefined && { exitCode }),
          ...(reason !== undefined && { reason }),
        });
      }
      default:
        return this.#applyDown(step, signal);
    }
  }

  /** The task's network and its disk: neither needs the other. */
  async #placeUp(signal: AbortSignal): Promise<void> {
    const { task } = this.#entry.record;
    const [network, taskStorage] = await Promise.all([
      this.#networkUp(),
      storageUp(this.#deps, task),
    ]);
    if (signal.aborted) return;
    this.#network = network;
    network.complete.catch(() => {
      this.#isNetworkDoubtful = true;
      this.#network = undefined;
      this.#advance({ networkUp: false });
    });
    if (taskStorage !== this.#entry.record.taskStorage) {
      this.#entry.update((record) => ({ ...record, ...(taskStorage && { taskStorage }) }));
    }
    this.#advance({ networkUp: true });
  }

  async #networkUp(): Promise<NetworkInTheMaking> {
    const { dataplane } = this.#deps;
    const { task } = this.#entry.record;
    if (!this.#isNetworkDoubtful) return networkBegin(dataplane, task);
    return completeNetwork(await networkUp(dataplane, task));
  }

  async #applyDown(
    step: Exclude<ActiveStep, { kind: `${string}Up` | "restart" | "skip" }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, dataplane, permits } = this.#deps;
    const { task } = this.#entry.record;
    switch (step.kind) {
      case "stop":
        await containerStop(this.#deps, task, this.#container(step.name));
        if (signal.aborted) return;
        return this.#change(step.name, { stopSignalledAt: clock.now() });
      case "kill":
        await containerKill(this.#deps, task, step.name);
        if (signal.aborted) return;
        return this.#change(step.name, { killedAt: clock.now() });
      case "ended": {
        if (this.#unsure.has(step.name)) return this.#findOut(step.name, signal);
        const { restartAfter } = this.#container(step.name);
        if (restartAfter !== undefined) this.#change(step.name, stoppedBy(restartAfter));
        return;
      }
      case "containerDown":
        await permits.use(async () => {
          await containerDown(this.#deps, task, step.name);
          await bridgeDown(dataplane, task, step.name);
        });
        await this.#attendance.end(step.name, signal);
        return this.#advance({ removed: new Set([...this.#progress.removed, step.name]) });
      case "logsFlush":
        await this.#logs.flush(signal);
        return this.#advance({ logsFlushed: true });
      case "namespacesDown":
        await permits.use(() => namespacesDown(this.#deps, task));
        return this.#advance({ namespacesDown: true });
      case "networkDown":
        await networkDown(dataplane, task);
        return this.#advance({ networkDown: true });
      case "stopped":
        this.#deps.log.info("task stopped", { task: task.arn });
        return this.#entry.update((record) => ({ ...record, stoppedAt: clock.now() }));
      case "logsDown":
        await Promise.all([this.#logs.down(), storageDown(this.#deps, task)]);
        return this.#advance({ logsDown: true });
      case "filesDown":
        await removeTaskFiles(this.#deps, task.arn);
        return this.#advance({ filesDown: true });
    }
  }

  async #containerUp(name: string, signal: AbortSignal): Promise<void> {
    const { clock, log, permits } = this.#deps;
    const { credentialsId, task, taskStorage } = this.#entry.record;
    const image = this.#images.get(name);
    const place = this.#network;
    if (image === undefined || place === undefined) {
      // Made again by the next looks.
      return this.#advance({ networkUp: place !== undefined, imagesUp: false });
    }
    const volumes = normalImageVolumes(image.config.volumes);
    if (volumes.length > 0) this.#change(name, { imageVolumes: volumes });
    const secrets = await this.#secrets.of(name, signal);
    await permits.use(async () => {
      const { complete, network: shared, there } = place;
      const network = shared.mode === "bridge" ? await this.#bridgeUp(name, signal) : shared;
      const links = linksOf(this.#entry.record, name);
      const { address } = this.#container(name);
      const imageVolumes = (other: string): readonly string[] =>
        this.#container(other).imageVolumes ?? [];
      const made = { network, networkThere: there, networkComplete: complete };
      const surroundings = { ...made, address, links, taskStorage };
      const own = { image, credentialsId, imageVolumes, secrets };
      await containerUp(this.#deps, task, name, { ...surroundings, ...own });
    });
    if (signal.aborted) return;
    this.#change(name, {
      status: "RUNNING",
      startedAt: clock.now(),
      imageDigest: image.digest,
      stopSignal: image.config.stopSignal,
      ...healthAtStart(definitionOf(this.#entry.record, name), clock.now()),
    });
    log.info("container started", { task: task.arn, container: name });
    this.#attendance.begin(name, signal);
  }

  async #restart(name: string, signal: AbortSignal): Promise<void> {
    const { clock, log, permits } = this.#deps;
    const { restartAfter } = this.#container(name);
    const { task } = this.#entry.record;
    if (restartAfter === undefined) return;
    await this.#network?.complete;
    if (this.#network?.network.mode === "bridge") await this.#bridgeUp(name, signal);
    await permits.use(() => containerRestart(this.#deps, task, name, restartAfter));
    if (signal.aborted) return;
    const change = restarted(this.#entry.record, this.#container(name), clock.now());
    this.#change(name, change);
    log.info("container started again", { task: task.arn, container: name });
    this.#attendance.begin(name, signal);
  }

  /** Address and ports are on record before the container runs: whoever adopts it could not ask for them. */
  async #bridgeUp(name: string, signal: AbortSignal): Promise<ContainerNetwork> {
    const { network, ...place } = await bridgeUp(this.#deps.dataplane, this.#entry.record, name);
    signal.throwIfAborted();
    this.#change(name, place);
    return network;
  }

  /** A start whose answer was lost may have taken effect: such a container is stopped like any other that runs. */
  async #findOut(name: string, signal: AbortSignal): Promise<void> {
    const { clock, runtime } = this.#deps;
    const states = (await runtime.list()).filter(
      ({ labels }) => labels[TASK_LABEL] === this.#entry.arn,
    );
    if (signal.aborted) return;
    const byName = new Map(states.map((state) => [state.labels[CONTAINER_LABEL] ?? "", state]));
    this.#entry.update((record) => adoptOne(record, name, byName.get(name), clock.now()));
    // Only now: what cannot be written down has to be found out again.
    this.#unsure.delete(name);
    this.#attendance.begin(name, signal);
  }

  /** False: the engine does not tell. */
  async #isFoundOut(name: string, signal: AbortSignal): Promise<boolean> {
    return this.#findOut(name, signal).then(
      () => true,
      () => false,
    );
  }

  #isStillToStart(name: string): boolean {
    const { restartAfter, status } = this.#container(name);
    return status === "PENDING" || restartAfter !== undefined;
  }

  #advance(progress: Partial<TaskProgress>): void {
    this.#progress = { ...this.#progress, ...progress };
  }

  #change(name: string, change: Partial<ContainerRecord>): void {
    const now = this.#deps.clock.now();
    this.#entry.update((record) => withContainer(record, name, change, now));
  }

  #container(name: string): ContainerRecord {
    const found = this.#entry.record.containers.find((container) => container.name === name);
    return found ?? { name, status: "STOPPED" };
  }
}
