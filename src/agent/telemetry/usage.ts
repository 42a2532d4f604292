/** What samples of a container's counters add up to between two messages. Pure. */
import type {
  ContainerMetrics,
  CounterStatsSet,
  NetworkStatsSet,
  StatsSet,
} from "../../protocol/tcs.ts";
import type { ContainerStats, InterfaceStats } from "../../runtime/runtime.ts";

const MIB = 2 ** 20;

/** Two samples of one container, one after the other. */
export interface StatsPair {
  readonly current: ContainerStats;
  readonly previous: ContainerStats | undefined;
}

/** The measured part of a container's metrics. */
export type Usage = Pick<
  ContainerMetrics,
  "cpuStatsSet" | "memoryStatsSet" | "networkStatsSet" | "storageStatsSet"
>;

/** Percent of the whole machine that a container took between two samples; undefined where nothing can be said. */
export function cpuPercent({ current, previous }: StatsPair): number | undefined {
  if (previous === undefined) return undefined;
  const elapsedNs = (current.readAt - previous.readAt) * 1e6 * current.onlineCpus;
  const usedNs = current.cpu.totalNs - previous.cpu.totalNs;
  // A container that was started again counts from zero; a clock that was set back says nothing.
  return elapsedNs > 0 && usedNs >= 0 ? (usedNs / elapsedNs) * 100 : undefined;
}

/** Bytes per second between two samples, over all interfaces; undefined where nothing can be said. */
export function networkRates(
  pair: StatsPair,
): { readonly rx: number; readonly tx: number } | undefined {
  const { current, previous } = pair;
  const hasNetwork = Object.keys(current.network).length > 0;
  const seconds = previous === undefined ? 0 : (current.readAt - previous.readAt) / 1000;
  if (previous === undefined || seconds <= 0 || !hasNetwork) return undefined;
  const rate = (counter: keyof InterfaceStats): number =>
    (total(current, counter) - total(previous, counter)) / seconds;
  const rates = { rx: rate("rxBytes"), tx: rate("txBytes") };
  return rates.rx >= 0 && rates.tx >= 0 ? rates : undefined;
}

/** Collects the samples of one container. */
export class UsageCollector {
  readonly #cpu = new Values();
  readonly #memory = new Values();
  readonly #read = new Values();
  readonly #write = new Values();
  readonly #rates = { rx: new Values(), tx: new Values() };
  readonly #counters = new Map<keyof InterfaceStats, Values>();

  add(pair: StatsPair): void {
    const { current } = pair;
    const percent = cpuPercent(pair);
    if (percent !== undefined) this.#cpu.add(percent);
    const { cacheBytes, usageBytes } = current.memory;
    this.#memory.add(Math.floor(Math.max(0, usageBytes - cacheBytes) / MIB));
    this.#read.add(current.block.readBytes);
    this.#write.add(current.block.writeBytes);
    const rates = networkRates(pair);
    if (rates !== undefined) {
      this.#rates.rx.add(rates.rx);
      this.#rates.tx.add(rates.tx);
    }
    if (Object.keys(current.network).length === 0) return;
    for (const counter of COUNTERS) {
      const values = this.#counters.get(counter) ?? new Values();
      values.add(total(current, counter));
      this.#counters.set(counter, values);
    }
  }

  /**
   * Undefined until there were two samples. `sharers`: containers with the same network, whose traffic cannot be told apart:
   * each gets its share, so that the task's sum is true.
   */
  usage(sharers: number): Usage | undefined {
    const cpuStatsSet = this.#cpu.set();
    if (cpuStatsSet === undefined) return undefined;
    const networkStatsSet = this.#network(sharers);
    return {
      cpuStatsSet,
      ...members({ memoryStatsSet: this.#memory.set() }),
      ...(networkStatsSet && { networkStatsSet }),
      storageStatsSet: members({
        readSizeBytes: counterSet(this.#read.set()),
        writeSizeBytes: counterSet(this.#write.set()),
      }),
    };
  }

  #network(sharers: number): NetworkStatsSet | undefined {
    const rates = members({
      rxBytesPerSecond: this.#rates.rx.set(sharers),
      txBytesPerSecond: this.#rates.tx.set(sharers),
    });
    if (this.#counters.size === 0) return undefined;
    const counters = COUNTERS.map((counter) => [
      counter,
      counterSet(wholeNumbers(this.#counters.get(counter)?.set(sharers))),
    ]);
    return { ...(Object.fromEntries(counters) as NetworkStatsSet), ...rates };
  }
}

const COUNTERS = [
  "rxBytes",
  "rxDropped",
  "rxErrors",
  "rxPackets",
  "txBytes",
  "txDropped",
  "txErrors",
  "txPackets",
] as const satisfies readonly (keyof InterfaceStats & keyof NetworkStatsSet)[];

/** The numbers of one kind, as far as a stats set tells of them. */
class Values {
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #count = 0;
  #sum = 0;

  add(value: number): void {
    this.#min = Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
    this.#sum += value;
    this.#count++;
  }

  /** Undefined when there was none. */
  set(divisor = 1): StatsSet | undefined {
    if (this.#count === 0) return undefined;
    return {
      min: this.#min / divisor,
      max: this.#max / divisor,
      sampleCount: this.#count,
      sum: this.#sum / divisor,
    };
  }
}

function counterSet(set: StatsSet | undefined): CounterStatsSet | undefined {
  // Counters of the kernel stay below what a double holds exactly.
  return set && { ...set, overflowMin: 0, overflowMax: 0, overflowSum: 0 };
}

function wholeNumbers(set: StatsSet | undefined): StatsSet | undefined {
  if (set === undefined) return undefined;
  const { min, max, sum, sampleCount } = set;
  return { min: Math.floor(min), max: Math.floor(max), sampleCount, sum: Math.floor(sum) };
}

function total({ network }: ContainerStats, counter: keyof InterfaceStats): number {
  return Object.values(network).reduce((sum, stats) => sum + stats[counter], 0);
}

/** Without the members that are undefined. */
function members<T extends object>(document: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(document).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
