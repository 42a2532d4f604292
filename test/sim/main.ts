/** Lives simulated worlds: `--seed N` one of them with all it says, `--seeds A-B` a range. See docs/testing.md. */
import { parseArgs } from "node:util";
import { describeFailure } from "./report.ts";
import { type Outcome, simulate } from "./simulate.ts";

/** Of one world, when not all that it says is asked for. */
const LINES_SHOWN = 400;

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "1-100" },
    verbose: { type: "boolean", default: false },
  },
});
const [first = 1, last = first] = (values.seed ?? values.seeds).split("-").map(Number);
const isOne = values.seed !== undefined;
const startedAt = performance.now();
let virtualMs = 0;
let failedCount = 0;
for (let seed = first; seed <= last; seed++) {
  const outcome = await simulate(seed, { isVerbose: values.verbose });
  virtualMs += outcome.virtualMs;
  if (outcome.failure !== undefined) failedCount++;
  if (isOne || outcome.failure !== undefined) report(outcome);
}
const seconds = (performance.now() - startedAt) / 1000;
console.log(
  `${last - first + 1} worlds, ${failedCount} failed, ${(virtualMs / 3_600_000).toFixed(1)} virtual hours in ${seconds.toFixed(1)} s`,
);
process.exitCode = failedCount > 0 ? 1 : 0;

function report(outcome: Outcome): void {
  if (!isOne) {
    console.log(describeFailure(outcome, 0));
    return;
  }
  const { commitCount, digest, eventCount, failure, taskCount } = outcome;
  console.log(describeFailure(outcome, values.verbose ? outcome.lines.length : LINES_SHOWN));
  if (failure) console.log(failure.stack);
  console.log(`${taskCount} tasks, ${commitCount} commits, ${eventCount} events, digest ${digest}`);
}
