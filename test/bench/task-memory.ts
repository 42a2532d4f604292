/** What a running task costs in the server's memory: its record, its places in the indexes, and its share of a board. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ecsIndexes } from "../../src/ecs/control/indexes.ts";
import { silentLog } from "../../src/lib/log.ts";
import { createCache } from "../../src/store/cache.ts";
import { openMemoryStore } from "../../src/store/memory.ts";
import { runningTask } from "./population.ts";

const TASKS = 100_000;
const BATCH = 100;

/** Prints bytes per task, of tasks that nobody has read and of tasks that every reader has. */
export async function measureTaskMemory(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const used = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const store = openMemoryStore();
  const cache = createCache({ store, indexes: ecsIndexes, log: silentLog });
  const end = new AbortController();
  const following = cache.run(end.signal);
  await cache.reached(0);
  const before = used();
  for (let from = 0; from < TASKS; from += BATCH) {
    const writes = Array.from({ length: BATCH }, (_, index) => runningTask(from + index));
    const { revision } = await store.txn([], writes);
    await cache.reached(revision);
  }
  const unread = (used() - before) / TASKS;
  const records = cache.list("/");
  const readCount = records.filter(({ value }) => typeof value === "object").length;
  const read = (used() - before) / TASKS;
  console.log(
    `\nMemory per running task, ${readCount} tasks in the cache of a store in memory, bytes`,
  );
  console.log(`  as written, read by nobody                 ${unread.toFixed(0).padStart(8)}`);
  console.log(`  read by everybody                          ${read.toFixed(0).padStart(8)}`);
  end.abort();
  await following;
  await store.close();
}
