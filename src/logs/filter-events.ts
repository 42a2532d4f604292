import { createHash } from "node:crypto";
import type {
  FilteredLogEvent,
  FilterLogEventsRequest,
  FilterLogEventsResponse,
} from "@aws-sdk/client-cloudwatch-logs";
import type { Call } from "../door/service.ts";
import { ApiError, UnavailableError } from "../lib/errors.ts";
import type { LogScan, ScannedLine, ScanPosition } from "../telemetry/log-store.ts";
import type { LogsServiceDeps } from "./deps.ts";
import { parseFilterPattern } from "./filter-pattern/filter-pattern.ts";
import { type LogGroup, retainedSince } from "./model.ts";
import { getNamedGroup, getStream, scopeOf, streamsBelow } from "./records.ts";
import { eventId, formatPageToken, invalidToken, parsePageToken } from "./tokens.ts";
import {
  checkFilterPattern,
  checkLimit,
  checkStreamName,
  checkTime,
  constraintViolation,
  invalidParameter,
} from "./validate.ts";

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html */
const PAGE_EVENTS_MAX = 10_000;
const PAGE_BYTES_MAX = 1_048_576;
const STREAM_NAMES_MAX = 100;
const LATEST_FIRST_SINCE: number = Date.UTC(2024, 0, 1);
/** Chosen: about half a second of one core. What is not found by then is behind the token, as in AWS. */
const SCAN_BYTES_MAX: number = 64 * 1024 * 1024;
/** Chosen: searches in line, half a minute of work. AWS lets an account ask a few times a second. */
const WAITING_MAX = 100;

/**
 * Searches the streams of a group, in order of time. Throws ResourceNotFoundException, InvalidParameterException, and
 * ThrottlingException when too many search. One call looks at a bounded amount: a page can be short, or empty, and still have a
 * token.
 */
export async function filterLogEvents(
  deps: LogsServiceDeps,
  input: FilterLogEventsRequest,
  call: Call,
): Promise<FilterLogEventsResponse> {
  const group = getNamedGroup(deps, scopeOf(call), input);
  const streams = streamsOf(deps, group, input);
  const pattern = parseFilterPattern(checkFilterPattern(input.filterPattern, "filterPattern"));
  const range = checkRange(input);
  const kind = tokenKind(group, input);
  const { direction, position } = whereToScan(kind, input);
  const scan: LogScan = {
    ...range,
    startAt: Math.max(range.startAt, retainedSince(group, deps.clock.now())),
    ...(position && { position }),
    direction,
    limit: checkLimit(input.limit, PAGE_EVENTS_MAX),
    bytesMax: PAGE_BYTES_MAX,
    scanBytesMax: SCAN_BYTES_MAX,
    matches: pattern.matches,
    mayMatch: pattern.mayMatch,
  };
  if (deps.scans.waitingCount >= WAITING_MAX) {
    throw new ApiError("ThrottlingException", "Rate exceeded");
  }
  const page = await deps.scans.use(async () => {
    // Whoever left while waiting wants no answer.
    if (call.signal.aborted) throw new UnavailableError("the caller has left");
    return deps.logStore.scan(streams.keys(), scan);
  });
  return {
    events: page.events.map((line) => presentEvent(streams, line)),
    // AWS gives none since 2020.
    searchedLogStreams: [],
    ...(page.next && { nextToken: formatToken(kind, direction, page.next) }),
  };
}

/** The names of the streams to search, by their ids. */
function streamsOf(
  deps: LogsServiceDeps,
  group: LogGroup,
  { logStreamNames, logStreamNamePrefix }: FilterLogEventsRequest,
): ReadonlyMap<string, string> {
  if (logStreamNames !== undefined && logStreamNamePrefix !== undefined) {
    throw invalidParameter(
      "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.",
    );
  }
  if (logStreamNames !== undefined) {
    if (logStreamNames.length === 0 || logStreamNames.length > STREAM_NAMES_MAX) {
      const rule = `Member must have length between 1 and ${STREAM_NAMES_MAX}`;
      throw constraintViolation("[…]", "logStreamNames", rule);
    }
    return new Map(
      logStreamNames.map((given) => {
        const { id, name } = getStream(deps, group, checkStreamName(given, "logStreamNames")).value;
        return [id, name];
      }),
    );
  }
  const prefix =
    logStreamNamePrefix === undefined
      ? ""
      : checkStreamName(logStreamNamePrefix, "logStreamNamePrefix");
  return new Map(streamsBelow(deps, group, prefix).map(({ id, name }) => [id, name]));
}

function checkRange({ startTime, endTime }: FilterLogEventsRequest): {
  readonly startAt: number;
  readonly endAt?: number;
} {
  const startAt = startTime === undefined ? 0 : checkTime(startTime, "startTime");
  if (endTime === undefined) return { startAt };
  // An event at the end time itself is given, unlike in GetLogEvents.
  return { startAt, endAt: checkTime(endTime, "endTime") + 1 };
}

/** A token is good for the search that gave it only. */
function tokenKind(group: LogGroup, input: FilterLogEventsRequest): string {
  const { filterPattern = "", startTime, endTime, logStreamNames, logStreamNamePrefix } = input;
  const search = [group.id, filterPattern, startTime, endTime, logStreamNames, logStreamNamePrefix];
  return createHash("sha256").update(JSON.stringify(search)).digest("base64url").slice(0, 16);
}

function whereToScan(
  kind: string,
  input: FilterLogEventsRequest,
): { readonly direction: LogScan["direction"]; readonly position?: ScanPosition } {
  if (input.nextToken !== undefined) return parseToken(kind, input.nextToken);
  if (input.startFromHead !== false) return { direction: "forward" };
  if ((input.startTime ?? 0) >= LATEST_FIRST_SINCE) return { direction: "backward" };
  throw invalidParameter(
    "startFromHead can be false only when startTime is on or after Jan 1, 2024 00:00:00 UTC.",
  );
}

function formatToken(
  kind: string,
  direction: LogScan["direction"],
  { timestamp, ingestedAt, streamId, arrival }: ScanPosition,
): string {
  return formatPageToken(kind, [direction, timestamp, ingestedAt, streamId, arrival]);
}

function parseToken(
  kind: string,
  token: string,
): { readonly direction: LogScan["direction"]; readonly position: ScanPosition } {
  const [direction, timestamp, ingestedAt, streamId, arrival] = parsePageToken(kind, token, 5);
  const numbers = [timestamp, ingestedAt, arrival];
  if (
    (direction !== "forward" && direction !== "backward") ||
    typeof streamId !== "string" ||
    !numbers.every(Number.isSafeInteger)
  ) {
    throw invalidToken();
  }
  const position = {
    timestamp: Number(timestamp),
    ingestedAt: Number(ingestedAt),
    streamId,
    arrival: Number(arrival),
  };
  return { direction, position };
}

function presentEvent(streams: ReadonlyMap<string, string>, line: ScannedLine): FilteredLogEvent {
  const { timestamp, message, ingestedAt, streamId } = line;
  return {
    logStreamName: streams.get(streamId) ?? "",
    timestamp,
    message,
    ingestionTime: ingestedAt,
    eventId: eventId(streamId, line),
  };
}
