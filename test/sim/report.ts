import type { Outcome } from "./simulate.ts";

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
