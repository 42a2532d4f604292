import { type Backoff, backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { ApiError, messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { Permits } from "../lib/turns.ts";
import type { ApiClient } from "./agent-deps.ts";
import type { Journal } from "./journal.ts";
import type { TaskEntry } from "./task-entry.ts";
import { NOTHING_REPORTED, type ReportedState } from "./task-record.ts";
import { nextReport, type TaskStateChange } from "./task-report.ts";
import { waitForChange } from "./wake.ts";

/** ECS agent: tasks whose state changes are under way at a time. */
const CONCURRENT_TASKS_MAX = 10;
/** ECS agent: 30–60 ms first, its outer loop ends at 30 s. */
const SUBMIT_BACKOFF: Backoff = { firstMs: 50, factor: 2, maxMs: 30_000 };
/** News of containers alone wait this long for the change of the task that mostly follows them. */
const CONTAINER_NEWS_MS = 1_000;

export interface ReporterDeps {
  readonly ecs: ApiClient;
  readonly journal: Journal;
  readonly cluster: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/**
 * Tells the server what became of tasks. It looks at the record and at what was acknowledged, never at events: nothing is
 * queued, and what a crash left untold is told after it. Per task one report at a time, at least once, in order.
 */
export class Reporter {
  readonly #deps: ReporterDeps;
  readonly #permits = new Permits(CONCURRENT_TASKS_MAX);

  constructor(deps: ReporterDeps) {
    this.#deps = deps;
  }

  /** Reports on one task until its STOPPED is acknowledged. */
  async run(entry: TaskEntry, signal: AbortSignal): Promise<void> {
    const { clock, journal } = this.#deps;
    let reported = journal.reported(entry.arn) ?? NOTHING_REPORTED;
    let newsSince: number | undefined;
    while (!signal.aborted && reported.task !== "STOPPED") {
      const changed = entry.changed();
      const report = nextReport(entry.record, reported);
      if (report === undefined) {
        await waitForChange(clock, changed, Number.POSITIVE_INFINITY, signal);
        continue;
      }
      newsSince = Math.min(newsSince ?? clock.now(), clock.now());
      const dueAt = newsSince + CONTAINER_NEWS_MS;
      if (report.change.status === reported.task && clock.now() < dueAt) {
        await waitForChange(clock, changed, dueAt, signal);
        continue;
      }
      if (!(await this.#submit(report.change, signal))) return;
      reported = report.reported;
      this.#remember(entry.arn, reported);
      newsSince = undefined;
    }
  }

  /** What cannot be written down is told again after a crash, as is what was lost in one. */
  #remember(arn: string, reported: ReportedState): void {
    try {
      this.#deps.journal.putReported(arn, reported);
    } catch (error) {
      const fields = { task: arn, error: messageOf(error) };
      this.#deps.log.warn("cannot write down what the server was told", fields);
    }
  }

  /** True when the server has acknowledged the change or will never take it; false when `signal` aborted before that. */
  async #submit(change: TaskStateChange, signal: AbortSignal): Promise<boolean> {
    const { clock, cluster, ecs, log, random } = this.#deps;
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await this.#permits.use(() =>
          ecs.call("SubmitTaskStateChange", { cluster, ...change }, signal),
        );
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        const fields = { task: change.task, status: change.status, error: messageOf(error) };
        if (error instanceof ApiError && error.code === "InvalidParameterException") {
          log.error("the server does not want to know of a task", fields);
          return true;
        }
        if (failures === 1) log.warn("cannot report on a task yet", fields);
        await clock.sleep(backoffMs(SUBMIT_BACKOFF, failures, random), signal);
      }
    }
    return false;
  }
}
