/** Lets a machine's unused images go: on a schedule as the ECS agent does, and more of them when the disk fills up. */
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { TaskRecord } from "./task-record.ts";

export interface ImageCleanerDeps {
  readonly runtime: Pick<Runtime, "removeUnusedImages">;
  /** The tasks of all agents of the machine. */
  readonly tasks: () => readonly TaskRecord[];
  /** How full the disk of the images is: 0 to 1. */
  readonly diskUse: () => Promise<number>;
  /** How long an image stays unused before it may go. */
  readonly minAgeMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** ECS agent: its image cleanup interval, and the images it removes each time. */
const INTERVAL_MS = 30 * 60_000;
const IMAGES_PER_CYCLE_MAX = 5;
/** Chosen: how often the disk is looked at. */
const DISK_INTERVAL_MS = 60_000;
/** Above the first the disk is too full; images go until it is below the second. Kubernetes' own defaults. */
const DISK_FULL = 0.85;
const DISK_RELIEVED = 0.8;
/** Chosen: under pressure an image that has been unused for so long may go, whatever else is set. */
const PRESSURE_AGE_MS_MAX = 5 * 60_000;

/** Works until `signal` aborts. */
export async function runImageCleaner(deps: ImageCleanerDeps, signal: AbortSignal): Promise<void> {
  const { clock, log, minAgeMs } = deps;
  let cleanAt = clock.now() + INTERVAL_MS;
  while (!signal.aborted) {
    await clock.sleep(DISK_INTERVAL_MS, signal);
    if (signal.aborted) return;
    try {
      if (clock.now() >= cleanAt) {
        cleanAt = clock.now() + INTERVAL_MS;
        await remove(deps, { minAgeMs, countMax: IMAGES_PER_CYCLE_MAX });
      }
      if ((await deps.diskUse()) > DISK_FULL) await relieve(deps, signal);
    } catch (error) {
      log.warn("cannot clean up images now", { error: messageOf(error) });
    }
  }
}

/** One image at a time, until there is room again or nothing left to remove. */
async function relieve(deps: ImageCleanerDeps, signal: AbortSignal): Promise<void> {
  const minAgeMs = Math.min(deps.minAgeMs, PRESSURE_AGE_MS_MAX);
  while (!signal.aborted && (await deps.diskUse()) > DISK_RELIEVED) {
    const removed = await remove(deps, { minAgeMs, countMax: 1 });
    if (removed === 0) return;
  }
}

async function remove(
  { log, runtime, tasks }: ImageCleanerDeps,
  rules: { readonly minAgeMs: number; readonly countMax: number },
): Promise<number> {
  const referenced = tasks()
    .filter(({ stoppedAt }) => stoppedAt === undefined)
    .flatMap(({ task }) => task.containers.map(({ image }) => image));
  const removed = await runtime.removeUnusedImages({ ...rules, referenced });
  for (const image of removed) log.info("unused image removed", { image });
  return removed.length;
}
