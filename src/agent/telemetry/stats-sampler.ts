import type { Clock } from "../../lib/clock.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { ContainerStats, Runtime } from "../../runtime/runtime.ts";
import { type StatsPair, type Usage, UsageCollector } from "./usage.ts";

/** ECS agent: who asks for stats gets what is at most this old. */
const FRESH_MS = 1_000;

interface Sampled {
  pair: StatsPair | undefined;
  collector: UsageCollector;
  reading: Promise<void> | undefined;
}

export interface StatsSamplerDeps {
  readonly runtime: Pick<Runtime, "stats">;
  /** Ids of the containers that run now. */
  readonly running: () => readonly string[];
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Reads what the agent's containers use, again and again, and keeps of it what the next message tells. */
export class StatsSampler {
  readonly #deps: StatsSamplerDeps;
  readonly #sampled = new Map<string, Sampled>();

  constructor(deps: StatsSamplerDeps) {
    this.#deps = deps;
  }

  /** Samples until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, intervalMs } = this.#deps;
    while (!signal.aborted) {
      await this.#sampleAll(signal);
      await clock.sleep(intervalMs, signal);
    }
  }

  /** The latest two samples, the last no older than a second; undefined for a container that does not run. */
  async latest(id: string): Promise<StatsPair | undefined> {
    const readAt = this.#sampled.get(id)?.pair?.current.readAt;
    const now = this.#deps.clock.now();
    const isFresh = readAt !== undefined && now >= readAt && now - readAt < FRESH_MS;
    if (!isFresh) await this.#sample(id);
    return this.#sampled.get(id)?.pair;
  }

  /** What a container has used since the last take; see {@link UsageCollector.usage}. */
  take(id: string, sharers: number): Usage | undefined {
    const sampled = this.#sampled.get(id);
    const usage = sampled?.collector.usage(sharers);
    if (sampled !== undefined && usage !== undefined) sampled.collector = new UsageCollector();
    return usage;
  }

  async #sampleAll(signal: AbortSignal): Promise<void> {
    const running = new Set(this.#deps.running());
    for (const id of this.#sampled.keys()) if (!running.has(id)) this.#sampled.delete(id);
    // One after the other: a hundred containers must not take the machine's disk threads all at once.
    for (const id of running) {
      if (signal.aborted) return;
      await this.#sample(id);
    }
  }

  /** Does one sample of a container at a time: whoever asks meanwhile gets the same. */
  async #sample(id: string): Promise<void> {
    const sampled = this.#sampled.get(id) ?? {
      pair: undefined,
      collector: new UsageCollector(),
      reading: undefined,
    };
    sampled.reading ??= this.#read(id, sampled).finally(() => {
      sampled.reading = undefined;
    });
    await sampled.reading;
  }

  async #read(id: string, sampled: Sampled): Promise<void> {
    let current: ContainerStats | undefined;
    try {
      current = await this.#deps.runtime.stats(id);
    } catch (error) {
      this.#deps.log.debug("a container's stats cannot be read", { id, error: messageOf(error) });
    }
    if (current === undefined) {
      this.#sampled.delete(id);
      return;
    }
    sampled.pair = { current, previous: sampled.pair?.current };
    sampled.collector.add(sampled.pair);
    this.#sampled.set(id, sampled);
  }
}
