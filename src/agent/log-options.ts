import { messageOf } from "../lib/errors.ts";
import { LinearRegex } from "../lib/linear-regex.ts";
import { RegexSyntaxError } from "../lib/regex-syntax.ts";
import type { DockerHostConfig } from "../protocol/docker-config.ts";
import { datetimePattern } from "./datetime-format.ts";
import type { LogDestination } from "./log-destination.ts";

type Options = Readonly<Record<string, string>>;
type Wrong = { readonly error: string };

/** Chosen: Docker keeps all of it unless told otherwise, which fills disks. */
const KEEP_BYTES_DEFAULT = 64 * 2 ** 20;
/**
 * Chosen: what may wait on the disk for the log service, of one container, before the oldest is dropped. `max-buffer-size` makes
 * it less; `blocking` promises that nothing is dropped and gets what a disk can usually bear (docs/decisions/0020).
 */
const SPOOL_BYTES_MAX: number = 2 ** 30;
const SPOOL_BYTES_BLOCKING: number = 8 * 2 ** 30;

/** What Go reads as a boolean, and so Docker's drivers. */
const BOOLEAN = /^(?:[10tTfF]|true|TRUE|True|false|FALSE|False)$/;
/** Docker's own, of every driver. Output waits in a file: no mode blocks a container. */
const COMMON = ["mode", "max-buffer-size"];
const KNOWN: Readonly<Record<string, ReadonlySet<string>>> = {
  none: new Set(COMMON),
  "json-file": new Set([...COMMON, "max-size", "max-file"]),
  awslogs: new Set([
    ...COMMON,
    "awslogs-group",
    "awslogs-region",
    "awslogs-stream",
    "awslogs-endpoint",
    "awslogs-create-group",
    "awslogs-datetime-format",
    "awslogs-multiline-pattern",
  ]),
};

/** Reads a container's log configuration. Returns what is wrong with it as text. */
export function logDestination(
  config: DockerHostConfig["LogConfig"],
  defaults: { readonly region: string; readonly containerId: string },
): LogDestination | Wrong {
  const driver = config?.Type || "json-file";
  const options = config?.Config ?? {};
  const known = Object.hasOwn(KNOWN, driver) ? KNOWN[driver] : undefined;
  if (known === undefined) {
    return { error: `logging driver ${driver} is not supported by this agent yet` };
  }
  const unknown = Object.keys(options).find((name) => !known.has(name));
  if (unknown !== undefined) {
    return { error: `log option ${unknown} of ${driver} is not supported by this agent yet` };
  }
  const spoolBytesMax = readSpool(options);
  if (typeof spoolBytesMax !== "number") return spoolBytesMax;
  if (driver === "none") return { driver: "file", keepBytes: 0 };
  return driver === "json-file" ? jsonFile(options) : awslogs(options, defaults, spoolBytesMax);
}

function awslogs(
  options: Options,
  defaults: { readonly region: string; readonly containerId: string },
  spoolBytesMax: number,
): LogDestination | Wrong {
  const group = options["awslogs-group"];
  if (!group) return { error: "must specify a value for log opt 'awslogs-group'" };
  const createGroup = options["awslogs-create-group"] || "false";
  if (!BOOLEAN.test(createGroup)) {
    return { error: `must specify valid value for log opt 'awslogs-create-group': ${createGroup}` };
  }
  const startsEvent = readEventStart(options);
  if (startsEvent !== undefined && "error" in startsEvent) return startsEvent;
  const endpoint = options["awslogs-endpoint"];
  return {
    driver: "awslogs",
    group,
    stream: options["awslogs-stream"] || defaults.containerId,
    region: options["awslogs-region"] || defaults.region,
    createGroup: /^[1t]/i.test(createGroup),
    spoolBytesMax,
    ...(startsEvent && { startsEvent }),
    ...(endpoint && { endpoint }),
  };
}

/** How to tell the lines that begin an event; undefined when every line is one. */
function readEventStart(options: Options): LinearRegex | Wrong | undefined {
  const format = options["awslogs-datetime-format"];
  const given = options["awslogs-multiline-pattern"];
  if (format && given) {
    return {
      error:
        "you cannot configure log opt 'awslogs-datetime-format' and 'awslogs-multiline-pattern' at the same time",
    };
  }
  const pattern = format ? datetimePattern(format) : given;
  if (!pattern) return undefined;
  if (typeof pattern !== "string") return pattern;
  try {
    return new LinearRegex(pattern);
  } catch (error) {
    if (!(error instanceof RegexSyntaxError)) throw error;
    return {
      error: `awslogs could not parse multiline pattern key ${pattern}: ${messageOf(error)}`,
    };
  }
}

function readSpool({ mode = "non-blocking", "max-buffer-size": size }: Options): number | Wrong {
  if (mode !== "non-blocking" && mode !== "blocking") {
    return { error: `${mode} is not a valid log mode: it is blocking or non-blocking` };
  }
  const bytes = size === undefined ? undefined : parseSize(size);
  if (size !== undefined && bytes === undefined) {
    return { error: `error parsing option max-buffer-size: invalid size: ${size}` };
  }
  if (mode === "blocking") return SPOOL_BYTES_BLOCKING;
  return Math.min(bytes ?? SPOOL_BYTES_MAX, SPOOL_BYTES_BLOCKING);
}

function jsonFile(options: Options): LogDestination | Wrong {
  const size = options["max-size"];
  if (size === undefined) return { driver: "file", keepBytes: KEEP_BYTES_DEFAULT };
  const bytes = parseSize(size);
  const files = Number(options["max-file"] ?? "1");
  if (bytes === undefined || !Number.isInteger(files) || files < 1) {
    return { error: `invalid log options max-size ${size}, max-file ${options["max-file"]}` };
  }
  return { driver: "file", keepBytes: bytes * files };
}

/** `25m` and the like, in bytes. */
function parseSize(size: string): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,15})([kmg]?)b?$/i.exec(size) ?? [];
  if (digits === undefined) return undefined;
  return Number(digits) * 1024 ** ["", "k", "m", "g"].indexOf(unit.toLowerCase());
}
