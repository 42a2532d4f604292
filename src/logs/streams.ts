import type {
  CreateLogStreamRequest,
  DeleteLogStreamRequest,
  DescribeLogStreamsRequest,
  DescribeLogStreamsResponse,
  LogStream as LogStreamOutput,
} from "@aws-sdk/client-cloudwatch-logs";
import type { Call } from "../door/service.ts";
import type { LogsDeps } from "./deps.ts";
import { type LogGroup, type LogStream, streamArn, streamKey } from "./model.ts";
import {
  alreadyExists,
  checkDeletable,
  getGroup,
  getNamedGroup,
  getStream,
  scopeOf,
  streamsBelow,
  transact,
} from "./records.ts";
import { formatPageToken, parsePageToken, sequenceToken } from "./tokens.ts";
import {
  checkGroupName,
  checkLimit,
  checkStreamName,
  constraintViolation,
  invalidParameter,
} from "./validate.ts";

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogStreams.html */
const PAGE_MAX = 50;
const STREAM_ID_BYTES = 12;

/** Makes a stream. Throws ResourceAlreadyExistsException, ResourceNotFoundException, InvalidParameterException. */
export async function createLogStream(
  deps: LogsDeps,
  input: CreateLogStreamRequest,
  call: Call,
): Promise<Record<never, never>> {
  const scope = scopeOf(call);
  const groupName = checkGroupName(input.logGroupName);
  const name = checkStreamName(input.logStreamName);
  const id = deps.random.hex(STREAM_ID_BYTES);
  const createdAt = deps.clock.now();
  await transact(deps, () => {
    const group = getGroup(deps, scope, groupName);
    const key = streamKey(group.value, name);
    if (deps.cache.get(key) !== undefined) throw alreadyExists("stream");
    const stream: LogStream = { ...scope, id, groupId: group.value.id, name, createdAt };
    // With the group's revision: otherwise the group could go in between and leave the stream behind.
    return { compare: { key, revision: 0 }, also: group.record, write: { key, value: stream } };
  });
  return {};
}

/** Deletes a stream and its events. Throws ResourceNotFoundException, ValidationException when protected. */
export async function deleteLogStream(
  deps: LogsDeps,
  input: DeleteLogStreamRequest,
  call: Call,
): Promise<Record<never, never>> {
  const scope = scopeOf(call);
  const groupName = checkGroupName(input.logGroupName);
  const name = checkStreamName(input.logStreamName);
  const { deleted } = await transact(deps, () => {
    const { value: group } = getGroup(deps, scope, groupName);
    checkDeletable(group);
    const { record, value } = getStream(deps, group, name);
    return { compare: record, write: { key: record.key, value: undefined }, deleted: value };
  });
  await deps.logStore.remove(deleted.id);
  return {};
}

interface Row {
  readonly stream: LogStream;
  /** Rows are in order of these two. The first is 0 when the order is by name. */
  readonly time: number;
  readonly name: string;
}

/** Lists the streams of a group by name or by time of the last event. Throws ResourceNotFoundException, InvalidParameterException. */
export async function describeLogStreams(
  deps: LogsDeps,
  input: DescribeLogStreamsRequest,
  call: Call,
): Promise<DescribeLogStreamsResponse> {
  const group = getNamedGroup(deps, scopeOf(call), input);
  const limit = checkLimit(input.limit, PAGE_MAX);
  const byTime = isByTime(input);
  const prefix =
    input.logStreamNamePrefix && checkStreamName(input.logStreamNamePrefix, "logStreamNamePrefix");
  const sign = input.descending ? -1 : 1;
  const kind = `streams ${byTime} ${sign}`;
  const after = input.nextToken === undefined ? undefined : parseAfter(kind, input.nextToken);
  const rows = streamsBelow(deps, group, prefix)
    .map((stream) => rowOf(deps, stream, byTime))
    .filter((row) => after === undefined || sign * compareRows(row, after) > 0)
    .sort((a, b) => sign * compareRows(a, b));
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    logStreams: page.map(({ stream }) => presentStream(deps, group, stream)),
    ...(last &&
      rows.length > limit && { nextToken: formatPageToken(kind, [last.time, last.name]) }),
  };
}

function isByTime({ orderBy, logStreamNamePrefix }: DescribeLogStreamsRequest): boolean {
  if (orderBy === undefined || orderBy === "LogStreamName") return false;
  if (orderBy !== "LastEventTime") {
    const rule = "Member must satisfy enum value set: [LogStreamName, LastEventTime]";
    throw constraintViolation(orderBy, "orderBy", rule);
  }
  if (!logStreamNamePrefix) return true;
  throw invalidParameter("Cannot order by LastEventTime with a logStreamNamePrefix.");
}

function rowOf({ logStore }: LogsDeps, stream: LogStream, byTime: boolean): Row {
  const time = byTime ? (logStore.stat(stream.id)?.lastEventAt ?? 0) : 0;
  return { stream, time, name: stream.name };
}

function parseAfter(kind: string, token: string): Pick<Row, "time" | "name"> {
  const [time, name] = parsePageToken(kind, token, 2);
  return { time: Number(time), name: String(name) };
}

function compareRows(a: Pick<Row, "time" | "name">, b: Pick<Row, "time" | "name">): number {
  if (a.time !== b.time) return a.time - b.time;
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}

function presentStream(
  { logStore }: LogsDeps,
  group: LogGroup,
  stream: LogStream,
): LogStreamOutput {
  const stat = logStore.stat(stream.id);
  return {
    logStreamName: stream.name,
    creationTime: stream.createdAt,
    ...(stat && {
      firstEventTimestamp: stat.firstEventAt,
      lastEventTimestamp: stat.lastEventAt,
      lastIngestionTime: stat.lastIngestionAt,
      uploadSequenceToken: sequenceToken(stream.id, stat),
    }),
    arn: streamArn(group, group.name, stream.name),
    // AWS reports zero for every stream since 2019.
    storedBytes: 0,
  };
}
