import type { Call, Operation, Operations, Service, Support } from "../door/service.ts";
import { ApiError, UnavailableError } from "../lib/errors.ts";
import { Permits } from "../lib/turns.ts";
import { NoSpaceError } from "../telemetry/log-store.ts";
import { type Tagged, tagConditions } from "./access-rules.ts";
import type { LogsDeps, LogsServiceDeps } from "./deps.ts";
import { getLogEvents, putLogEvents } from "./events.ts";
import { filterLogEvents } from "./filter-events.ts";
import { GroupSizes } from "./group-sizes.ts";
import {
  createLogGroup,
  deleteLogGroup,
  describeLogGroups,
  putLogGroupDeletionProtection,
} from "./groups.ts";
import { startLiveTail } from "./live-tail.ts";
import { LiveTails } from "./live-tails.ts";
import { groupArn, parseGroupIdentifier, streamArn } from "./model.ts";
import { scopeOf } from "./records.ts";
import { deleteRetentionPolicy, putRetentionPolicy } from "./retention.ts";
import { createLogStream, deleteLogStream, describeLogStreams } from "./streams.ts";
import {
  listTagsForResource,
  listTagsLogGroup,
  tagLogGroup,
  tagResource,
  untagLogGroup,
  untagResource,
} from "./tags.ts";
import { testMetricFilter } from "./try-pattern.ts";

type LogsOperations = Operations<typeof import("@aws-sdk/client-cloudwatch-logs")>;

/** Chosen: each scan holds some megabytes and, while it runs, uses all the time that others leave. */
const SCANS_MAX = 4;

const FULL: Support = { support: "full" };

/** CloudWatch Logs as the door serves it. */
export function logsService(shared: LogsDeps): Service {
  const deps = {
    ...shared,
    sizes: new GroupSizes(shared),
    tails: new LiveTails(),
    scans: new Permits(SCANS_MAX),
  };
  return { name: "logs", operations: { ...groupOperations(deps), ...eventOperations(deps) } };
}

/** What is done to groups and streams as such. */
function groupOperations(deps: LogsServiceDeps): LogsOperations {
  const onGroup = row(deps, groupResources);
  const onStream = row(deps, streamResources);
  const onTagged = row(deps, taggedResources);
  return {
    CreateLogGroup: onGroup("CreateLogGroup", createLogGroup, {
      support: "partial",
      missing: "kmsKeyId and the classes DELIVERY and ESSENTIALS are refused",
    }),
    DeleteLogGroup: onGroup("DeleteLogGroup", deleteLogGroup),
    DescribeLogGroups: row(deps, (_input, call) => groupResources({}, call))(
      "DescribeLogGroups",
      describeLogGroups,
    ),
    PutLogGroupDeletionProtection: onGroup(
      "PutLogGroupDeletionProtection",
      putLogGroupDeletionProtection,
    ),
    PutRetentionPolicy: onGroup("PutRetentionPolicy", putRetentionPolicy),
    DeleteRetentionPolicy: onGroup("DeleteRetentionPolicy", deleteRetentionPolicy),
    CreateLogStream: onStream("CreateLogStream", createLogStream),
    DeleteLogStream: onStream("DeleteLogStream", deleteLogStream),
    DescribeLogStreams: onGroup("DescribeLogStreams", describeLogStreams),
    TagResource: onTagged("TagResource", tagResource),
    UntagResource: onTagged("UntagResource", untagResource),
    ListTagsForResource: onTagged("ListTagsForResource", listTagsForResource),
    TagLogGroup: onTagged("TagLogGroup", tagLogGroup),
    UntagLogGroup: onTagged("UntagLogGroup", untagLogGroup),
    ListTagsLogGroup: onTagged("ListTagsLogGroup", listTagsLogGroup),
  };
}

function eventOperations(deps: LogsServiceDeps): LogsOperations {
  const onGroup = row(deps, groupResources);
  const onStream = row(deps, streamResources);
  return {
    PutLogEvents: onStream("PutLogEvents", putLogEvents, {
      support: "partial",
      missing: "entity is answered with rejectedEntityInfo",
    }),
    GetLogEvents: onStream("GetLogEvents", getLogEvents),
    FilterLogEvents: onGroup("FilterLogEvents", filterLogEvents),
    StartLiveTail: row(deps, tailedResources)("StartLiveTail", startLiveTail),
    TestMetricFilter: row(deps, () => ["*"])("TestMetricFilter", testMetricFilter),
  };
}

/** Makes rows whose actions are about the ARNs that `resources` gives. */
function row<Named>(
  deps: LogsServiceDeps,
  resources: (input: Named, call: Call) => readonly string[],
): <Input extends Named, Output>(
  name: string,
  handle: (deps: LogsServiceDeps, input: Input, call: Call) => Promise<Output>,
  support?: Support,
) => Operation<Input, Output> {
  return (name, handle, support = FULL) => ({
    ...support,
    action: `logs:${name}`,
    resources,
    conditions: (input, call) => tagConditions(deps, input as Tagged, call),
    handle: answering(deps, handle),
  });
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

/** Tags hang on the group itself. */
function taggedResources(
  {
    resourceArn,
    logGroupName,
  }: { readonly resourceArn?: string | undefined; readonly logGroupName?: string | undefined },
  call: Call,
): readonly string[] {
  return [resourceArn ?? groupArn(scopeOf(call), logGroupName ?? "")];
}

function tailedResources(
  { logGroupIdentifiers = [] }: { logGroupIdentifiers?: readonly string[] | undefined },
  call: Call,
): readonly string[] {
  return logGroupIdentifiers.flatMap((logGroupIdentifier) =>
    groupResources({ logGroupIdentifier }, call),
  );
}

/** Gives a handler its dependencies, and its failures to reach the disk AWS's name for them. */
function answering<Input, Output>(
  deps: LogsServiceDeps,
  handle: (deps: LogsServiceDeps, input: Input, call: Call) => Promise<Output>,
): (input: Input, call: Call) => Promise<Output> {
  return async (input, call) => {
    try {
      return await handle(deps, input, call);
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      deps.log.warn("cannot complete a request", { error: error.message });
      const why = error instanceof NoSpaceError ? ` Reason: ${error.message}.` : "";
      const message = `The service cannot complete the request.${why}`;
      throw new ApiError("ServiceUnavailableException", message, { status: 503, cause: error });
    }
  };
}
