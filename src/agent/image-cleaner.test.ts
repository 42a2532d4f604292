import assert from "node:assert/strict";
import { test } from "node:test";
import { UnavailableError } from "../lib/errors.ts";
import { silentLog } from "../lib/log.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import type { ImageCleanup } from "../runtime/image-catalogue.ts";
import { runImageCleaner } from "./image-cleaner.ts";
import { newRecord, type TaskRecord } from "./task-record.ts";
import { payloadContainer, payloadTask } from "./testing/rig.fixture.ts";
import { pass } from "./testing/time.fixture.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** `images`: how many there are to remove, each a tenth of the disk. */
async function clean(options: {
  readonly forMs: number;
  readonly images?: number;
  readonly diskUse?: number;
  readonly tasks?: readonly TaskRecord[];
  readonly failures?: number;
}): Promise<readonly ImageCleanup[]> {
  const { forMs, tasks = [] } = options;
  let { images = 0, diskUse = 0.1, failures = 0 } = options;
  const calls: ImageCleanup[] = [];
  const clock = new VirtualClock(0);
  const over = new AbortController();
  const running = runImageCleaner(
    {
      runtime: {
        removeUnusedImages: async (cleanup) => {
          calls.push(cleanup);
          if (failures-- > 0) throw new UnavailableError("the engine is away");
          const removed = Math.min(images, cleanup.countMax);
          images -= removed;
          diskUse -= removed / 10;
          return Array.from({ length: removed }, (_, index) => `image-${index}`);
        },
      },
      tasks: () => tasks,
      diskUse: async () => diskUse,
      minAgeMs: HOUR_MS,
      clock,
      log: silentLog,
    },
    over.signal,
  );
  await pass(clock, forMs);
  over.abort();
  await running;
  return calls;
}

test("every half hour five images at most go, unused for an hour", async () => {
  const calls = await clean({ forMs: 95 * MINUTE_MS, images: 100 });
  assert.deepEqual(
    calls,
    Array.from({ length: 3 }, () => ({ minAgeMs: HOUR_MS, countMax: 5, referenced: [] })),
  );
});

test("images of tasks that are here and have not stopped are named", async () => {
  const containers = [
    payloadContainer("a", { image: "one" }),
    payloadContainer("b", { image: "two" }),
  ];
  const task = newRecord(payloadTask("t1", { containers }));
  const gone = { ...newRecord(payloadTask("t2")), stoppedAt: 1 };
  const [call] = await clean({ forMs: 31 * MINUTE_MS, tasks: [task, gone] });
  assert.deepEqual(call?.referenced, ["one", "two"]);
});

test("a full disk is relieved at once, one image after another, until it has room", async () => {
  const calls = await clean({ forMs: 2 * MINUTE_MS, images: 100, diskUse: 0.95 });
  assert.deepEqual(calls, [
    { minAgeMs: 5 * MINUTE_MS, countMax: 1, referenced: [] },
    { minAgeMs: 5 * MINUTE_MS, countMax: 1, referenced: [] },
  ]);
});

test("a disk that is full of other things is looked at each minute, and no more", async () => {
  const calls = await clean({ forMs: 10 * MINUTE_MS, images: 0, diskUse: 0.99 });
  assert.equal(calls.length, 10);
});

test("an engine that is away is tried again later", async () => {
  const calls = await clean({ forMs: 65 * MINUTE_MS, images: 5, failures: 1 });
  assert.equal(calls.length, 2);
});
