/** What a series of measurements comes to. */
export interface Summary {
  readonly median: number;
  readonly best: number;
  readonly p90: number;
}

/** `best` is the smallest value; of an even number of values the median is the mean of the two in the middle. */
export function summarise(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const last = sorted.length - 1;
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  return {
    median: (at(Math.floor(last / 2)) + at(Math.ceil(last / 2))) / 2,
    best: at(0),
    p90: at(Math.floor(last * 0.9)),
  };
}

/** `median / best / p90`, in whole numbers. */
export function format({ median, best, p90 }: Summary): string {
  return [median, best, p90].map((value) => value.toFixed(0).padStart(6)).join(" /");
}

/** One row of a table: what was measured, and how it came out. */
export function row(name: string, text: string): void {
  console.log(`  ${name.padEnd(56)}${text}`);
}
