import type { Clock } from "./clock.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
/** Values beside the message. Never secrets: whoever logs is responsible. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** One line per event, for people. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose lines carry `name` in front. */
  child(name: string): Log;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LogOptions {
  readonly clock: Clock;
  readonly level: LogLevel;
  readonly write: (line: string) => void;
  readonly name?: string;
}

/** A log that writes `12:34:56.789 info  name: message key=value` lines through `options.write`. */
export function createLog(options: LogOptions): Log {
  const emit = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (RANK[level] < RANK[options.level]) return;
    const time = new Date(options.clock.now()).toISOString().slice(11, 23);
    const prefix = options.name === undefined ? "" : `${options.name}: `;
    const rest = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => ` ${key}=${typeof value === "string" ? quote(value) : value}`)
      .join("");
    options.write(`${time} ${level.padEnd(5)} ${prefix}${message}${rest}\n`);
  };
  return {
    debug: (message, fields) => emit("debug", message, fields),
    info: (message, fields) => emit("info", message, fields),
    warn: (message, fields) => emit("warn", message, fields),
    error: (message, fields) => emit("error", message, fields),
    child: (name) =>
      createLog({
        ...options,
        name: options.name === undefined ? name : `${options.name}/${name}`,
      }),
  };
}

function quote(value: string): string {
  return /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value);
}

/** Says nothing. For tests. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};
