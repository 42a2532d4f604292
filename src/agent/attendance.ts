import { type Backoff, backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { type Runtime, RuntimeError } from "../runtime/runtime.ts";
import { VANISHED_REASON } from "./adopt.ts";
import { endedBy } from "./container-end.ts";
import { containerIdOf } from "./container-spec.ts";
import { watchHealth } from "./health-watch.ts";
import type { TaskLogs } from "./steps/logs.ts";
import type { TaskEntry } from "./task-entry.ts";
import { type ContainerRecord, withContainer } from "./task-record.ts";
import { untilDone } from "./until-done.ts";

const RETRY_BACKOFF: Backoff = { firstMs: 100, factor: 2, maxMs: 10_000 };

export interface AttendanceDeps {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Looks after the running containers of one task: follows their output, checks their health, writes down how they ended. */
export class Attendance {
  readonly #deps: AttendanceDeps;
  readonly #entry: TaskEntry;
  readonly #logs: TaskLogs;
  readonly #attended = new Set<string>();

  constructor(deps: AttendanceDeps, entry: TaskEntry, logs: TaskLogs) {
    this.#deps = deps;
    this.#entry = entry;
    this.#logs = logs;
  }

  /**
   * Takes a container as its record has it: one that ever ran has output, one that runs will end. To be called again for
   * each run; one that is looked after already is left at that.
   */
  begin(name: string, signal: AbortSignal): void {
    const { startedAt, status, restartAfter } = this.#container(name);
    if (startedAt !== undefined) this.#logs.follow(name, signal, this.#isTaskOver());
    if (status !== "RUNNING" || restartAfter !== undefined || this.#attended.has(name)) return;
    this.#attended.add(name);
    void this.#attend(name, signal);
  }

  /** Takes a container that is gone: what is in its output is all. */
  async end(name: string, signal: AbortSignal): Promise<void> {
    await this.#logs.end(name, signal, this.#isTaskOver());
  }

  #isTaskOver(): boolean {
    return this.#entry.record.stoppedAt !== undefined;
  }

  async #attend(name: string, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    void watchHealth(this.#deps, this.#entry, name, AbortSignal.any([signal, over.signal]));
    const change = await this.#awaitEnd(name, signal);
    over.abort();
    this.#attended.delete(name);
    if (change === undefined) return;
    await untilDone(
      this.#deps,
      "cannot write down how a container ended yet",
      async () => {
        const now = this.#deps.clock.now();
        const found = change(this.#container(name));
        this.#entry.update((record) => withContainer(record, name, found, now));
      },
      signal,
    );
  }

  /** What the container's end, whenever that is, makes of its record; undefined after the abort. */
  async #awaitEnd(
    name: string,
    signal: AbortSignal,
  ): Promise<((container: ContainerRecord) => Partial<ContainerRecord>) | undefined> {
    const { clock, log, random, runtime } = this.#deps;
    const id = containerIdOf(this.#entry.arn, name);
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        const exit = await runtime.wait(id, signal);
        if (signal.aborted) return undefined;
        log.info("container ended", { id, exitCode: exit.exitCode });
        return (container) => endedBy(this.#entry.record, container, exit);
      } catch (error) {
        if (signal.aborted) return undefined;
        if (error instanceof RuntimeError) {
          const stoppedAt = clock.now();
          return () => ({ status: "STOPPED", stoppedAt, reason: VANISHED_REASON });
        }
        if (failures === 1)
          log.warn("cannot wait for a container", { id, error: messageOf(error) });
        await clock.sleep(backoffMs(RETRY_BACKOFF, failures, random), signal);
      }
    }
    return undefined;
  }

  #container(name: string): ContainerRecord {
    const found = this.#entry.record.containers.find((container) => container.name === name);
    return found ?? { name, status: "STOPPED" };
  }
}
