/** Whole numbers in few bytes: 7 bits a byte, low ones first, the sign in the lowest bit. Any safe integer. */

/** Bytes that a value can need at most. */
export const VARINT_BYTES_MAX = 8;

/** Writes `value` (a whole number, |value| < 2^52) at `offset` and returns where it ends. */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  let rest = value < 0 ? -value * 2 - 1 : value * 2;
  let end = offset;
  // Division, not shifts: those stop at 32 bits, and timestamps need 41.
  while (rest > 127) {
    target[end++] = (rest % 128) + 128;
    rest = Math.floor(rest / 128);
  }
  target[end++] = rest;
  return end;
}

/** Reads on from a place that moves. */
export class VarintReader {
  readonly #source: Uint8Array;
  #offset: number;

  constructor(source: Uint8Array, offset = 0) {
    this.#source = source;
    this.#offset = offset;
  }

  /** Where the next value begins. */
  get offset(): number {
    return this.#offset;
  }

  next(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#source[this.#offset++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) break;
      scale *= 128;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
