/**
 * The telemetry of this server's agents: what they publish goes into memory (metrics, the state of machines) or into the tasks
 * (health). Each instance has one connection, the newest, and speaks only of tasks that were placed on it.
 */
import type { MessageSocket } from "../../lib/message-socket.ts";
import type { TelemetryMessage } from "../../protocol/tcs.ts";
import type { CacheChange } from "../../store/cache.ts";
import type { StoreRecord } from "../../store/store.ts";
import { parseArn } from "../model/arn.ts";
import type { Instance } from "../model/instance.ts";
import { ecsKind, instanceKey, taskKey } from "../model/keys.ts";
import type { Task } from "../model/task.ts";
import type { EcsDeps } from "./deps.ts";
import { TaskHealthWriter } from "./task-health.ts";
import { TcsSession } from "./tcs-session.ts";

export class TelemetryIntake {
  readonly #deps: EcsDeps;
  readonly #writer: TaskHealthWriter;
  /** By instance key. */
  readonly #sessions = new Map<string, TcsSession>();

  constructor(deps: EcsDeps) {
    this.#deps = deps;
    this.#writer = new TaskHealthWriter(deps);
  }

  /** Writes the health of tasks until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#writer.run(signal);
  }

  /** Serves a connection of the instance until it ends; an older one of the same instance ends now. */
  async serve(
    { key, instance, socket }: { key: string; instance: Instance; socket: MessageSocket },
    signal: AbortSignal,
  ): Promise<void> {
    this.#sessions.get(key)?.close(1000, "a newer connection took its place");
    const { clock } = this.#deps;
    const take = (message: TelemetryMessage): void => this.#take(key, message);
    const session = new TcsSession({ clock, socket, instance, take });
    this.#sessions.set(key, session);
    await session.run(signal);
    if (this.#sessions.get(key) === session) this.#sessions.delete(key);
  }

  /** Forgets what has ended. */
  notice({ key, after }: CacheChange): void {
    const kind = ecsKind(key);
    if (kind === "tasks" && hasEnded(after)) this.#deps.telemetry.containers.forget(key);
    if (kind === "instances" && isGone(after)) {
      this.#deps.telemetry.instances.forget(key);
      this.#sessions.get(key)?.close(1000, "the container instance is deregistered");
    }
  }

  #take(key: string, { type, message }: TelemetryMessage): void {
    const { clock, telemetry } = this.#deps;
    switch (type) {
      case "PublishMetricsRequest":
        for (const { taskArn, containerMetrics } of message.taskMetrics ?? []) {
          const task = this.#taskOf(key, taskArn);
          if (task === undefined) continue;
          const names = new Set(task.containers.map(({ name }) => name));
          for (const metrics of containerMetrics) {
            if (!names.has(metrics.containerName)) continue;
            telemetry.containers.record(keyOf(task), metrics, clock.now());
          }
        }
        return;
      case "PublishHealthRequest":
        for (const { taskArn, containers } of message.tasks) {
          const task = this.#taskOf(key, taskArn);
          if (task === undefined) continue;
          const reports = containers.map(({ containerName, healthStatus }) => ({
            name: containerName,
            status: healthStatus,
          }));
          this.#writer.note(keyOf(task), reports);
        }
        return;
      case "PublishInstanceStatusRequest":
        telemetry.instances.record(key, message.statuses);
        return;
    }
  }

  /** The task, if it was placed on the instance and has not ended. */
  #taskOf(key: string, arn: string): Task | undefined {
    const parsed = parseArn(arn);
    const [cluster, id] = parsed?.path ?? [];
    if (parsed?.type !== "task" || !cluster || !id) return undefined;
    const task = this.#deps.cache.get(taskKey(parsed, cluster, id))?.value as Task | undefined;
    if (task === undefined || task.lastStatus === "STOPPED") return undefined;
    const { instance } = task.placement;
    return instanceKey(instance, instance.clusterName, instance.id) === key ? task : undefined;
  }
}

function keyOf(task: Task): string {
  return taskKey(task, task.clusterName, task.id);
}

/** Read without parsing the rest. */
function hasEnded(after: StoreRecord | undefined): boolean {
  return after === undefined || after.members(["lastStatus"]).lastStatus === "STOPPED";
}

function isGone(after: StoreRecord | undefined): boolean {
  return after === undefined || after.members(["status"]).status === "INACTIVE";
}
