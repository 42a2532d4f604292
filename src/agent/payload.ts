import { messageOf } from "../lib/errors.ts";
import type {
  PayloadContainer,
  PayloadTask,
  RoleCredentials,
  ServerMessage,
} from "../protocol/acs.ts";
import { dependenciesOf } from "./dependencies.ts";
import { decodeDockerSettings } from "./docker-settings.ts";
import type { AssignedTask } from "./task-record.ts";
import { volumeOf } from "./volumes.ts";

/** The members without which a message is dropped, by type. Source: the ECS agent. */
const REQUIRED: Readonly<Record<ServerMessage["type"], readonly string[]>> = {
  HeartbeatMessage: ["messageId"],
  PayloadMessage: ["messageId", "clusterArn", "containerInstanceArn"],
  IAMRoleCredentialsMessage: ["messageId", "taskArn", "roleCredentials"],
  TaskManifestMessage: ["messageId", "clusterArn", "containerInstanceArn", "timeline"],
  TaskStopVerificationAck: ["messageId"],
};

/** One frame of the ACS websocket, or why it is dropped. */
export function parseServerMessage(text: string): ServerMessage | { readonly dropped: string } {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return { dropped: "not JSON" };
  }
  if (!isObject(frame) || !isObject(frame.message)) return { dropped: "no message" };
  const type = String(frame.type);
  if (!Object.hasOwn(REQUIRED, type)) return { dropped: `unknown type ${type}` };
  const message = frame.message;
  const missing = REQUIRED[type as ServerMessage["type"]].find((name) => message[name] == null);
  if (missing !== undefined) return { dropped: `${type} without ${missing}` };
  return frame as unknown as ServerMessage;
}

/** A task of a payload, taken apart; or what is wrong with it. */
export type ParsedTask =
  | {
      readonly ok: true;
      readonly task: AssignedTask;
      readonly roleCredentials: RoleCredentials | undefined;
      readonly executionRoleCredentials: RoleCredentials | undefined;
    }
  | { readonly ok: false; readonly error: string };

/** Checks what the agent relies on, and parts the credentials from what may be written down. */
export function parseTask(payload: PayloadTask): ParsedTask {
  const { roleCredentials, executionRoleCredentials, ...rest } = payload;
  const task: AssignedTask = {
    ...rest,
    containers: rest.containers ?? [],
    volumes: rest.volumes ?? [],
  };
  const error = task.desiredStatus === "STOPPED" ? undefined : problemOf(task);
  if (error !== undefined) return { ok: false, error };
  return {
    ok: true,
    task,
    roleCredentials: roleCredentials ?? undefined,
    executionRoleCredentials: executionRoleCredentials ?? undefined,
  };
}

function problemOf(task: AssignedTask): string | undefined {
  if (task.desiredStatus !== "RUNNING") return `unknown desired status ${task.desiredStatus}`;
  if (task.containers.length === 0) return "the task has no containers";
  const gib = task.ephemeralStorage?.sizeInGiB ?? 1;
  if (!(Number.isInteger(gib) && gib > 0)) return `ephemeral storage of ${gib} GiB`;
  const names = new Set<string>();
  for (const container of task.containers) {
    const error = containerProblem(container) ?? volumeProblem(task, container);
    if (error !== undefined) return error;
    if (names.has(container.name)) return `two containers are named ${container.name}`;
    names.add(container.name);
  }
  return dependencyProblem(task);
}

function containerProblem(container: PayloadContainer): string | undefined {
  const { name, image } = container;
  if (typeof name !== "string" || name === "") return "a container has no name";
  if (typeof image !== "string" || image === "") return `container ${name} has no image`;
  try {
    decodeDockerSettings(container.dockerConfig);
    const overrides: unknown = JSON.parse(container.overrides || "{}");
    const key = Object.keys(overrides ?? {}).find((other) => other !== "command");
    return key === undefined ? undefined : `container ${name} has unknown override ${key}`;
  } catch (error) {
    return `container ${name}: ${messageOf(error)}`;
  }
}

function volumeProblem(task: AssignedTask, container: PayloadContainer): string | undefined {
  const mounts = container.mountPoints ?? [];
  const unknown = mounts.find(({ sourceVolume }) => volumeOf(task, sourceVolume) === undefined);
  if (unknown !== undefined) {
    return `container ${container.name} mounts unknown volume ${unknown.sourceVolume}`;
  }
  const odd = mounts.find(({ containerPath }) => !/^\/+[^/]/.test(containerPath ?? ""));
  return (
    odd &&
    `container ${container.name} mounts volume ${odd.sourceVolume} at ${JSON.stringify(odd.containerPath)}, which is no absolute path below /`
  );
}

/** Every dependency exists, and none leads back to itself: else the task could neither start nor stop. */
function dependencyProblem(task: AssignedTask): string | undefined {
  const on = new Map(
    task.containers.map((container) => [
      container.name,
      dependenciesOf(container).map(({ containerName }) => containerName),
    ]),
  );
  for (const [name, names] of on) {
    const unknown = names.find((other) => !on.has(other));
    if (unknown !== undefined) return `container ${name} depends on unknown container ${unknown}`;
  }
  const settled = new Set<string>();
  for (let before = -1; before !== settled.size; ) {
    before = settled.size;
    for (const [name, names] of on)
      if (names.every((other) => settled.has(other))) settled.add(name);
  }
  return settled.size === on.size ? undefined : "the containers' dependencies form a cycle";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
