import { once } from "node:events";
import { availableParallelism } from "node:os";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";

/** What a test wants to know of a world that was lived. */
export interface Life {
  readonly seed: number;
  /** Equal for equal lives. */
  readonly digest: string;
  readonly eventCount: number;
  readonly taskCount: number;
  /** What somebody needs who is to find out why it failed; undefined when it did not. */
  readonly failure: string | undefined;
}

interface Thread {
  readonly worker: Worker;
  readonly died: Promise<never>;
}

/**
 * Threads that live worlds, one for each core; whoever is done takes the next seed. Threads also because they are out of
 * reach of node:test: it follows each promise of the thread that its tests run in, and a world takes 1.7 times as long there.
 */
export class WorldPool implements AsyncDisposable {
  readonly #threads = Array.from({ length: availableParallelism() }, startThread);

  /** Lives the worlds of these seeds; their lives in the same order. Rejects when a thread dies. */
  async live(seeds: readonly number[]): Promise<readonly Life[]> {
    const lives: Life[] = [];
    let nextIndex = 0;
    const work = async ({ died, worker }: Thread): Promise<void> => {
      while (nextIndex < seeds.length) {
        const index = nextIndex++;
        worker.postMessage(seeds[index]);
        const [life] = await Promise.race([once(worker, "message"), died]);
        lives[index] = life as Life;
      }
    };
    await Promise.all(this.#threads.map(work));
    return lives;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }
}

/**
 * For threads that begin after it. Each lives on a core of its own and leaves little for the collector to find: helpers would
 * take the time of the other threads, and a young generation of 1 MiB, or of the 4 that `bin/gantry-node` leaves it, is collected
 * ten times as often.
 */
const HEAP_FLAGS = "--single-threaded-gc --min-semi-space-size=16 --max-semi-space-size=16";

function startThread(): Thread {
  setFlagsFromString(HEAP_FLAGS);
  const worker = new Worker(new URL("world-worker.ts", import.meta.url));
  const died = once(worker, "exit").then(([code]) => {
    throw new Error(`a thread that lives worlds has ended with ${code}`);
  });
  died.catch(() => undefined);
  return { worker, died };
}
