import { messageOf } from "../../lib/errors.ts";
import { commit } from "../../store/commit.ts";
import type { Task } from "../model/task.ts";
import { type HealthReport, withHealth } from "../model/task-health.ts";
import { Alarm } from "./alarm.ts";
import type { EcsDeps } from "./deps.ts";

/** Chosen: tasks per transaction, half of what one may compare and write. */
const BATCH_MAX = 64;
const RETRY_MS = 1_000;
/** Whoever has something to write rings. */
const IDLE_MS = 3_600_000;

/**
 * Writes what agents say of their containers' health into the tasks: only what is new, many tasks in one transaction. What
 * has not been written yet is kept once per container, so that it cannot pile up.
 */
export class TaskHealthWriter {
  readonly #deps: EcsDeps;
  readonly #alarm: Alarm;
  /** By task key: the latest word on each container. */
  readonly #pending = new Map<string, Map<string, HealthReport>>();

  constructor(deps: EcsDeps) {
    this.#deps = deps;
    this.#alarm = new Alarm(deps.clock);
  }

  /** Takes note of a report about a task that is in the cache. */
  note(key: string, reports: readonly HealthReport[]): void {
    const task = this.#deps.cache.get(key)?.value as Task | undefined;
    const pending = this.#pending.get(key);
    if (task === undefined || (pending === undefined && withHealth(task, reports) === task)) return;
    const names = new Set(task.containers.map(({ name }) => name));
    const latest = pending ?? new Map<string, HealthReport>();
    for (const report of reports) if (names.has(report.name)) latest.set(report.name, report);
    this.#pending.set(key, latest);
    this.#alarm.ring();
  }

  /** Writes until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#alarm.ring();
    signal.addEventListener("abort", stop, { once: true });
    while (!signal.aborted) {
      if (this.#pending.size === 0) await this.#alarm.rest(IDLE_MS);
      else await this.#flush(signal);
    }
    signal.removeEventListener("abort", stop);
  }

  /** Writes one batch. Tasks that were changed meanwhile are tried again with the next one. */
  async #flush(signal: AbortSignal): Promise<void> {
    const batch = [...this.#pending].slice(0, BATCH_MAX);
    const changes = batch.flatMap(([key, reports]) => {
      const record = this.#deps.cache.get(key);
      const task = record?.value as Task | undefined;
      if (record === undefined || task === undefined) return [];
      const value = withHealth(task, [...reports.values()]);
      return value === task ? [] : [{ key, revision: record.revision, value }];
    });
    try {
      const isWritten =
        changes.length === 0 ||
        (await commit(
          this.#deps,
          changes.map(({ key, revision }) => ({ key, revision })),
          changes.map(({ key, value }) => ({ key, value })),
        ));
      if (isWritten) this.#settle(batch);
    } catch (error) {
      if (signal.aborted) return;
      this.#deps.log.warn("cannot record the health of tasks", { error: messageOf(error) });
      await this.#deps.clock.sleep(RETRY_MS, signal);
    }
  }

  /** Forgets what was written, but not what came meanwhile. */
  #settle(batch: readonly (readonly [string, Map<string, HealthReport>])[]): void {
    for (const [key, reports] of batch) {
      const task = this.#deps.cache.get(key)?.value as Task | undefined;
      const isDone = task === undefined || withHealth(task, [...reports.values()]) === task;
      if (isDone) this.#pending.delete(key);
    }
  }
}
