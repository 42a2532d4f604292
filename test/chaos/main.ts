/** Runs chaos: `--seed N` (default: drawn), `--runs N` seeds from it on, `--duration SECONDS`. See docs/testing.md. */
import { parseArgs } from "node:util";
import { systemRandom } from "../../src/lib/random.ts";
import { skipReason } from "../e2e/gantry-kit.ts";
import { DURATION_SECONDS, runChaos } from "./chaos.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Math.floor(systemRandom.next() * 1_000_000)) },
    runs: { type: "string", default: "1" },
    duration: { type: "string", default: String(DURATION_SECONDS) },
  },
});
const unfit = await skipReason();
if (unfit !== false) {
  console.error(`this machine cannot run it: ${unfit}`);
  process.exit(1);
}
let failedCount = 0;
for (let run = 0; run < Number(values.runs); run++) {
  const seed = String(Number(values.seed) + run);
  try {
    await runChaos({ seed, durationMs: Number(values.duration) * 1000, say: console.log });
  } catch (error) {
    failedCount++;
    console.error(error);
  }
}
console.log(`${values.runs} runs, ${failedCount} failed`);
process.exitCode = failedCount > 0 ? 1 : 0;
