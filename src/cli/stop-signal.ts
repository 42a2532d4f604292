import type { EventEmitter } from "node:events";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";

/** Ctrl-C, `kill`, and the end of the terminal. */
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Chosen: npm passes on the Ctrl-C that the terminal has sent us already; a person's second one comes later. */
const SAME_REQUEST_MS = 500;

export interface StopSignalDeps {
  /** The program's `process`: signals come from it. */
  readonly signals: EventEmitter;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the program at once. */
  readonly exit: () => void;
}

/** Aborts when the program is asked to stop; whoever asks a second time does not want to wait, and ends it at once. */
export function stopSignal({ signals, clock, log, exit }: StopSignalDeps): AbortSignal {
  const controller = new AbortController();
  let askedAt: number | undefined;
  for (const name of STOP_SIGNALS) {
    signals.on(name, () => {
      log.debug(`received ${name}`);
      if (askedAt === undefined) {
        askedAt = clock.now();
        controller.abort();
      } else if (Math.abs(clock.now() - askedAt) >= SAME_REQUEST_MS) exit();
    });
  }
  return controller.signal;
}

/** Lets a stream whose reader is gone (a pager, `tee`, a closed terminal) swallow what is written: nobody reads it, and that is no reason to end. */
export function outliveReader(stream: EventEmitter): void {
  stream.on("error", () => undefined);
}
