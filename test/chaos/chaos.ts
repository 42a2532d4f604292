/** One run: real machines, users at work, faults by a schedule, and what must hold when all is over. */
import { setTimeout as delay } from "node:timers/promises";
import { SeededRandom } from "../sim/seeded-random.ts";
import { checkAtRest } from "./checks.ts";
import { Machines } from "./machines.ts";
import { describeFault, drawSchedule, type Fault, isLongCut } from "./schedule.ts";
import { Users } from "./users.ts";

/** Chosen: long enough for a machine to be given up and to come back. */
export const DURATION_SECONDS = 60;

export interface ChaosOptions {
  readonly seed: string;
  /** How long users work and faults begin. What began goes on to its end, and everything comes to rest, after it. */
  readonly durationMs: number;
  readonly say: (line: string) => void;
}

/** Throws, with the seed, what happened so far and the last that each Gantry said, for the first thing that is not as it should be. */
export async function runChaos({ seed, durationMs, say }: ChaosOptions): Promise<void> {
  const random = new SeededRandom(seed);
  const { shape, faults } = drawSchedule(random.fork("schedule"), durationMs);
  say(`seed ${seed}, ${durationMs / 1000} s: ${shape.join(", ")}`);
  await using machines = await Machines.open(shape);
  const happened: string[] = [];
  const startedAt = performance.now();
  const note = (line: string): void => {
    const noted = `${((performance.now() - startedAt) / 1000).toFixed(1)} s  ${line}`;
    happened.push(noted);
    say(noted);
  };
  const failure = new AbortController();
  const users = new Users(machines.server, random.fork("users"), note, failure.signal);
  try {
    await users.prepare();
    await together(failure, [
      () => users.work(durationMs),
      ...lines(faults).map(
        (line) => () => inflict(machines, line, startedAt, note, failure.signal),
      ),
    ]);
    note("everything is healed");
    const mayBeLost = faults.some(isLongCut);
    const { givenUpCount } = await checkAtRest(users.tasks, machines, mayBeLost);
    machines.requireAlive();
    const count = `${users.tasks.length} tasks, ${givenUpCount} of them given up`;
    note(`${count}, ${faults.length} faults: all is well`);
  } catch (cause) {
    const report = [`seed ${seed}: ${cause}`, ...happened, machines.tails()].join("\n");
    throw new Error(report, { cause });
  }
}

/** Resolves when all have; the first that fails ends the others. */
async function together(
  failure: AbortController,
  work: readonly (() => Promise<void>)[],
): Promise<void> {
  const all = work.map(async (step) => {
    try {
      await step();
    } catch (error) {
      failure.abort(error);
      throw error;
    }
  });
  await Promise.allSettled(all);
  failure.signal.throwIfAborted();
}

/** Faults of one kind on one machine follow each other; others do not wait for them. */
function lines(faults: readonly Fault[]): Fault[][] {
  return [...Map.groupBy(faults, ({ kind, machine }) => `${kind} ${machine}`).values()];
}

async function inflict(
  machines: Machines,
  faults: readonly Fault[],
  startedAt: number,
  note: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const fault of faults) {
    const waitMs = startedAt + fault.atMs - performance.now();
    await delay(Math.max(0, waitMs), undefined, { signal });
    await machines.begin(fault);
    note(describeFault(fault));
    try {
      await delay(fault.pauseMs, undefined, { signal });
    } finally {
      await machines.end(fault);
    }
  }
}
