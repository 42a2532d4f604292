import type { Random } from "../../src/lib/random.ts";

/** Chance that is the same in every run with the same seed (sfc32). For simulation only: nothing of it is secret. */
export class SeededRandom implements Random {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  constructor(seed: string) {
    this.#seed = seed;
    this.#a = hashOf(seed, 0x811c9dc5);
    this.#b = hashOf(seed, 0x9e3779b9);
    this.#c = hashOf(seed, 0x85ebca6b);
    this.#counter = hashOf(seed, 1);
    // The generator's own advice: the first numbers still show the seed.
    for (let turn = 0; turn < 12; turn++) this.#word();
  }

  /** A stream of its own: what one part of the world draws does not shift what another one gets. */
  fork(name: string): SeededRandom {
    return new SeededRandom(`${this.#seed}/${name}`);
  }

  next(): number {
    return this.#word() / 2 ** 32;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let index = 0; index < length; index++) bytes[index] = this.#word() >>> 24;
    return bytes;
  }

  hex(length: number): string {
    return Buffer.from(this.bytes(length)).toString("hex");
  }

  uuid(): string {
    const hex = this.hex(16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** A whole number from `min` to `max`, both included. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.integer(0, choices.length - 1)] ?? choices[0];
  }

  /** Whole milliseconds to the next of events that come `meanMs` apart on average and know nothing of each other. */
  interval(meanMs: number): number {
    return Math.ceil(-Math.log(1 - this.next()) * meanMs);
  }

  /** One of a list that may be empty. */
  pickFrom<T>(choices: readonly T[]): T | undefined {
    return choices[this.integer(0, choices.length - 1)];
  }

  #word(): number {
    const [b, c] = [this.#b, this.#c];
    const sum = (this.#a + b + this.#counter) | 0;
    this.#a = b ^ (b >>> 9);
    this.#b = (c + (c << 3)) | 0;
    this.#c = (((c << 21) | (c >>> 11)) + sum) | 0;
    this.#counter = (this.#counter + 1) | 0;
    return sum >>> 0;
  }
}

/** A word of a text (FNV-1a, from a start of its own). */
function hashOf(text: string, start: number): number {
  let hash = start;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash | 0;
}
