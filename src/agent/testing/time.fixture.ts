import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import type { VirtualClock } from "../../lib/virtual-clock.ts";

/** Sleeps ended before a test is told that it waits for nothing. */
const STEPS_MAX = 20_000;

/** Lets virtual time pass, one sleep after another, until `condition` holds. */
export async function passUntil(clock: VirtualClock, condition: () => boolean): Promise<void> {
  for (let steps = 0; steps < STEPS_MAX; steps++) {
    await ioTurns();
    if (condition()) return;
    await clock.advance(Math.max(0, (clock.nextDueAt ?? clock.now()) - clock.now()));
  }
  throw new Error(`never came true: ${condition.toString()}`);
}

/** Lets `ms` milliseconds of virtual time pass, with its turn of real input and output at every step. */
export async function pass(clock: VirtualClock, ms: number): Promise<void> {
  const end = clock.now() + ms;
  for (;;) {
    await ioTurns();
    const dueAt = clock.nextDueAt;
    if (dueAt === undefined || dueAt > end) break;
    await clock.advance(dueAt - clock.now());
  }
  await clock.advance(end - clock.now());
}

/** Turns of the event loop without file system work under way before virtual time moves on. */
const QUIET_TURNS = 3;

/** Promises and the file system, whose time is real, come to rest before virtual time moves on. */
async function ioTurns(): Promise<void> {
  for (let quiet = 0; quiet < QUIET_TURNS; ) {
    await new Promise((resolve) => setImmediate(resolve));
    const isBusy =
      wholeFileCalls > 0 ||
      process.getActiveResourcesInfo().some((name) => /^(FSReq|CloseReq|ProcessWrap)/.test(name));
    quiet = isBusy ? 0 : quiet + 1;
  }
}

/** Under way: Node 26 reads and writes whole files in one piece, and names that nowhere among its active resources. */
let wholeFileCalls = 0;

/** Has every module's `name` of `node:fs/promises` counted. */
function count(name: "readFile" | "writeFile" | "appendFile"): void {
  const call = fs[name] as (...args: unknown[]) => Promise<unknown>;
  Object.assign(fs, {
    [name]: async (...args: unknown[]): Promise<unknown> => {
      wholeFileCalls++;
      try {
        return await call(...args);
      } finally {
        wholeFileCalls--;
      }
    },
  });
}

for (const name of ["readFile", "writeFile", "appendFile"] as const) count(name);
syncBuiltinESMExports();
