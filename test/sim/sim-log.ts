import type { Log, LogFields } from "../../src/lib/log.ts";
import type { Trace } from "./trace.ts";

/** Messages that only a bug of ours brings about. */
const FORBIDDEN = ["request failed", "a cache listener failed"];

/** A log whose lines are part of the trace. What tells of a bug goes to `onBug` too. */
export function createSimLog(
  trace: Trace,
  options: { readonly onBug: (what: string) => void; readonly isVerbose: boolean; name?: string },
): Log {
  const { isVerbose, name = "", onBug } = options;
  const say = (level: string, message: string, fields: LogFields = {}): void => {
    const line = `${level} ${name} ${message} ${JSON.stringify(fields)}`;
    if (isVerbose || level === "error") trace.transition(line);
    else trace.event(`${name} ${message}`);
    if (FORBIDDEN.includes(message)) onBug(line);
  };
  return {
    debug: () => undefined,
    info: (message, fields) => say("info", message, fields),
    warn: (message, fields) => say("warn", message, fields),
    error: (message, fields) => say("error", message, fields),
    child: (child) => createSimLog(trace, { ...options, name: name ? `${name}/${child}` : child }),
  };
}
