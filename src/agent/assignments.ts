/**
 * The tasks this machine was given. Everything is in the journal before anybody acts on it or acknowledges it, so that
 * what the server believes us to have is never less than what we have.
 */
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type {
  ManifestTask,
  PayloadMessage,
  PayloadTask,
  RoleCredentials,
} from "../protocol/acs.ts";
import { findFargateViolation } from "./fargate-rules.ts";
import type { Journal } from "./journal.ts";
import { type ParsedTask, parseTask } from "./payload.ts";
import type { RoleCredentialsCache } from "./role-credentials.ts";
import { TaskEntry } from "./task-entry.ts";
import { type AssignedTask, newRecord, type TaskRecord, withContainer } from "./task-record.ts";
import { findUnsupported } from "./unsupported.ts";

/**
 * A payload can be delivered again as long as a connection of its time lives: 35 minutes. Until then we know its tasks, and the
 * last of them for longer: a server may be put back to last night's backup.
 */
const REMEMBER_ENDED_MS = 3_600_000;
const REMEMBER_ENDED_COUNT = 1_000;
/** Such a task cannot even be reported on: its id names directories. */
const TASK_ARN = /\/[A-Za-z0-9-]{1,64}$/;

export interface AssignmentsDeps {
  readonly journal: Journal;
  readonly roleCredentials: RoleCredentialsCache;
  readonly clock: Clock;
  readonly log: Log;
  /** Called once for each task, when it is durable. */
  readonly start: (entry: TaskEntry) => void;
  /** Called when something has become known of a task. */
  readonly onChange: () => void;
}

export class Assignments {
  readonly #deps: AssignmentsDeps;
  readonly #entries = new Map<string, TaskEntry>();

  constructor(deps: AssignmentsDeps) {
    this.#deps = deps;
  }

  get(arn: string): TaskEntry | undefined {
    return this.#entries.get(arn);
  }

  list(): readonly TaskEntry[] {
    return [...this.#entries.values()];
  }

  /** Takes up a record that is in the journal already. */
  resume(record: TaskRecord): TaskEntry {
    const entry = new TaskEntry(this.#deps.journal, record, this.#deps.onChange);
    this.#entries.set(record.task.arn, entry);
    return entry;
  }

  /**
   * Takes what a payload says into the journal: stops first, as the ECS agent does. Returns whether all of it may be
   * acknowledged, and the credentials that came with it.
   */
  receive(payload: PayloadMessage): {
    readonly accepted: boolean;
    readonly credentials: readonly RoleCredentials[];
  } {
    const tasks = (payload.tasks ?? []).toSorted(
      (a, b) => Number(b.desiredStatus === "STOPPED") - Number(a.desiredStatus === "STOPPED"),
    );
    const credentials: RoleCredentials[] = [];
    const fresh = new Map<string, TaskRecord>();
    let accepted = true;
    this.#deps.journal.transaction(() => {
      for (const task of tasks) {
        const parsed = parseTask(task);
        accepted &&= parsed.ok && TASK_ARN.test(task.arn);
        if (parsed.ok) credentials.push(...this.#keepCredentials(parsed));
        this.#take(task, parsed, fresh);
      }
      this.#deps.journal.putSequenceNumber(payload.seqNum);
    });
    for (const record of fresh.values()) this.#deps.start(this.resume(record));
    return { accepted, credentials };
  }

  /** Journals that these tasks shall stop. Unknown ones are left out. */
  requestStop(arns: readonly string[]): void {
    for (const arn of arns) this.#entries.get(arn)?.update(stopping);
  }

  /** The tasks that run here and are not, or not any more, meant to by the server's list. */
  notIn(manifest: readonly ManifestTask[]): readonly TaskEntry[] {
    const wanted = new Set(
      manifest.filter((task) => task.desiredStatus !== "STOPPED").map((task) => task.taskArn),
    );
    return this.list().filter(
      ({ arn, record }) => record.desiredStatus === "RUNNING" && !wanted.has(arn),
    );
  }

  /** Drops a task whose end has been reported and of which nothing is left on this machine. */
  forget(entry: TaskEntry): void {
    const { clock, journal, roleCredentials } = this.#deps;
    journal.forgetTask(entry.arn, clock.now());
    journal.dropEnded(clock.now() - REMEMBER_ENDED_MS, REMEMBER_ENDED_COUNT);
    this.#entries.delete(entry.arn);
    roleCredentials.delete(entry.arn);
  }

  /** Journals one task of a payload; one that is new here goes into `fresh`. */
  #take(task: PayloadTask, parsed: ParsedTask, fresh: Map<string, TaskRecord>): void {
    const { journal, log } = this.#deps;
    if (!TASK_ARN.test(task.arn ?? "")) {
      log.error("a payload names a task by no ARN", { arn: String(task.arn) });
      return;
    }
    const known = this.#entries.get(task.arn);
    if (known !== undefined) {
      if (task.desiredStatus === "STOPPED") known.update(stopping);
      return;
    }
    const record = journal.hasEnded(task.arn)
      ? endedBefore(task)
      : recordOf(task, parsed, this.#deps.clock.now());
    journal.putTask(record);
    fresh.set(task.arn, record);
  }

  #keepCredentials(parsed: ParsedTask & { readonly ok: true }): readonly RoleCredentials[] {
    const { task, roleCredentials, executionRoleCredentials } = parsed;
    const cache = this.#deps.roleCredentials;
    if (roleCredentials !== undefined) cache.put(task.arn, "TaskApplication", roleCredentials);
    if (executionRoleCredentials !== undefined) {
      cache.put(task.arn, "TaskExecution", executionRoleCredentials);
    }
    return [roleCredentials, executionRoleCredentials].filter((kept) => kept !== undefined);
  }
}

