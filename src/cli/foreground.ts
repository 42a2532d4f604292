import { unknownVariables } from "../config.ts";
import { systemClock } from "../lib/clock.ts";
import type { LogLevel } from "../lib/log.ts";
import { createLog, type Log } from "../lib/log.ts";
import { outliveReader, stopSignal } from "./stop-signal.ts";

/** A log for people, on stderr: stdout is for what a command answers. */
export function stderrLog(level: LogLevel): Log {
  return createLog({ clock: systemClock, level, write: (line) => process.stderr.write(line) });
}

/** What a command that stays in the foreground needs: its log, and the signal that a user wants it to end. */
export function enterForeground(level: LogLevel): { log: Log; stop: AbortSignal } {
  const log = stderrLog(level);
  for (const name of unknownVariables(process.env)) {
    log.warn(`${name} is not a setting: it has no effect (see 'gantry up --help')`);
  }
  for (const stream of [process.stdout, process.stderr]) outliveReader(stream);
  const exit = (): never => process.exit(1);
  return { log, stop: stopSignal({ signals: process, clock: systemClock, log, exit }) };
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
