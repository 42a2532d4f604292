/**
 * What one agent must be told, and has been: tasks to run and to stop, their credentials, and the answer to what it
 * asks about tasks it cannot place. Level-driven: every round compares the store with what has been told, so a lost
 * wake-up, a reconnect or a restart cannot lose a task.
 */

import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type {
  AgentMessage,
  ManifestTask,
  PayloadTask,
  RoleCredentials,
  ServerMessage,
} from "../../protocol/acs.ts";
import { updateRecord } from "../../store/commit.ts";
import { advance } from "../model/advance.ts";
import { clusterArn, instanceArn, parseArn, taskArn } from "../model/arn.ts";
import type { Instance } from "../model/instance.ts";
import { instanceKey, taskKey } from "../model/keys.ts";
import { requestStop } from "../model/request-stop.ts";
import { roleFault } from "../model/stop-reason.ts";
import { isReported, type Task, type UnconfirmedStop } from "../model/task.ts";
import { rankOf } from "../model/task-state.ts";
import { type PayloadSource, toPayloadTask, toStopPayload } from "../operations/payload.ts";
import type { DeliveryLedger } from "./delivery-ledger.ts";
import type { EcsDeps } from "./deps.ts";
import { FreshCredentials } from "./fresh-credentials.ts";
import { lastCredentials } from "./last-credentials.ts";
import { findPayloadSource } from "./payload-source.ts";
import { type RoleType, rolesOf, type SessionMinter } from "./task-credentials.ts";

/** Told but not acknowledged for so long: told again. */
const ACKNOWLEDGE_MS_MAX = 60_000;
/** Payloads on their way at once: an agent persists each before it acknowledges. */
const IN_FLIGHT_MAX = 32;
const STOP_CANDIDATES_MAX = 10_000;

export interface TaskDeliveryDeps extends EcsDeps {
  readonly minter: SessionMinter;
}

export interface TaskDeliveryOptions {
  /** The instance's key in the store. */
  readonly key: string;
  readonly instance: Instance;
  readonly ledger: DeliveryLedger;
  /** The agent's process is new: it has no credentials and may have forgotten tasks. */
  readonly isNewProcess: boolean;
  /** See {@link PayloadSource}. */
  readonly door?: string;
  /** Puts a message on the connection; without effect once that is closed. */
  readonly send: (message: ServerMessage) => void;
}

/** The agent's question about tasks that it runs and that the manifest does not list as running. */
export type StopVerification = Extract<
  AgentMessage,
  { type: "TaskStopVerificationMessage" }
>["message"];

interface InFlight {
  readonly taskKey: string;
  readonly desiredStatus: Task["desiredStatus"];
  readonly sentAt: number;
}

export class TaskDelivery {
  readonly #deps: TaskDeliveryDeps;
  readonly #log: Log;
  readonly #key: string;
  readonly #arns: { readonly clusterArn: string; readonly containerInstanceArn: string };
  readonly #ledger: DeliveryLedger;
  readonly #send: (message: ServerMessage) => void;
  readonly #door: string | undefined;
  /** By message id. */
  readonly #inFlight = new Map<string, InFlight>();
  /** By credentials id: sent on this connection and not acknowledged yet. */
  readonly #credentialsSentAt = new Map<string, number>();
  readonly #credentials: FreshCredentials;
  #manifest: { readonly messageId: string; readonly sentAt: number } | undefined;
  #isManifestTaken = false;
  readonly #isNewProcess: boolean;
  #owesLastCredentials = true;

