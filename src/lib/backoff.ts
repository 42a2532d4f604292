import type { Random } from "./random.ts";

/** How long to wait before trying again: `firstMs` × `factor` per failure, at most `maxMs`, ± 20 %. */
export interface Backoff {
  readonly firstMs: number;
  readonly factor: number;
  readonly maxMs: number;
}

/** ECS agent: jitter of its reconnections. Spreads the agents that one failure of the server hit together. */
const JITTER = 0.2;

/** Milliseconds to wait after the `failures`-th failure in a row (from 1). */
export function backoffMs(backoff: Backoff, failures: number, random: Random): number {
  const base = Math.min(backoff.maxMs, backoff.firstMs * backoff.factor ** (failures - 1));
  return base * (1 - JITTER + 2 * JITTER * random.next());
}
