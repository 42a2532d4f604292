/**
 * What containers have used in the last minutes, in memory: the metrics service reads it, and nothing is lost with it but
 * those minutes. Small, because every container of a fleet has its own ring.
 */
import type { ContainerMetrics, StatsSet } from "../../protocol/tcs.ts";

/** Chosen: three of the metrics service's periods. */
const KEPT_MS = 180_000;
/** Chosen: a point per second of that. Faster agents lose their oldest points. */
const POINTS_MAX = 180;
const POINTS_AT_FIRST = 4;
/** Numbers per point, see {@link toNumbers}. */
const STRIDE = 13;

/** One message about one container. */
export interface MetricPoint {
  /** When it came: epoch milliseconds of the server. */
  readonly at: number;
  /** Percent of the whole machine: all cores are 100. */
  readonly cpuPercent: StatsSet;
  readonly memoryMiB: StatsSet;
  /** Counters since the container's start. */
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly readBytes: number;
  readonly writeBytes: number;
}

export class ContainerMetricsBook {
  /** By task key, then by container name. */
  readonly #tasks = new Map<string, Map<string, Ring>>();

  record(taskKey: string, metrics: ContainerMetrics, now: number): void {
    const containers = this.#tasks.get(taskKey) ?? new Map<string, Ring>();
    this.#tasks.set(taskKey, containers);
    const ring = containers.get(metrics.containerName) ?? new Ring();
    containers.set(metrics.containerName, ring);
    ring.push(toNumbers(metrics, now));
  }

  /** A container's points since an instant, the oldest first. */
  points(taskKey: string, containerName: string, since: number): readonly MetricPoint[] {
    return this.#tasks.get(taskKey)?.get(containerName)?.points(since) ?? [];
  }

  /** The last point of each container of a task. */
  latest(taskKey: string): ReadonlyMap<string, MetricPoint> {
    const entries = [...(this.#tasks.get(taskKey) ?? [])].flatMap(([name, ring]) => {
      const point = ring.points(0).at(-1);
      return point === undefined ? [] : [[name, point] as const];
    });
    return new Map(entries);
  }

  /** Forgets a task that has ended. */
  forget(taskKey: string): void {
    this.#tasks.delete(taskKey);
  }
}

/** The points of one container, in one array that grows as far as they last. */
class Ring {
  #numbers = new Float64Array(POINTS_AT_FIRST * STRIDE);
  /** Of the oldest point. */
  #first = 0;
  #count = 0;

  push(point: readonly number[]): void {
    const [now = 0] = point;
    while (this.#count > 0 && now - this.#number(0, 0) >= KEPT_MS) this.#drop();
    if (this.#count === POINTS_MAX) this.#drop();
    if (this.#count === this.#capacity) this.#grow();
    this.#numbers.set(point, ((this.#first + this.#count) % this.#capacity) * STRIDE);
    this.#count++;
  }

  points(since: number): readonly MetricPoint[] {
    const points = Array.from({ length: this.#count }, (_, index) =>
      toPoint(Array.from({ length: STRIDE }, (_, offset) => this.#number(index, offset))),
    );
    return points.filter(({ at }) => at >= since);
  }

  get #capacity(): number {
    return this.#numbers.length / STRIDE;
  }

  #number(index: number, offset: number): number {
    return this.#numbers[((this.#first + index) % this.#capacity) * STRIDE + offset] ?? 0;
  }

  #drop(): void {
    this.#first = (this.#first + 1) % this.#capacity;
    this.#count--;
  }

  #grow(): void {
    const capacity = Math.min(POINTS_MAX, Math.ceil(this.#capacity * 1.5));
    const numbers = new Float64Array(capacity * STRIDE);
    for (let index = 0; index < this.#count; index++) {
      for (let offset = 0; offset < STRIDE; offset++) {
        numbers[index * STRIDE + offset] = this.#number(index, offset);
      }
    }
    this.#numbers = numbers;
    this.#first = 0;
  }
}

const NOTHING: StatsSet = { min: 0, max: 0, sampleCount: 0, sum: 0 };

function toNumbers(metrics: ContainerMetrics, at: number): readonly number[] {
  const { cpuStatsSet, memoryStatsSet, networkStatsSet, storageStatsSet } = metrics;
  return [
    at,
    ...setNumbers(cpuStatsSet ?? NOTHING),
    ...setNumbers(memoryStatsSet ?? NOTHING),
    networkStatsSet?.rxBytes?.max ?? 0,
    networkStatsSet?.txBytes?.max ?? 0,
    storageStatsSet?.readSizeBytes?.max ?? 0,
    storageStatsSet?.writeSizeBytes?.max ?? 0,
  ];
}

function setNumbers({ min, max, sampleCount, sum }: StatsSet): readonly number[] {
  return [min, max, sampleCount, sum];
}

function toPoint(numbers: readonly number[]): MetricPoint {
  const [at = 0, ...rest] = numbers;
  const set = ([min = 0, max = 0, sampleCount = 0, sum = 0]: readonly number[]): StatsSet => ({
    min,
    max,
    sampleCount,
    sum,
  });
  const [rxBytes = 0, txBytes = 0, readBytes = 0, writeBytes = 0] = rest.slice(8);
  return {
    at,
    cpuPercent: set(rest.slice(0, 4)),
    memoryMiB: set(rest.slice(4, 8)),
    rxBytes,
    txBytes,
    readBytes,
    writeBytes,
  };
}