  constructor(deps: TaskDeliveryDeps, options: TaskDeliveryOptions) {
    const { key, instance, ledger, isNewProcess, send, door } = options;
    this.#deps = deps;
    this.#log = deps.log.child(`acs ${instance.id}`);
    this.#key = key;
    this.#arns = {
      clusterArn: clusterArn(instance, instance.clusterName),
      containerInstanceArn: instanceArn(instance, instance.clusterName, instance.id),
    };
    this.#ledger = ledger;
    this.#credentials = new FreshCredentials({ ...deps, log: this.#log }, ledger);
    this.#send = send;
    this.#door = door;
    if (isNewProcess) ledger.forgetProcess({ keepsTasks: door !== undefined });
    this.#isNewProcess = isNewProcess;
  }

  /** Tells the agent all that it has not been told. Returns how many tasks could not be told: try again for them. */
  async round(): Promise<number> {
    const keys = this.#taskKeys();
    const stops = this.#unconfirmedStops();
    this.#forgetAllBut([...keys, ...stops.map(keyOfTask)]);
    this.#forgetUnanswered();
    await this.#sendLastCredentials();
    for (const key of keys) await this.#sendCredentials(key);
    for (const stop of stops) this.#deliverStop(stop);
    const failures = await this.#deliver(keys);
    await this.#recordStops(keys);
    this.#sendManifest();
    return failures;
  }

  /** True if the message was one of ours: there is room for the next. */
  acknowledge(messageId: string): boolean {
    if (messageId === this.#manifest?.messageId) {
      this.#isManifestTaken = true;
      this.#ledger.acknowledgeTimeline();
    }
    const entry = this.#inFlight.get(messageId);
    if (!entry) return false;
    this.#inFlight.delete(messageId);
    this.#ledger.acknowledge(entry.taskKey, entry.desiredStatus);
    return true;
  }

  acknowledgeCredentials(credentialsId: string, expiration: string): void {
    this.#credentialsSentAt.delete(credentialsId);
    this.#ledger.acknowledgeCredentials(credentialsId, expiration);
  }

  /** Answers which of its tasks the agent is to stop: those that the store does not want to run on its instance. */
  async answer(verification: StopVerification): Promise<void> {
    // A cache that is behind might not know a task that is to run: this is the one place where that would kill it.
    const { revision } = await this.#deps.store.list(this.#key);
    await this.#deps.cache.reached(revision);
    const stopTasks = verification.stopCandidates
      .slice(0, STOP_CANDIDATES_MAX)
      .filter((candidate) => this.#mustStop(candidate.taskArn))
      .map((candidate) => ({ ...candidate, desiredStatus: "STOPPED" as const }));
    this.#send({
      type: "TaskStopVerificationAck",
      message: {
        messageId: verification.messageId,
        generatedAt: this.#deps.clock.now(),
        stopTasks,
      },
    });
  }

  #mustStop(arn: string): boolean {
    const parsed = parseArn(arn);
    const [cluster, id] = parsed?.path ?? [];
    if (parsed?.type !== "task" || !cluster || !id) return false;
    const task = this.#task(taskKey(parsed, cluster, id));
    if (!task || task.desiredStatus === "STOPPED") return true;
    const { instance } = task.placement;
    return instanceKey(instance, instance.clusterName, instance.id) !== this.#key;
  }

  /** Tasks that the agent should know of, those to stop first: they make room for the others. */
  #taskKeys(): readonly string[] {
    return this.#deps.cache
      .lookup("liveTasksByInstance", this.#key)
      .filter(({ value }) => isAgents(value as Task))
      .toSorted((a, b) => priority(a.value as Task) - priority(b.value as Task))
      .map(({ key }) => key);
  }

  /** Tasks that ended in the books while the agent was away: it is asked for their end until it has said so. */
  #unconfirmedStops(): readonly UnconfirmedStop[] {
    return this.#deps.cache
      .lookup("unconfirmedStopsByInstance", this.#key)
      .map(({ value }) => value as UnconfirmedStop);
  }

  #deliverStop(stop: UnconfirmedStop): void {
    const key = keyOfTask(stop);
    if (this.#inFlight.size >= IN_FLIGHT_MAX || this.#isTold(key, "STOPPED")) return;
    this.#push(key, toStopPayload(stop));
  }

  /** The task as it is now, if it is still the agent's. */
  #task(key: string): Task | undefined {
    const task = this.#deps.cache.get(key)?.value as Task | undefined;
    return task && isAgents(task) ? task : undefined;
  }

  #forgetAllBut(keys: readonly string[]): void {
    const wanted = new Set(keys);
    this.#ledger.retain(wanted);
    for (const [messageId, entry] of this.#inFlight) {
      if (!wanted.has(entry.taskKey)) this.#inFlight.delete(messageId);
    }
  }

  #forgetUnanswered(): void {
    for (const [messageId, { sentAt }] of this.#inFlight) {
      if (this.#isOverdue(sentAt)) this.#inFlight.delete(messageId);
    }
    for (const [credentialsId, sentAt] of this.#credentialsSentAt) {
      if (this.#isOverdue(sentAt)) this.#credentialsSentAt.delete(credentialsId);
    }
  }

  /** What seems to have been sent long after now was sent before the clock was set back. */
  #isOverdue(sentAt: number): boolean {
    return Math.abs(this.#deps.clock.now() - sentAt) >= ACKNOWLEDGE_MS_MAX;
  }

  /** What the agent has last been told of a task, acknowledged or on its way. */
  #isTold(taskKey: string, desiredStatus: Task["desiredStatus"]): boolean {
    if (this.#ledger.acknowledgedStatus(taskKey) === desiredStatus) return true;
    return [...this.#inFlight.values()].some(
      (entry) => entry.taskKey === taskKey && entry.desiredStatus === desiredStatus,
    );
  }

  /**
   * AWS's agent writes a task that it is told of to its disk, over all that it knows of it: one that it has reported it is not
   * told again. Gantry's own compares.
   */
  #hasReported(task: Task): boolean {
    return this.#door !== undefined && task.desiredStatus !== "STOPPED" && isReported(task);
  }

  /** Returns how many tasks could not be told. One that cannot (its definition is gone) must not hold up the others. */
  async #deliver(keys: readonly string[]): Promise<number> {
    let failures = 0;
    for (const key of keys) {
      if (this.#inFlight.size >= IN_FLIGHT_MAX) break;
      const task = this.#task(key);
      if (!task || this.#isTold(key, task.desiredStatus) || this.#hasReported(task)) continue;
      try {
        await this.#sendPayload(key, task);
      } catch (error) {
        failures++;
        this.#log.error("a task cannot be sent", { task: task.id, error: messageOf(error) });
      }
    }
    return failures;
  }

  async #sendPayload(key: string, task: Task): Promise<void> {
    const source = findPayloadSource(this.#deps.cache, task);
    const roles = task.desiredStatus === "RUNNING" ? rolesOf(task) : [];
    const credentials: { [K in RoleType]?: RoleCredentials } = {};
    for (const role of roles) {
      const minted = await this.#credentials.of(key, task, role);
      if (minted !== undefined) credentials[role.roleType] = minted.credentials;
      // What runs already runs on; nothing starts in a role that it cannot have.
      else if (rankOf(task.lastStatus) < rankOf("RUNNING")) return this.#refuse(key, role.roleArn);
    }
    const { TaskApplication, TaskExecution } = credentials;
    const payload = toPayloadTask({
      ...source,
      ...(this.#door !== undefined && { door: this.#door }),
      ...(TaskApplication && { roleCredentials: TaskApplication }),
      ...(TaskExecution && { executionRoleCredentials: TaskExecution }),
    });
    this.#push(key, payload);
    for (const { credentialsId } of Object.values(credentials)) {
      this.#credentialsSentAt.set(credentialsId, this.#deps.clock.now());
    }
  }

  #push(taskKey: string, payload: PayloadTask): void {
    const now = this.#deps.clock.now();
    const messageId = this.#deps.random.uuid();
    this.#inFlight.set(messageId, { taskKey, desiredStatus: payload.desiredStatus, sentAt: now });
    this.#send({
      type: "PayloadMessage",
      message: {
        ...this.#arns,
        messageId,
        seqNum: this.#ledger.nextSeqNum(),
        generatedAt: now,
        // One task per message, so that an acknowledgement is about exactly one.
        tasks: [payload],
      },
    });
  }

  async #refuse(key: string, roleArn: string): Promise<void> {
    await updateRecord<Task>(this.#deps, key, (task) =>
      requestStop(task, {
        stopCode: "TaskFailedToStart",
        reason: roleFault(roleArn),
        now: this.#deps.clock.now(),
      }),
    );
  }

  /** For tasks the agent knows: what its process has not got, or what is about to expire. */
  async #sendCredentials(key: string): Promise<void> {
    const task = this.#task(key);
    if (!task || task.desiredStatus === "STOPPED") return;
    if (!isReported(task) && !this.#ledger.acknowledgedStatus(key)) return;
    for (const role of rolesOf(task)) {
      const minted = await this.#credentials.of(key, task, role);
      if (minted === undefined || this.#ledger.isHeld(key, role.roleType)) continue;
      const { credentials } = minted;
      if (this.#credentialsSentAt.has(credentials.credentialsId)) continue;
      this.#credentialsSentAt.set(credentials.credentialsId, this.#deps.clock.now());
      this.#send({
        type: "IAMRoleCredentialsMessage",
        message: {
          messageId: this.#deps.random.uuid(),
          ...manifestArns(task),
          roleType: role.roleType,
          roleCredentials: credentials,
        },
      });
    }
  }

  async #sendLastCredentials(): Promise<void> {
    if (!this.#owesLastCredentials) return;
    const messages = await lastCredentials(this.#deps, this.#key, {
      isNewProcess: this.#isNewProcess,
    });
    for (const message of messages) this.#send(message);
    this.#owesLastCredentials = false;
  }

  /** A task whose stop is on its way is STOPPING. */
  async #recordStops(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const task = this.#task(key);
      if (task?.desiredStatus !== "STOPPED" || task.lastStatus === "STOPPING") continue;
      if (!this.#isTold(key, "STOPPED")) continue;
      await updateRecord<Task>(this.#deps, key, (current) =>
        advance(current, { event: "stopSent" }, this.#deps.clock.now()),
      );
    }
  }

  /** Once per connection, until it is acknowledged: the agent asks about tasks that it has and that are not in it. */
  #sendManifest(): void {
    if (!this.#isManifestDue()) return;
    const now = this.#deps.clock.now();
    const tasks = this.#taskKeys().flatMap((key): ManifestTask[] => {
      const task = this.#task(key);
      return task ? [{ ...manifestArns(task), desiredStatus: task.desiredStatus }] : [];
    });
    const messageId = this.#deps.random.uuid();
    this.#manifest = { messageId, sentAt: now };
    this.#send({
      type: "TaskManifestMessage",
      message: {
        ...this.#arns,
        messageId,
        generatedAt: now,
        timeline: this.#ledger.nextTimeline(now),
        tasks,
      },
    });
  }

  #isManifestDue(): boolean {
    if (this.#manifest === undefined) return true;
    if (this.#isManifestTaken || !this.#isOverdue(this.#manifest.sentAt)) return false;
    return this.#ledger.raiseTimeline();
  }
}

function keyOfTask(task: Pick<Task, "accountId" | "region" | "clusterName" | "id">): string {
  return taskKey(task, task.clusterName, task.id);
}

/** True from the moment a task is ready for its agent until the agent has reported its end. */
function isAgents(task: Task): boolean {
  const rank = rankOf(task.lastStatus);
  return rank >= rankOf("PENDING") && rank <= rankOf("STOPPING");
}

function priority(task: Task): number {
  return task.desiredStatus === "STOPPED" ? 0 : 1;
}

function manifestArns(task: Task): { taskArn: string; taskClusterArn: string } {
  return {
    taskArn: taskArn(task, task.clusterName, task.id),
    taskClusterArn: clusterArn(task, task.clusterName),
  };
}
