import type { Log } from "../lib/log.ts";
import type {
  AgentMessage,
  IamRoleCredentialsMessage,
  PayloadMessage,
  ServerMessage,
  TaskManifestMessage,
} from "../protocol/acs.ts";
import type { Assignments } from "./assignments.ts";
import type { Journal } from "./journal.ts";
import { parseServerMessage } from "./payload.ts";
import type { RoleCredentialsCache } from "./role-credentials.ts";

export interface AcsHandlerDeps {
  readonly assignments: Assignments;
  readonly journal: Journal;
  readonly roleCredentials: RoleCredentialsCache;
  readonly log: Log;
}

/**
 * Does what one frame of the ACS websocket says and returns the answers, in order. Synchronous: what an answer acknowledges
 * is durable when this returns.
 */
export function handleFrame(deps: AcsHandlerDeps, text: string): readonly AgentMessage[] {
  const parsed = parseServerMessage(text);
  if (!("dropped" in parsed)) return handleMessage(deps, parsed);
  deps.log.debug("dropped a message", { reason: parsed.dropped });
  return [];
}

function handleMessage(deps: AcsHandlerDeps, frame: ServerMessage): readonly AgentMessage[] {
  switch (frame.type) {
    case "HeartbeatMessage":
      return [{ type: "HeartbeatAckRequest", message: { messageId: frame.message.messageId } }];
    case "PayloadMessage":
      return onPayload(deps, frame.message);
    case "IAMRoleCredentialsMessage":
      return onCredentials(deps, frame.message);
    case "TaskManifestMessage":
      return onManifest(deps, frame.message);
    case "TaskStopVerificationAck":
      deps.assignments.requestStop((frame.message.stopTasks ?? []).map((task) => task.taskArn));
      return [];
  }
}

function onPayload(deps: AcsHandlerDeps, payload: PayloadMessage): readonly AgentMessage[] {
  const { messageId } = payload;
  const { accepted, credentials } = deps.assignments.receive(payload);
  const answers: AgentMessage[] = credentials.map(({ credentialsId, expiration }) => ({
    type: "IAMRoleCredentialsAckRequest",
    message: { messageId, credentialsId, expiration },
  }));
  // A task that was refused is answered by its STOPPED instead: the message as a whole is not acknowledged.
  if (accepted) answers.push(acknowledge(payload));
  return answers;
}

function onCredentials(
  { assignments, roleCredentials, log }: AcsHandlerDeps,
  message: IamRoleCredentialsMessage,
): readonly AgentMessage[] {
  if (assignments.get(message.taskArn) === undefined) {
    log.debug("credentials for a task that is not here", { task: message.taskArn });
    return [];
  }
  roleCredentials.put(message.taskArn, message.roleType, message.roleCredentials);
  const { credentialsId, expiration } = message.roleCredentials;
  const { messageId } = message;
  return [
    { type: "IAMRoleCredentialsAckRequest", message: { messageId, credentialsId, expiration } },
  ];
}

/** An old list is not acknowledged: it would stop tasks that came after it. */
function onManifest(
  { assignments, journal }: AcsHandlerDeps,
  manifest: TaskManifestMessage,
): readonly AgentMessage[] {
  if (manifest.timeline <= journal.sequenceNumber()) return [];
  journal.putSequenceNumber(manifest.timeline);
  const stopCandidates = assignments.notIn(manifest.tasks ?? []).map(({ record }) => ({
    taskArn: record.task.arn,
    taskClusterArn: record.task.taskClusterArn,
    desiredStatus: "STOPPED" as const,
  }));
  const { messageId } = manifest;
  return stopCandidates.length === 0
    ? [acknowledge(manifest)]
    : [
        acknowledge(manifest),
        { type: "TaskStopVerificationMessage", message: { messageId, stopCandidates } },
      ];
}

function acknowledge(message: {
  readonly clusterArn: string;
  readonly containerInstanceArn: string;
  readonly messageId: string;
}): AgentMessage {
  const { clusterArn: cluster, containerInstanceArn: containerInstance, messageId } = message;
  return { type: "AckRequest", message: { cluster, containerInstance, messageId } };
}
