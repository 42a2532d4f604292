import { ApiError } from "../lib/errors.ts";
import type { DockerHostConfig } from "../protocol/docker-config.ts";
import type { ApiClient } from "./agent-deps.ts";
import type { LogEvent } from "./log-lines.ts";

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
}

/** Chosen: Docker keeps all of it unless told otherwise, which fills disks. */
const KEEP_BYTES_DEFAULT = 64 * 2 ** 20;
const OPTIONS: Readonly<Record<string, ReadonlySet<string>>> = {
  none: new Set(),
  "json-file": new Set(["max-size", "max-file"]),
  awslogs: new Set([
    "awslogs-group",
    "awslogs-region",
    "awslogs-stream",
    "awslogs-endpoint",
    "awslogs-create-group",
    // Output waits in a file, so that both modes neither block the container nor drop before the backlog's limit.
    "mode",
    "max-buffer-size",
  ]),
};

/** Reads a container's log configuration. Returns what is wrong with it as text. */
export function logDestination(
  config: DockerHostConfig["LogConfig"],
  defaults: { readonly region: string; readonly containerId: string },
): LogDestination | { readonly error: string } {
  const driver = config?.Type || "json-file";
  const options = config?.Config ?? {};
  const known = Object.hasOwn(OPTIONS, driver) ? OPTIONS[driver] : undefined;
  if (known === undefined) {
    return { error: `logging driver ${driver} is not supported by this agent yet` };
  }
  const unknown = Object.keys(options).find((name) => !known.has(name));
  if (unknown !== undefined) {
    return { error: `log option ${unknown} of ${driver} is not supported by this agent yet` };
  }
  if (driver === "none") return { driver: "file", keepBytes: 0 };
  if (driver === "json-file") return jsonFile(options);
  const group = options["awslogs-group"];
  if (!group) return { error: "must specify a value for log opt 'awslogs-group'" };
  const endpoint = options["awslogs-endpoint"];
  return {
    driver: "awslogs",
    group,
    stream: options["awslogs-stream"] || defaults.containerId,
    region: options["awslogs-region"] || defaults.region,
    createGroup: options["awslogs-create-group"] === "true",
    ...(endpoint && { endpoint }),
  };
}

function jsonFile(options: Readonly<Record<string, string>>): LogDestination | { error: string } {
  const size = options["max-size"];
  if (size === undefined) return { driver: "file", keepBytes: KEEP_BYTES_DEFAULT };
  const match = /^(\d+)([kmg]?)b?$/i.exec(size);
  const files = Number(options["max-file"] ?? "1");
  if (match === null || !Number.isInteger(files) || files < 1) {
    return { error: `invalid log options max-size ${size}, max-file ${options["max-file"]}` };
  }
  const unit = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[(match[2] ?? "").toLowerCase()] ?? 1;
  return { driver: "file", keepBytes: Number(match[1]) * unit * files };
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

/** Stores events, making the stream again if somebody deleted it meanwhile. */
export async function putLogEvents(
  logs: ApiClient,
  destination: AwslogsDestination,
  logEvents: readonly LogEvent[],
  signal: AbortSignal,
): Promise<void> {
  const { group: logGroupName, stream: logStreamName } = destination;
  const request = { logGroupName, logStreamName, logEvents };
  try {
    await logs.call("PutLogEvents", request, signal);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await createLogStream(logs, destination, signal);
    await logs.call("PutLogEvents", request, signal);
  }
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
