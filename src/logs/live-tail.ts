import type {
  StartLiveTailRequest,
  StartLiveTailResponse,
  StartLiveTailResponseStream,
} from "@aws-sdk/client-cloudwatch-logs";
import type { Call } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import type { LogsServiceDeps } from "./deps.ts";
import { parseFilterPattern } from "./filter-pattern/filter-pattern.ts";
import { TailSession } from "./live-tails.ts";
import { parseGroupIdentifier } from "./model.ts";
import { getGroup, scopeOf } from "./records.ts";
import {
  checkFilterPattern,
  checkGroupName,
  checkStreamName,
  constraintViolation,
  invalidParameter,
} from "./validate.ts";

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartLiveTail.html */
const GROUPS_MAX = 10;
const STREAMS_MAX = 10;
const SESSION_MS_MAX: number = 3 * 60 * 60 * 1000;
const UPDATE_INTERVAL_MS = 1_000;

type TailUpdate = StartLiveTailResponseStream;

/**
 * Sends the events of groups as they come in, once a second. Throws InvalidParameterException, ResourceNotFoundException,
 * LimitExceededException; the stream ends with SessionTimeoutException.
 */
export async function startLiveTail(
  deps: LogsServiceDeps,
  input: StartLiveTailRequest,
  call: Call,
): Promise<StartLiveTailResponse> {
  const { accountId } = call.principal;
  const session = new TailSession(
    {
      accountId,
      groupIds: new Set(groupsOf(deps, input, call)),
      hasStream: streamFilter(input),
      pattern: parseFilterPattern(
        checkFilterPattern(input.logEventFilterPattern, "logEventFilterPattern"),
      ),
    },
    deps.random,
  );
  const open = deps.tails.open(session);
  // A reader may be gone before it has read anything.
  call.signal.addEventListener("abort", () => open[Symbol.dispose](), { once: true });
  if (call.signal.aborted) open[Symbol.dispose]();
  return { responseStream: updates(deps, { session, open }, input, call) };
}

async function* updates(
  { clock, random }: LogsServiceDeps,
  { session, open }: { readonly session: TailSession; readonly open: Disposable },
  input: StartLiveTailRequest,
  { requestId, signal }: Call,
): AsyncGenerator<TailUpdate> {
  using _open = open;
  yield { sessionStart: { ...input, requestId, sessionId: random.uuid() } };
  const endsAt = clock.now() + SESSION_MS_MAX;
  while (clock.now() < endsAt) {
    await clock.sleep(UPDATE_INTERVAL_MS, signal);
    if (signal.aborted) return;
    const { events, sampled } = session.take();
    yield { sessionUpdate: { sessionMetadata: { sampled }, sessionResults: events } };
  }
  const message = "Your Live Tail session has timed out after 3 hours. Start a new session.";
  throw new ApiError("SessionTimeoutException", message);
}

/** The ids of the groups that are asked for. */
function groupsOf(
  deps: LogsServiceDeps,
  { logGroupIdentifiers = [] }: StartLiveTailRequest,
  call: Call,
): readonly string[] {
  if (logGroupIdentifiers.length === 0 || logGroupIdentifiers.length > GROUPS_MAX) {
    const rule =
      logGroupIdentifiers.length === 0
        ? "Member must have length greater than or equal to 1"
        : `Member must have length less than or equal to ${GROUPS_MAX}`;
    throw constraintViolation("[…]", "logGroupIdentifiers", rule);
  }
  const scope = scopeOf(call);
  return logGroupIdentifiers.map((identifier) => {
    if (!identifier.startsWith("arn:") || identifier.endsWith("*")) {
      throw invalidParameter(
        `Log group identifier ${identifier} must be the ARN of a log group, without an asterisk at its end.`,
      );
    }
    const name = parseGroupIdentifier(scope, identifier) ?? "";
    return getGroup(deps, scope, checkGroupName(name, "logGroupIdentifiers")).value.id;
  });
}

/** Which streams are asked for, by name. */
function streamFilter(input: StartLiveTailRequest): (name: string) => boolean {
  const { logGroupIdentifiers = [], logStreamNames, logStreamNamePrefixes } = input;
  if (logStreamNames === undefined && logStreamNamePrefixes === undefined) return () => true;
  if (logStreamNames !== undefined && logStreamNamePrefixes !== undefined) {
    throw invalidParameter(
      "logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.",
    );
  }
  if (logGroupIdentifiers.length !== 1) {
    throw invalidParameter(
      "logStreamNames and logStreamNamePrefixes can be specified only with exactly one log group.",
    );
  }
  const member = logStreamNames ? "logStreamNames" : "logStreamNamePrefixes";
  const given = (logStreamNames ?? logStreamNamePrefixes ?? []).map((name) =>
    checkStreamName(name, member),
  );
  if (given.length === 0 || given.length > STREAMS_MAX) {
    const rule = `Member must have length between 1 and ${STREAMS_MAX}`;
    throw constraintViolation("[…]", member, rule);
  }
  if (logStreamNames) return (name) => given.includes(name);
  return (name) => given.some((prefix) => name.startsWith(prefix));
}
