import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { systemRandom } from "./random.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { WorkQueue } from "./workqueue.ts";

type Step = { readonly add: string } | { readonly addAfter: string } | { readonly wait: number };

const key = fc.constantFrom("a", "b", "c", "d");
const step: fc.Arbitrary<Step> = fc.oneof(
  key.map((add) => ({ add })),
  key.map((addAfter) => ({ addAfter })),
  fc.nat(300).map((wait) => ({ wait })),
);

describe("WorkQueue under any interleaving", () => {
  it("never runs a key twice at once and never loses an add", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(step, { maxLength: 30 }),
        fc.integer({ min: 1, max: 4 }),
        fc.infiniteStream(fc.boolean()),
        async (scheduler, steps, concurrency, failures) => {
          const clock = new VirtualClock();
          const working = new Set<string>();
          /** Keys whose latest add has not been followed by a run that began later. */
          const owed = new Set<string>();
          /** Not thrown where they are seen: the queue would take that for failed work. */
          const violations: string[] = [];
          const work = async (one: string): Promise<undefined> => {
            if (working.has(one)) violations.push(`${one} runs twice`);
            if (working.size >= concurrency) violations.push("too many at once");
            working.add(one);
            const seen = owed.delete(one);
            await scheduler.schedule(Promise.resolve(), one);
            working.delete(one);
            if (!failures.next().value) return undefined;
            if (seen) owed.add(one);
            throw new Error("the property wants it so");
          };
          const queue = new WorkQueue({
            clock,
            random: systemRandom,
            concurrency,
            work,
            onFailure: () => undefined,
          });
          const abort = new AbortController();
          const running = queue.run(abort.signal);

          for (const one of steps) {
            if ("add" in one) queue.add(one.add);
            if ("addAfter" in one) queue.addAfter(one.addAfter, 50);
            if ("wait" in one) await clock.advance(one.wait);
            else owed.add("add" in one ? one.add : one.addAfter);
            if (scheduler.count() > 0) await scheduler.waitOne();
          }
          for (let i = 0; i < 100 && (owed.size > 0 || working.size > 0); i++) {
            await clock.advance(60_000);
            await scheduler.waitAll();
          }
          assert.deepEqual([...owed], []);
          assert.deepEqual(violations, []);
          abort.abort();
          await running;
        },
      ),
      { numRuns: 150 },
    );
  });
});
