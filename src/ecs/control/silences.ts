/**
 * For how long agents have been away, as this process has watched it: time in which no server was there to be spoken to
 * is nobody's silence, and a clock that is set forward makes nobody silent. Instants are epoch milliseconds.
 */
export class Silences {
  readonly #stepMsMax: number;
  readonly #silences = new Map<string, Silence>();

  /** `stepMsMax`: what lies between two looks counts for no more than this. */
  constructor(stepMsMax: number) {
    this.#stepMsMax = stepMsMax;
  }

  /** A look at an agent that is away `since` then. Returns how long it has been silent. */
  extend(key: string, since: number, now: number): number {
    const known = this.#silences.get(key);
    const before = known?.since === since ? known : { since, ms: 0, lookedAt: now };
    const stepMs = Math.max(0, Math.min(now - before.lookedAt, this.#stepMsMax));
    const silence = { since, ms: before.ms + stepMs, lookedAt: now };
    this.#silences.set(key, silence);
    return silence.ms;
  }

  /** The agent is there. Returns the silence that is left of it: none. */
  end(key: string): 0 {
    this.#silences.delete(key);
    return 0;
  }
}

interface Silence {
  readonly since: number;
  readonly ms: number;
  readonly lookedAt: number;
}
