/** Lives one world after the other in a thread of its own: takes seeds, answers each with a {@link Life}. */
import { parentPort } from "node:worker_threads";
import { describeFailure } from "./report.ts";
import { simulate } from "./simulate.ts";
import type { Life } from "./world-pool.ts";

// A world aborts some ten thousand waits, and each has an error made: a tenth of its time went into their stacks. Who
// looks into a failure lives the world again by `main.ts`, which keeps them.
Error.stackTraceLimit = 0;

parentPort?.on("message", async (seed: number) => {
  const outcome = await simulate(seed);
  const { digest, eventCount, failure, taskCount } = outcome;
  const life: Life = {
    seed,
    digest,
    eventCount,
    taskCount,
    failure: failure && describeFailure(outcome),
  };
  parentPort?.postMessage(life);
});
