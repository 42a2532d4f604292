import { Wake } from "../../src/agent/wake.ts";
import type { Clock } from "../../src/lib/clock.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** What may go wrong between one machine and the server. */
export interface LinkConditions {
  readonly latencyMsMin: number;
  readonly latencyMsMax: number;
  /** Of one request: its connection breaks on the way there, or on the way back when it has taken effect. */
  readonly resetChance: number;
  /** Of one request: it reaches the server twice. */
  readonly duplicateChance: number;
}

export const GOOD_LINK: LinkConditions = {
  latencyMsMin: 1,
  latencyMsMax: 3,
  resetChance: 0,
  duplicateChance: 0,
};

/** The network between one machine and the server. While it is cut everything waits, as TCP's retransmissions do. */
export class Link {
  readonly clock: Clock;
  readonly random: SeededRandom;
  conditions: LinkConditions = GOOD_LINK;
  readonly #mended = new Wake();
  #isCut = false;

  constructor(clock: Clock, random: SeededRandom) {
    this.clock = clock;
    this.random = random;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  cut(): void {
    this.#isCut = true;
  }

  mend(): void {
    this.#isCut = false;
    this.#mended.notify();
  }

  /** Milliseconds that the next packet takes. */
  latencyMs(): number {
    const { latencyMsMin, latencyMsMax } = this.conditions;
    return this.random.integer(latencyMsMin, latencyMsMax);
  }

  /** The time of one packet's way across. */
  async cross(): Promise<void> {
    await this.clock.sleep(this.latencyMs());
    await this.whole();
  }

  /** Resolves while the link is not cut. */
  async whole(): Promise<void> {
    while (this.#isCut) await new Promise<void>((resolve) => this.onMended(resolve));
  }

  /** Calls `listener` when the link, which is cut, is not any more. */
  onMended(listener: () => void): void {
    this.#mended.next().subscribe(listener);
  }
}
