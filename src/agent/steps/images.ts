import type { Clock } from "../../lib/clock.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { PayloadContainer } from "../../protocol/acs.ts";
import { PullError } from "../../runtime/pull.ts";
import { type Image, ImageError, type Runtime } from "../../runtime/runtime.ts";
import type { AgentConfig } from "../agent-deps.ts";
import { chooseImage, mayStandIn, pullFailureReason } from "../image-choice.ts";
import type { RegistryAuth } from "../registry-auth.ts";
import type { TaskEntry } from "../task-entry.ts";
import { TaskFailure } from "../task-failure.ts";
import { definitionOf, shallRun, withContainer } from "../task-record.ts";
import { waitForChange } from "../wake.ts";

export interface ImagesDeps {
  readonly runtime: Runtime;
  readonly config: AgentConfig;
  readonly registryAuth: RegistryAuth;
  readonly clock: Clock;
  readonly log: Log;
}

/** ECS agent: its image pull timeout, and what it then says. */
const PULL_MS_MAX = 2 * 60 * 60_000;
const PULL_TIMEOUT_REASON =
  "DockerTimeoutError: Could not transition to pulled; timed out after waiting 2h0m0s";
/** Chosen: how often a long pull says how far it is. */
const PROGRESS_LOG_MS = 30_000;
const HUB_HINT = "; the image is not on this machine either ('gantry image load' brings it in)";

/** The images of one task's containers: pulled, or taken as they are here. */
export class TaskImages {
  readonly #deps: ImagesDeps;
  readonly #entry: TaskEntry;
  readonly #fail: (failure: TaskFailure) => void;
  readonly #images = new Map<string, Image>();

  /** `fail` is told of each container that cannot have its image. */
  constructor(deps: ImagesDeps, entry: TaskEntry, fail: (failure: TaskFailure) => void) {
    this.#deps = deps;
    this.#entry = entry;
    this.#fail = fail;
  }

  /** The image of a container, once it is up. */
  get(container: string): Image | undefined {
    return this.#images.get(container);
  }

  /**
   * Brings in the images of all containers that have yet to start, side by side. Ends early when the task shall no longer
   * run. True: every container that is still to start has its image.
   */
  async up(signal: AbortSignal): Promise<boolean> {
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    const watching = this.#abortWhenStopped(over, until);
    try {
      await Promise.all(this.#wanted().map((definition) => this.#one(definition, until)));
    } catch (error) {
      if (!until.aborted) throw error;
    } finally {
      over.abort();
      await watching;
    }
    if (signal.aborted) return false;
    const { pullStartedAt, pullStoppedAt } = this.#entry.record;
    if (pullStartedAt !== undefined && pullStoppedAt === undefined) {
      const now = this.#deps.clock.now();
      this.#entry.update((record) => ({ ...record, pullStoppedAt: now }));
    }
    return this.#wanted().length === 0;
  }

  #wanted(): readonly PayloadContainer[] {
    const { record } = this.#entry;
    return record.containers
      .filter(({ name, status }) => status === "PENDING" && !this.#images.has(name))
      .flatMap(({ name }) => definitionOf(record, name) ?? []);
  }

  async #abortWhenStopped(over: AbortController, until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      const changed = this.#entry.changed();
      if (!shallRun(this.#entry.record)) return over.abort();
      await waitForChange(this.#deps.clock, changed, Number.POSITIVE_INFINITY, until);
    }
  }

  async #one(definition: PayloadContainer, signal: AbortSignal): Promise<void> {
    const { config, log, runtime } = this.#deps;
    const { image: reference, name } = definition;
    const choice = chooseImage(config.imagePullBehavior, await runtime.findImage(reference));
    if (choice.kind === "use") {
      const { because, image } = choice;
      log.debug("image taken as it is here", { image: reference, digest: image.digest, because });
      return this.#have(name, image);
    }
    try {
      const image = await this.#pull(definition, signal);
      this.#have(name, image);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ImageError || error instanceof TaskFailure)) throw error;
      const isRefused = error instanceof PullError && !mayStandIn(error.failure);
      if (choice.elseUse !== undefined && error instanceof ImageError && !isRefused) {
        const fields = { image: reference, error: messageOf(error) };
        log.warn("an image cannot be pulled, so it is taken as it is here", fields);
        return this.#have(name, choice.elseUse);
      }
      this.#fail(error instanceof TaskFailure ? error : this.#failure(definition, error));
    }
  }

  #have(name: string, image: Image): void {
    this.#images.set(name, image);
    this.#resolved(name, image.digest);
  }

  /** Not worth a write of its own: until the container runs, the image is looked for again after a crash. */
  #resolved(name: string, imageDigest: string): void {
    const now = this.#deps.clock.now();
    this.#entry.note((record) => withContainer(record, name, { imageDigest }, now));
  }

  async #pull(definition: PayloadContainer, signal: AbortSignal): Promise<Image> {
    const { clock, log, registryAuth, runtime } = this.#deps;
    const { image: reference, name } = definition;
    const auth = await registryAuth.login(this.#entry.arn, definition, signal);
    const startedAt = clock.now();
    this.#entry.update((record) => ({
      ...record,
      pullStartedAt: record.pullStartedAt ?? startedAt,
    }));
    let saidAt = startedAt;
    const over = new AbortController();
    const timeLimit = new TaskFailure(PULL_TIMEOUT_REASON, name);
    void clock.sleep(PULL_MS_MAX, over.signal).then(() => over.abort(timeLimit));
    try {
      const image = await runtime.pullImage(reference, {
        ...(auth && { auth }),
        onResolved: (digest) => this.#resolved(name, digest),
        onProgress: ({ bytes, bytesTotal, layers, layersDone }) => {
          if (clock.now() - saidAt < PROGRESS_LOG_MS) return;
          saidAt = clock.now();
          log.info("pulling", { image: reference, layersDone, layers, bytes, bytesTotal });
        },
        signal: AbortSignal.any([signal, over.signal]),
      });
      const ms = clock.now() - startedAt;
      log.info("image pulled", { image: reference, digest: image.digest, ms });
      return image;
    } finally {
      over.abort();
    }
  }

  #failure({ image, name }: PayloadContainer, error: Error): TaskFailure {
    const { launchType } = this.#entry.record.task;
    if (!(error instanceof PullError)) {
      return new TaskFailure(`CannotPullContainerError: ${error.message}`, name);
    }
    const isHub = error.failure === "unreachable" && error.message.includes("docker.io/");
    const reason = pullFailureReason(error, image, launchType);
    return new TaskFailure(isHub ? `${reason}${HUB_HINT}` : reason, name);
  }
}
