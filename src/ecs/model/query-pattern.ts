/**
 * Compiles a caller's regular expression, if it is one that cannot be made to run for long. JavaScript's engine
 * backtracks, so what multiplies its work is refused: repeated groups, back references, and more than
 * {@link REPETITIONS_MAX} repetitions. With values of 128 characters a match then takes some millions of steps at worst.
 */
export function compilePattern(pattern: string): RegExp | undefined {
  // A class stands for one character; what it contains repeats nothing.
  const outline = pattern.replace(/\\[^\d]/g, "x").replace(/\[(\\.|[^\]\\])*\]/g, "x");
  const repetitions = outline.match(/[*+{]/g)?.length ?? 0;
  if (/\)[*+?{]|\\\d/.test(outline) || repetitions > REPETITIONS_MAX) return undefined;
  try {
    return new RegExp(`^(?:${pattern})$`, "u");
  } catch {
    return undefined;
  }
}

/** Chosen: `.*name.*` with a suffix to spare. */
const REPETITIONS_MAX = 3;
