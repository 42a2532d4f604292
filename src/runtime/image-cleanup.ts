/** Which images a machine lets go of. Pure. */

/** An image by its name, and who may still want it. */
export interface ImageUse {
  readonly name: string;
  readonly origin: "loaded" | "pulled";
  /** Epoch milliseconds, like the next. */
  readonly storedAt: number;
  /** When a task last asked for it. */
  readonly lastUsedAt: number;
  /** A container is made of it, or a task of this machine has yet to make one. */
  readonly isWanted: boolean;
}

export interface CleanupRules {
  /** An image is kept for so long after it was stored or last used. */
  readonly minAgeMs: number;
  /** Images removed at a time. */
  readonly countMax: number;
}

/**
 * The names to remove, those first that were used longest ago. What somebody loaded by hand is never removed: no registry
 * could give it back.
 */
export function imagesToRemove(
  images: readonly ImageUse[],
  { countMax, minAgeMs }: CleanupRules,
  now: number,
): readonly string[] {
  return images
    .filter(({ isWanted, origin }) => origin === "pulled" && !isWanted)
    .filter(({ lastUsedAt, storedAt }) => now - Math.max(lastUsedAt, storedAt) >= minAgeMs)
    .toSorted((a, b) => a.lastUsedAt - b.lastUsedAt || a.storedAt - b.storedAt)
    .slice(0, countMax)
    .map(({ name }) => name);
}
