import { ApiError, messageOf } from "../../lib/errors.ts";
import { type Answer, json } from "./answer.ts";
import type { EndpointTask } from "./hub.ts";

/** ECS agent: its own patience with the API. */
const CALL_MS_MAX = 4_000;

interface ProtectedTask {
  readonly taskArn?: string;
  readonly protectionEnabled?: boolean;
  /** Epoch seconds. */
  readonly expirationDate?: number;
}

interface ProtectionAnswer {
  readonly protectedTasks?: readonly ProtectedTask[];
  readonly failures?: readonly { arn?: string; reason?: string; detail?: string }[];
}

/** Reads or changes the scale-in protection of a container's own task, in the name of its role (`ecs-agent-protocol` §5.7). */
export async function answerTaskProtection(
  request: { readonly method: string; readonly body: string },
  task: EndpointTask | undefined,
): Promise<Answer> {
  if (task === undefined) {
    return failure(
      404,
      undefined,
      "ResourceNotFoundException",
      "no task has a container with this id",
    );
  }
  const change = request.method === "PUT" ? parseChange(request.body) : {};
  if (typeof change === "string")
    return failure(400, task.arn, "InvalidParameterException", change);
  const credentials = task.agent.taskCredentials(task.arn);
  if (credentials === undefined) {
    const message =
      "the task has no credentials of a task role to change or read its protection with";
    return failure(403, task.arn, "AccessDeniedException", message);
  }
  const operation = request.method === "PUT" ? "UpdateTaskProtection" : "GetTaskProtection";
  const input = { cluster: task.record.task.taskClusterArn, tasks: [task.arn], ...change };
  try {
    const signal = AbortSignal.timeout(CALL_MS_MAX);
    const ecs = task.agent.ecsAs(credentials);
    return present(task.arn, (await ecs.call(operation, input, signal)) as ProtectionAnswer);
  } catch (error) {
    if (error instanceof ApiError) {
      return failure(error.status ?? 400, task.arn, error.code, error.message);
    }
    if (error instanceof DOMException && error.name === "TimeoutError") {
      return failure(504, task.arn, "RequestCanceled", "the API did not answer in time");
    }
    return failure(500, task.arn, "ServerException", messageOf(error));
  }
}

/** Members of a change, by their names in small letters. */
const MEMBERS = new Map(
  ["ProtectionEnabled", "ExpiresInMinutes"].map((name) => [name.toLowerCase(), name]),
);

/** The API's input, or what is wrong with the body. */
function parseChange(
  body: string,
): { readonly protectionEnabled: boolean; readonly expiresInMinutes?: number } | string {
  let given: unknown;
  try {
    given = JSON.parse(body);
  } catch {
    return "the body is not JSON";
  }
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return "the body is not a JSON object";
  }
  const unknown = Object.keys(given).find((name) => !MEMBERS.has(name.toLowerCase()));
  if (unknown !== undefined) return `the body has an unknown member ${unknown}`;
  // Go's decoder, which the ECS agent reads it with, makes no difference between cases.
  const members = Object.entries(given).map(([name, value]) => [
    MEMBERS.get(name.toLowerCase()),
    value,
  ]);
  const { ProtectionEnabled, ExpiresInMinutes } = Object.fromEntries(members) as Record<
    string,
    unknown
  >;
  if (typeof ProtectionEnabled !== "boolean") return "ProtectionEnabled must be true or false";
  if (ExpiresInMinutes === undefined || ExpiresInMinutes === null) {
    return { protectionEnabled: ProtectionEnabled };
  }
  if (!Number.isSafeInteger(ExpiresInMinutes)) return "ExpiresInMinutes must be a whole number";
  return { protectionEnabled: ProtectionEnabled, expiresInMinutes: Number(ExpiresInMinutes) };
}

function present(
  taskArn: string,
  { protectedTasks = [], failures = [] }: ProtectionAnswer,
): Answer {
  const [failed] = failures;
  if (failed !== undefined) {
    const { arn = taskArn, reason, detail } = failed;
    return json(200, { failure: { Arn: arn, Reason: reason, Detail: detail || undefined } });
  }
  const [task] = protectedTasks;
  if (task === undefined) {
    return failure(500, taskArn, "ServerException", "the API answered neither task nor failure");
  }
  const { expirationDate } = task;
  return json(200, {
    protection: {
      ExpirationDate:
        expirationDate === undefined
          ? undefined
          : new Date(expirationDate * 1000).toISOString().replace(/\.\d+Z$/, "Z"),
      ProtectionEnabled: task.protectionEnabled === true,
      TaskArn: task.taskArn ?? taskArn,
    },
  });
}

function failure(status: number, arn: string | undefined, code: string, message: string): Answer {
  return json(status, { error: { Arn: arn, Code: code, Message: message } });
}
