import { messageOf, SetupError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { NodeKey } from "../protocol/node-join.ts";
import { type Machine, renewKeys } from "./join.ts";
import type { Membership } from "./membership.ts";

/** Chosen: a machine's key that leaks is worth at most a day. */
const RENEW_MS = 24 * 3_600_000;
/** Chosen: between attempts while the server cannot be reached. */
export const RENEW_AGAIN_MS: number = 5 * 60_000;

/** The machine's keys, made new once a day. */
export class FreshKeys {
  #membership: Membership;
  #renewsAt: number;
  readonly #machine: Machine;
  readonly #log: Log;

  constructor(membership: Membership, machine: Machine, log: Log) {
    this.#membership = membership;
    this.#renewsAt = machine.clock.now() + RENEW_MS;
    this.#machine = machine;
    this.#log = log;
  }

  /** Epoch milliseconds: until then the present keys stay. */
  get renewsAt(): number {
    return this.#renewsAt;
  }

  get membership(): Membership {
    return this.#membership;
  }

  /** The present key in an account: to be asked for at each call. Throws SetupError where there is none. */
  of(accountId: string): NodeKey {
    const key = this.#membership.keys[accountId];
    if (key === undefined) throw new SetupError(`this machine has no key in account ${accountId}`);
    return key;
  }

  /** Renews until `signal` aborts. While the server is away the present keys do. */
  async run(signal: AbortSignal, first: "now" | "later"): Promise<void> {
    const { clock } = this.#machine;
    if (first === "later") await clock.sleep(RENEW_MS, signal);
    while (!signal.aborted) {
      let pauseMs = RENEW_MS;
      try {
        this.#membership = await renewKeys(this.#membership, this.#machine, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#log.warn("cannot renew this machine's keys yet", { error: messageOf(error) });
        pauseMs = RENEW_AGAIN_MS;
      }
      this.#renewsAt = clock.now() + pauseMs;
      await clock.sleep(pauseMs, signal);
    }
  }
}
