import type {
  GetLogEventsRequest,
  GetLogEventsResponse,
  InputLogEvent,
  PutLogEventsRequest,
  PutLogEventsResponse,
  RejectedLogEventsInfo,
} from "@aws-sdk/client-cloudwatch-logs";
import type { Call } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import { formatOutputPart, type OutputPart, parseOutputPart } from "../protocol/output-part.ts";
import { KnownPartError, type LogPosition, type LogQuery } from "../telemetry/log-store.ts";
import type { LogsDeps, LogsServiceDeps } from "./deps.ts";
import { DAY_MS, type LogGroup, retainedSince } from "./model.ts";
import { getGroup, getNamedGroup, getStream, scopeOf } from "./records.ts";
import { formatEventToken, parseEventToken, sequenceToken } from "./tokens.ts";
import {
  checkGroupName,
  checkLimit,
  checkStreamName,
  checkTime,
  constraintViolation,
  invalidParameter,
} from "./validate.ts";

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html */
const BATCH_EVENTS_MAX = 10_000;
const BATCH_BYTES_MAX = 1_048_576;
const EVENT_OVERHEAD_BYTES = 26;
const FUTURE_MS_MAX = 2 * 60 * 60 * 1000;
const PAST_MS_MAX: number = 14 * DAY_MS;
const SPAN_MS_MAX: number = DAY_MS;
/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html */
const PAGE_EVENTS_MAX = 10_000;
const PAGE_BYTES_MAX = 1_048_576;

interface Event {
  readonly timestamp: number;
  readonly message: string;
}

/** Appends a batch; its events are durable and readable when it answers. Throws ResourceNotFoundException, InvalidParameterException. */
export async function putLogEvents(
  deps: LogsServiceDeps,
  input: PutLogEventsRequest,
  call: Call,
): Promise<PutLogEventsResponse> {
  const groupName = checkGroupName(input.logGroupName);
  const streamName = checkStreamName(input.logStreamName);
  const events = checkBatch(input.logEvents ?? []);
  const { value: group } = getGroup(deps, scopeOf(call), groupName);
  const { value: stream } = getStream(deps, group, streamName);
  const now = deps.clock.now();
  const { accepted, rejected } = sortOut(group, events, now);
  const span = (accepted.at(-1)?.timestamp ?? 0) - (accepted.at(0)?.timestamp ?? 0);
  if (span > SPAN_MS_MAX) {
    throw invalidParameter(
      "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
    );
  }
  const part = parseOutputPart(input.sequenceToken ?? "");
  try {
    const lines = accepted.map(({ timestamp, message }) => ({
      timestamp,
      message,
      ingestedAt: now,
    }));
    await deps.logStore.append(stream.id, lines, part);
  } catch (error) {
    throw part && error instanceof KnownPartError ? alreadyStored(part, error.end) : error;
  }
  deps.tails.publish(group, stream, accepted, now);
  const stat = deps.logStore.stat(stream.id);
  return {
    ...(stat && { nextSequenceToken: sequenceToken(stream.id, stat) }),
    ...(rejected && { rejectedLogEventsInfo: rejected }),
    ...(input.entity && { rejectedEntityInfo: { errorType: "UnsupportedLogGroupType" } }),
  };
}

/** AWS ignores sequence tokens, and so do we but for those of our agents. */
function alreadyStored({ writer }: OutputPart, end: number): ApiError {
  const expectedSequenceToken = formatOutputPart({ writer, from: end, to: end });
  return new ApiError(
    "InvalidSequenceTokenException",
    `The given sequenceToken is invalid. The next expected sequenceToken is: ${expectedSequenceToken}`,
    { members: { expectedSequenceToken } },
  );
}

