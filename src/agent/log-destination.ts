import { ApiError } from "../lib/errors.ts";
import type { LinearRegex } from "../lib/linear-regex.ts";
import { formatOutputPart, type OutputPart, parseOutputPart } from "../protocol/output-part.ts";
import type { ApiClient } from "./agent-deps.ts";
import type { LogEvent } from "./log-batch.ts";

/** Where a container's output goes besides its file. */
export type LogDestination =
  /** Docker's json-file and none: the last `keepBytes` stay on this machine. */
  { readonly driver: "file"; readonly keepBytes: number } | AwslogsDestination;

export interface AwslogsDestination {
  readonly driver: "awslogs";
  readonly group: string;
  readonly stream: string;
  readonly region: string;
  readonly endpoint?: string;
  readonly createGroup: boolean;
  /** Matches the lines that begin an event; absent: all do. */
  readonly startsEvent?: LinearRegex;
  /** What may wait on the disk while the service is away. */
  readonly spoolBytesMax: number;
}

/** Creates the stream, and its group if the definition says so. Throws ResourceNotFoundException for a missing group. */
export async function createLogStream(
  logs: ApiClient,
  destination: AwslogsDestination,
  signal: AbortSignal,
): Promise<void> {
  const stream = { logGroupName: destination.group, logStreamName: destination.stream };
  try {
    await unlessExists(logs.call("CreateLogStream", stream, signal));
  } catch (error) {
    if (!isNotFound(error) || !destination.createGroup) throw error;
    const group = { logGroupName: destination.group };
    await unlessExists(logs.call("CreateLogGroup", group, signal));
    await unlessExists(logs.call("CreateLogStream", stream, signal));
  }
}

/** What the service says of a batch that it answered. */
export interface PutResult {
  /** It has the output up to here already, and stored nothing. */
  readonly knownEnd?: number;
  /** Events that it will never take, for their time. */
  readonly rejected?: unknown;
}

/** Stores the events of a part of a container's output, making the stream again if somebody deleted it meanwhile. */
export async function putLogEvents(
  logs: ApiClient,
  destination: AwslogsDestination,
  logEvents: readonly LogEvent[],
  part: OutputPart,
  signal: AbortSignal,
): Promise<PutResult> {
  const { group: logGroupName, stream: logStreamName } = destination;
  const sequenceToken = formatOutputPart(part);
  const put = (): Promise<unknown> =>
    logs.call("PutLogEvents", { logGroupName, logStreamName, logEvents, sequenceToken }, signal);
  try {
    return resultOf(await put());
  } catch (error) {
    const knownEnd = knownEndOf(error);
    if (knownEnd !== undefined) return { knownEnd };
    if (!isNotFound(error)) throw error;
    await createLogStream(logs, destination, signal);
    return resultOf(await put());
  }
}

function resultOf(output: unknown): PutResult {
  const { rejectedLogEventsInfo } = output as { readonly rejectedLogEventsInfo?: unknown };
  return rejectedLogEventsInfo ? { rejected: rejectedLogEventsInfo } : {};
}

function knownEndOf(error: unknown): number | undefined {
  if (!(error instanceof ApiError && error.code === "InvalidSequenceTokenException")) {
    return undefined;
  }
  return parseOutputPart(String(error.members.expectedSequenceToken))?.to;
}

async function unlessExists(creation: Promise<unknown>): Promise<void> {
  try {
    await creation;
  } catch (error) {
    if (!(error instanceof ApiError && error.code === "ResourceAlreadyExistsException"))
      throw error;
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.code === "ResourceNotFoundException";
}
