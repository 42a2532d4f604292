import { availableParallelism } from "node:os";

/**
 * How many pieces of work that each keep a processor busy are worth having under way. Measured with starts of containers: eight on
 * two processors cost a tenth more of them than three do. The one beyond the processors uses what the others wait for the disk.
 */
export function busyAtOnce(): number {
  return availableParallelism() + 1;
}
