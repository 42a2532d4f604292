import type { Dataplane } from "../../dataplane/dataplane.ts";
import { UnavailableError } from "../../lib/errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";

/** Counts effects on the machine, and ends the agent before or after one of them takes place. */
export class CrashPoint {
  readonly #at: number;
  readonly #when: "before" | "after";
  readonly #crash: () => void;
  #count = 0;

  /** Crashes at the `at`-th effect, from 0. */
  constructor(at: number, when: "before" | "after", crash: () => void) {
    this.#at = at;
    this.#when = when;
    this.#crash = crash;
  }

  /** Whether that many effects have come. */
  get isReached(): boolean {
    return this.#count > this.#at;
  }

  /** `runtime` and `dataplane` whose every call that changes something is counted. None takes place after the crash. */
  watch(machine: { runtime: Runtime; dataplane: Dataplane }): {
    runtime: Runtime;
    dataplane: Dataplane;
  } {
    const { runtime, dataplane } = machine;
    return {
      runtime: {
        ...runtime,
        create: (spec, network) => this.#effect(() => runtime.create(spec, network)),
        start: (id) => this.#effect(() => runtime.start(id)),
        holdNamespaces: (holder) => this.#effect(() => runtime.holdNamespaces(holder)),
        restart: (id, after) => this.#effect(() => runtime.restart(id, after)),
        signal: (id, name) => this.#effect(() => runtime.signal(id, name)),
        remove: (id) => this.#effect(() => runtime.remove(id)),
      },
      dataplane: {
        ...dataplane,
        attach: (...args) => this.#effect(() => dataplane.attach(...args)),
        begin: (id) => this.#effect(() => dataplane.begin(id)),
        isolate: (id) => this.#effect(() => dataplane.isolate(id)),
        detach: (id) => this.#effect(() => dataplane.detach(id)),
        attachBridge: (...args) => this.#effect(() => dataplane.attachBridge(...args)),
        detachBridge: (id) => this.#effect(() => dataplane.detachBridge(id)),
      },
    };
  }

  async #effect<T>(effect: () => Promise<T>): Promise<T> {
    const number = this.#count++;
    if (number > this.#at) throw new UnavailableError("the agent has crashed");
    if (number < this.#at) return effect();
    if (this.#when === "after") await effect();
    this.#crash();
    throw new UnavailableError("the agent has crashed");
  }
}
