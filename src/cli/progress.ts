import type { Clock } from "../lib/clock.ts";
import type { PullProgress, PullRetry } from "../runtime/pull.ts";

/** A terminal, or a file. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Chosen: a terminal follows as fast as eyes do; a file gets a line now and then. */
const TERMINAL_MS = 100;
const FILE_MS = 5_000;
const CLEAR_LINE = "\r\x1b[2K";

/** One line that changes in place on a terminal; anywhere else, lines of their own. */
export class ProgressLine {
  readonly #output: ProgressOutput;
  readonly #clock: Clock;
  #shownAt: number | undefined;
  #isOpen = false;

  constructor(output: ProgressOutput, clock: Clock) {
    this.#output = output;
    this.#clock = clock;
  }

  /** Shows a text now, or not at all if the former is too fresh. `isLast`: it stays, and is always shown. */
  show(text: string, { isLast }: { readonly isLast: boolean }): void {
    const { isTTY = false } = this.#output;
    const now = this.#clock.now();
    const pauseMs = isTTY ? TERMINAL_MS : FILE_MS;
    if (!isLast && this.#shownAt !== undefined && now - this.#shownAt < pauseMs) return;
    if (!isLast) this.#shownAt = now;
    const isWhole = isLast || !isTTY;
    this.#output.write(`${this.#isOpen ? CLEAR_LINE : ""}${text}${isWhole ? "\n" : ""}`);
    this.#isOpen = !isWhole;
  }

  /** Clears what would stand in the way of other lines. */
  end(): void {
    if (this.#isOpen) this.#output.write(CLEAR_LINE);
    this.#isOpen = false;
  }
}

/** How far a pull is, for people. */
export function progressText({ bytes, bytesTotal, layers, layersDone }: PullProgress): string {
  return `${layersDone} of ${layers} layers, ${mebibytes(bytes)} of ${mebibytes(bytesTotal)} MiB`;
}

/** Why it takes longer, for people. */
export function retryText({ inMs, number, numberMax, reason }: PullRetry): string {
  return `${reason}; trying again in ${Math.ceil(inMs / 1000)} s (${number} of ${numberMax})`;
}

/** With one digit behind the point. */
export function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
