import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { WORKQUEUE_BACKOFF_MS_MIN } from "./limits.ts";
import type { Random } from "./random.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { WorkQueue, type WorkQueueOptions } from "./workqueue.ts";

/** In the middle of the jitter: none. */
const noJitter: Random = {
  next: () => 0.5,
  hex: () => "",
  uuid: () => "",
  bytes: () => new Uint8Array(),
};

interface Running {
  readonly clock: VirtualClock;
  readonly queue: WorkQueue;
  /** `<key>@<ms>` for each time that work began. */
  readonly worked: string[];
  readonly failures: number[];
  stop(): Promise<void>;
}

/** A queue that runs until the test ends. */
function run(
  t: TestContext,
  work: (key: string, attempt: number) => ReturnType<WorkQueueOptions["work"]>,
): Running {
  const clock = new VirtualClock();
  const worked: string[] = [];
  const failures: number[] = [];
  const queue = new WorkQueue({
    clock,
    random: noJitter,
    concurrency: 4,
    work: (key) => {
      worked.push(`${key}@${clock.now()}`);
      return work(key, worked.length);
    },
    onFailure: (_key, _error, _count, retryInMs) => failures.push(retryInMs),
  });
  const abort = new AbortController();
  const running = queue.run(abort.signal);
  const stop = (): Promise<void> => {
    abort.abort();
    return running;
  };
  t.after(stop);
  return { clock, queue, worked, failures, stop };
}

describe("WorkQueue", () => {
  it("takes keys in order, each once however often it is added", async (t) => {
    const { queue, clock, worked } = run(t, async () => undefined);
    for (const key of ["a", "b", "a", "c", "b"]) queue.add(key);
    await clock.advance(0);
    assert.deepEqual(worked, ["a@0", "b@0", "c@0"]);
  });

  it("a failing key waits twice as long each time, and begins anew after a success", async (t) => {
    const { queue, clock, failures } = run(t, async (_key, attempt) => {
      if (attempt !== 4) throw new Error("not yet");
      return undefined;
    });
    queue.add("a");
    await clock.advance(10_000);
    const first = WORKQUEUE_BACKOFF_MS_MIN;
    assert.deepEqual(failures, [first, 2 * first, 4 * first]);
    queue.add("a");
    await clock.advance(0);
    assert.equal(failures.at(-1), first);
  });

  it("a key in backoff runs at once when it is added", async (t) => {
    const { queue, clock, worked } = run(t, async (_key, attempt) => {
      if (attempt === 1) throw new Error("not yet");
      return undefined;
    });
    queue.add("a");
    await clock.advance(1);
    queue.add("a");
    await clock.advance(60_000);
    assert.deepEqual(worked, ["a@0", "a@1"]);
  });

  it("comes back after the delay that the work asks for", async (t) => {
    const { queue, clock, worked } = run(t, async (_key, attempt) =>
      attempt < 3 ? { againAfterMs: 500 } : undefined,
    );
    queue.add("a");
    await clock.advance(5_000);
    assert.deepEqual(worked, ["a@0", "a@500", "a@1000"]);
  });

  it("a delay that is over already leaves room for all else", async (t) => {
    const { queue, clock, worked } = run(t, async (_key, attempt) =>
      attempt < 1_000 ? { againAfterMs: -5 } : undefined,
    );
    queue.add("a");
    await clock.advance(2);
    assert.deepEqual(worked, ["a@0", "a@1", "a@2"]);
  });

  it("addAfter() keeps the earliest time", async (t) => {
    const { queue, clock, worked } = run(t, async () => undefined);
    queue.addAfter("a", 300);
    queue.addAfter("a", 900);
    queue.addAfter("b", 700);
    queue.addAfter("b", 200);
    await clock.advance(5_000);
    assert.deepEqual(worked, ["b@200", "a@300"]);
  });

  it("a clock that is set back makes nobody wait for it to catch up", async (t) => {
    const time = new VirtualClock(3_600_000);
    let behindMs = 0;
    const worked: string[] = [];
    const queue = new WorkQueue({
      clock: {
        now: () => time.now() - behindMs,
        after: (ms, due) => time.after(ms, due),
        sleep: (ms, signal) => time.sleep(ms, signal),
      },
      random: noJitter,
      concurrency: 1,
      work: async (key) => void worked.push(key),
      onFailure: () => undefined,
    });
    const abort = new AbortController();
    const running = queue.run(abort.signal);
    t.after(() => {
      abort.abort();
      return running;
    });
    queue.addAfter("a", 300);
    await time.advance(100);
    behindMs = 1_800_000;
    await time.advance(250);
    assert.deepEqual(worked, ["a"]);
  });

  it("run() ends when told, after the work under way", async (t) => {
    const gate = Promise.withResolvers<undefined>();
    const { queue, clock, stop } = run(t, () => gate.promise);
    queue.add("a");
    await clock.advance(0);
    let ended = false;
    const stopped = stop().then(() => {
      ended = true;
    });
    await clock.advance(0);
    assert.equal(ended, false);
    gate.resolve(undefined);
    await stopped;
    assert.equal(clock.sleeperCount, 0);
  });
});