/** Reads a page of a stream. Throws ResourceNotFoundException, InvalidParameterException. */
export async function getLogEvents(
  deps: LogsDeps,
  input: GetLogEventsRequest,
  call: Call,
): Promise<GetLogEventsResponse> {
  const streamName = checkStreamName(input.logStreamName);
  const limit = checkLimit(input.limit, PAGE_EVENTS_MAX);
  const group = getNamedGroup(deps, scopeOf(call), input);
  const { id } = getStream(deps, group, streamName).value;
  const asked = input.startTime === undefined ? 0 : checkTime(input.startTime, "startTime");
  const page = await deps.logStore.read(id, {
    startAt: Math.max(asked, retainedSince(group, deps.clock.now())),
    ...(input.endTime !== undefined && { endAt: checkTime(input.endTime, "endTime") }),
    limit,
    bytesMax: PAGE_BYTES_MAX,
    ...whereToRead(id, input),
  });
  return {
    events: page.events.map(({ timestamp, message, ingestedAt }) => ({
      timestamp,
      message,
      ingestionTime: ingestedAt,
    })),
    nextForwardToken: formatEventToken(id, "forward", page.after),
    nextBackwardToken: formatEventToken(id, "backward", page.before),
  };
}

/** Without a token, the direction says at which end to begin; a token says it itself. */
function whereToRead(
  streamId: string,
  input: GetLogEventsRequest,
): { readonly direction: LogQuery["direction"]; readonly position?: LogPosition } {
  if (input.nextToken !== undefined) return parseEventToken(streamId, input.nextToken);
  return { direction: input.startFromHead ? "forward" : "backward" };
}

/** The rules for the batch as a whole. Throws InvalidParameterException. */
function checkBatch(given: readonly InputLogEvent[]): readonly Event[] {
  if (given.length === 0 || given.length > BATCH_EVENTS_MAX) {
    const rule =
      given.length === 0
        ? "Member must have length greater than or equal to 1"
        : `Member must have length less than or equal to ${BATCH_EVENTS_MAX}`;
    throw constraintViolation("[…]", "logEvents", rule);
  }
  const events = given.map(checkEvent);
  const bytes = events.reduce(
    (sum, { message }) => sum + Buffer.byteLength(message) + EVENT_OVERHEAD_BYTES,
    0,
  );
  if (bytes > BATCH_BYTES_MAX) {
    throw invalidParameter(`Upload too large: ${bytes} bytes exceeds limit of ${BATCH_BYTES_MAX}`);
  }
  if (events.some(({ timestamp }, i) => timestamp < (events[i - 1]?.timestamp ?? 0))) {
    throw invalidParameter(
      "Log events in a single PutLogEvents request must be in chronological order.",
    );
  }
  return events;
}

function checkEvent({ timestamp, message }: InputLogEvent, index: number): Event {
  const member = `logEvents.${index + 1}.member`;
  if (message) return { timestamp: checkTime(timestamp, `${member}.timestamp`), message };
  const rule = "Member must have length greater than or equal to 1";
  throw constraintViolation(message ?? "null", `${member}.message`, rule);
}

/** Which events of a batch (in order) are taken, and how AWS says which are not. */
function sortOut(
  group: LogGroup,
  events: readonly Event[],
  now: number,
): { readonly accepted: readonly Event[]; readonly rejected: RejectedLogEventsInfo | undefined } {
  const countBefore = (time: number): number => {
    const index = events.findIndex(({ timestamp }) => timestamp >= time);
    return index < 0 ? events.length : index;
  };
  const tooOld = countBefore(now - PAST_MS_MAX);
  const expired = countBefore(retainedSince(group, now));
  const tooNew = countBefore(now + FUTURE_MS_MAX + 1);
  const accepted = events.slice(Math.max(tooOld, expired), tooNew);
  if (accepted.length === events.length) return { accepted, rejected: undefined };
  const rejected = {
    ...(tooOld > 0 && { tooOldLogEventEndIndex: tooOld }),
    ...(expired > tooOld && { expiredLogEventEndIndex: expired }),
    ...(tooNew < events.length && { tooNewLogEventStartIndex: tooNew }),
  };
  return { accepted, rejected };
}
