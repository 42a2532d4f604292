import assert from "node:assert/strict";
import { type Outcome, simulate } from "./simulate.ts";

/** Transitions shown of a run that failed: the last ones before it did. */
const LINES_SHOWN = 60;

/** What somebody needs who is to find out why a world failed. */
export function describeFailure(outcome: Outcome, lineCount: number = LINES_SHOWN): string {
  const { failure, lines, seed } = outcome;
  const time = `${(outcome.virtualMs / 60_000).toFixed(1)} virtual minutes`;
  return [
    ...lines.slice(lines.length - Math.min(lineCount, lines.length)),
    `seed ${seed} after ${time}: ${failure?.message ?? "well"}`,
    `again: bin/gantry-node test/sim/main.ts --seed ${seed} [--verbose]`,
  ].join("\n");
}

/** For tests: lives the worlds of these seeds, and fails with the first that fails. */
export async function assertWorldsHold(seeds: Iterable<number>): Promise<void> {
  const { stackTraceLimit } = Error;
  // A world aborts some ten thousand waits, and each has an error made: a tenth of its time went into their stacks. Who
  // looks into a failure lives the world again by `main.ts`, which keeps them.
  Error.stackTraceLimit = 0;
  try {
    for (const seed of seeds) {
      const outcome = await simulate(seed);
      assert.ok(outcome.failure === undefined, describeFailure(outcome));
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** `first`, `first + 1`, … `last`. */
export function range(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
