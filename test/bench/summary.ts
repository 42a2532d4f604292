/** What a series of measurements comes to. */
export interface Summary {
  readonly median: number;
  readonly best: number;
  readonly p90: number;
}

/** `best` is the smallest value. */
export function summarise(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
  return { median: at(0.5), best: at(0), p90: at(0.9) };
}

/** `median / best / p90`, in whole numbers. */
export function format({ median, best, p90 }: Summary): string {
  return [median, best, p90].map((value) => value.toFixed(0).padStart(6)).join(" /");
}

/** One row of a table: what was measured, and how it came out. */
export function row(name: string, text: string): void {
  console.log(`  ${name.padEnd(56)}${text}`);
}
