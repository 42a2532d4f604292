import { createHash } from "node:crypto";
import type { Clock } from "../../src/lib/clock.ts";

/** Lines kept for a failure's report: the newest. */
const LINES_MAX = 5_000;
/** Characters hashed at a time. */
const HASH_LENGTH = 65_536;

/**
 * What happened in a simulated world, in order. Everything goes into the digest, by which two runs are compared; the
 * transitions of states are also kept as text, for whoever has to find out why a run failed.
 */
export class Trace {
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #hash = createHash("sha256");
  /** What is still to be hashed. */
  #text = "";
  readonly #lines: string[] = [];
  #eventCount = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.now();
  }

  /** Counts towards the digest only. */
  event(what: string): void {
    this.#eventCount++;
    this.#text += `${this.#clock.now()} ${what}\n`;
    if (this.#text.length > HASH_LENGTH) this.#hashText();
  }

  /** Is also told when the run fails. */
  transition(what: string): void {
    this.event(what);
    this.#lines.push(`${this.#time()} ${what}`);
    if (this.#lines.length > 2 * LINES_MAX) this.#lines.splice(0, LINES_MAX);
  }

  get eventCount(): number {
    return this.#eventCount;
  }

  get lines(): readonly string[] {
    return this.#lines.slice(-LINES_MAX);
  }

  /** Of everything so far. */
  digest(): string {
    this.#hashText();
    return this.#hash.copy().digest("hex").slice(0, 16);
  }

  #hashText(): void {
    this.#hash.update(this.#text);
    this.#text = "";
  }

  /** `00:12:34.567` since the beginning. */
  #time(): string {
    return new Date(this.#clock.now() - this.#startedAt).toISOString().slice(11, 23);
  }
}