/** A task that cannot run here gets a record too: it carries the reason to the server, and through a crash. */
function recordOf(task: PayloadTask, parsed: ParsedTask, now: number): TaskRecord {
  if (!parsed.ok) {
    const failure = `UnrecogniedTaskError: Error loading task - ${parsed.error}`;
    return { ...newRecord(withoutContainers(task)), failure };
  }
  if (task.desiredStatus === "STOPPED") return newRecord(withoutContainers(task));
  const record = newRecord(parsed.task, parsed.roleCredentials?.credentialsId);
  const violation = findFargateViolation(parsed.task);
  const refused = violation ?? findUnsupported(parsed.task);
  if (refused === undefined) return record;
  const { container, feature } = refused;
  const why = violation === undefined ? NOT_YET : NOT_ON_FARGATE;
  if (container === undefined) {
    return { ...record, failure: `ResourceInitializationError: ${feature} ${why}` };
  }
  const reason = `CannotCreateContainerError: ${feature} ${why}`;
  const failed = withContainer(
    record,
    container,
    { status: "STOPPED", stoppedAt: now, reason },
    now,
  );
  return { ...failed, failure: reason };
}

/**
 * It has ended here, and the server that was told knew that: who asks for it again is behind (a payload that was under way, a
 * server that was put back to an older state) and is told once more.
 */
function endedBefore(task: PayloadTask): TaskRecord {
  return { ...newRecord(withoutContainers(task)), failure: ENDED_BEFORE };
}

const ENDED_BEFORE =
  "InternalError: the task has ended before, and its machine no longer tells how";
const NOT_YET = "is not supported by this agent yet";
const NOT_ON_FARGATE = "is not available to tasks of launch type FARGATE";

function withoutContainers(task: PayloadTask): AssignedTask {
  return {
    arn: task.arn,
    taskClusterArn: task.taskClusterArn,
    family: task.family,
    version: task.version,
    desiredStatus: "STOPPED",
    overrides: "{}",
    containers: [],
    volumes: [],
  };
}

function stopping(record: TaskRecord): TaskRecord {
  return record.desiredStatus === "STOPPED" ? record : { ...record, desiredStatus: "STOPPED" };
}
