import type { Call, Operations, Service } from "../door/service.ts";
import { ApiError, UnavailableError } from "../lib/errors.ts";
import type { LogsDeps } from "./deps.ts";
import { getLogEvents, putLogEvents } from "./events.ts";
import { createLogGroup, deleteLogGroup, describeLogGroups } from "./groups.ts";
import { parseGroupIdentifier, streamArn } from "./model.ts";
import { scopeOf } from "./records.ts";
import { deleteRetentionPolicy, putRetentionPolicy } from "./retention.ts";
import { createLogStream, deleteLogStream, describeLogStreams } from "./streams.ts";

type LogsOperations = Operations<typeof import("@aws-sdk/client-cloudwatch-logs")>;

/** CloudWatch Logs as the door serves it. */
export function logsService(deps: LogsDeps): Service {
  const operations = {
    CreateLogGroup: {
      support: "partial",
      missing: "kmsKeyId and the classes DELIVERY and ESSENTIALS are refused",
      action: "logs:CreateLogGroup",
      resources: groupResources,
      handle: answering(deps, createLogGroup),
    },
    DeleteLogGroup: {
      support: "full",
      action: "logs:DeleteLogGroup",
      resources: groupResources,
      handle: answering(deps, deleteLogGroup),
    },
    DescribeLogGroups: {
      support: "full",
      action: "logs:DescribeLogGroups",
      resources: (_input, call) => groupResources({}, call),
      handle: answering(deps, describeLogGroups),
    },
    PutRetentionPolicy: {
      support: "full",
      action: "logs:PutRetentionPolicy",
      resources: groupResources,
      handle: answering(deps, putRetentionPolicy),
    },
    DeleteRetentionPolicy: {
      support: "full",
      action: "logs:DeleteRetentionPolicy",
      resources: groupResources,
      handle: answering(deps, deleteRetentionPolicy),
    },
    CreateLogStream: {
      support: "full",
      action: "logs:CreateLogStream",
      resources: streamResources,
      handle: answering(deps, createLogStream),
    },
    DeleteLogStream: {
      support: "full",
      action: "logs:DeleteLogStream",
      resources: streamResources,
      handle: answering(deps, deleteLogStream),
    },
    DescribeLogStreams: {
      support: "full",
      action: "logs:DescribeLogStreams",
      resources: groupResources,
      handle: answering(deps, describeLogStreams),
    },
    PutLogEvents: {
      support: "partial",
      missing: "entity is answered with rejectedEntityInfo",
      action: "logs:PutLogEvents",
      resources: streamResources,
      handle: answering(deps, putLogEvents),
    },
    GetLogEvents: {
      support: "full",
      action: "logs:GetLogEvents",
      resources: streamResources,
      handle: answering(deps, getLogEvents),
    },
  } satisfies LogsOperations;
  return { name: "logs", operations };
}

interface Named {
  readonly logGroupName?: string | undefined;
  readonly logGroupIdentifier?: string | undefined;
  readonly logStreamName?: string | undefined;
}

/** As AWS names them in access-denied messages: `…:log-group:<name>:log-stream:`, so that `…:<name>:*` matches. */
function groupResources(input: Named, call: Call): readonly string[] {
  const { logGroupName, logGroupIdentifier = "" } = input;
  const scope = scopeOf(call);
  const name = logGroupName ?? parseGroupIdentifier(scope, logGroupIdentifier) ?? "";
  return [streamArn(scope, name, "")];
}

function streamResources(input: Named, call: Call): readonly string[] {
  return groupResources(input, call).map((arn) => `${arn}${input.logStreamName ?? ""}`);
}

/** Gives a handler its dependencies, and its failures to reach the disk AWS's name for them. */
function answering<Input, Output>(
  deps: LogsDeps,
  handle: (deps: LogsDeps, input: Input, call: Call) => Promise<Output>,
): (input: Input, call: Call) => Promise<Output> {
  return async (input, call) => {
    try {
      return await handle(deps, input, call);
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      deps.log.warn("cannot complete a request", { error: error.message });
      const message = "The service cannot complete the request.";
      throw new ApiError("ServiceUnavailableException", message, { status: 503, cause: error });
    }
  };
}
