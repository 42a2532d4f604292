import { type EngineConditions, GOOD_ENGINE } from "./effects.ts";
import { GOOD_LINK, type LinkConditions } from "./link.ts";
import type { AgentLabel, SimMachine } from "./machine.ts";
import { GOOD_STORE, type StoreConditions } from "./process-store.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** What goes wrong from the first minute to the last: drawn once for each world. */
export interface Weather {
  readonly link: LinkConditions;
  readonly engine: EngineConditions;
  readonly store: StoreConditions;
}

export const FAIR_WEATHER: Weather = { link: GOOD_LINK, engine: GOOD_ENGINE, store: GOOD_STORE };

/** What goes wrong now and then: how often on average, in ms; undefined: never in this world. */
export type FaultRates = Readonly<Record<keyof Faults["actions"], number | undefined>>;

export interface FaultsDeps {
  readonly machines: readonly SimMachine[];
  readonly random: SeededRandom;
  readonly sleep: (ms: number) => Promise<void>;
  readonly say: (what: string) => void;
  /** Kills the server process and brings the next one up after `downMs`. */
  readonly restartServer: (downMs: number) => Promise<void>;
  /** Sets the clocks of the server and of its client forward. */
  readonly setServerAhead: (ms: number) => void;
}

const MINUTE_MS = 60_000;

/** Things that go wrong at a moment and mend themselves. Two of them never work on one machine at a time. */
export class Faults {
  readonly #deps: FaultsDeps;
  readonly #busy = new Set<SimMachine>();
  #isServerBusy = false;

  readonly actions = {
    breakSocket: (): Promise<void> => this.#onMachine((machine) => this.#breakSocket(machine)),
    freezeSocket: (): Promise<void> => this.#onMachine((machine) => this.#freezeSocket(machine)),
    cutLink: (): Promise<void> => this.#onMachine((machine) => this.#cutLink(machine)),
    crashNode: (): Promise<void> => this.#onMachine((machine) => this.#crashNode(machine)),
    losePower: (): Promise<void> => this.#onMachine((machine) => this.#losePower(machine)),
    loseDirectory: (): Promise<void> => this.#onMachine((machine) => this.#loseDirectory(machine)),
    fillDisk: (): Promise<void> => this.#onMachine((machine) => this.#fillDisk(machine)),
    restartServer: (): Promise<void> => this.#restartServer(),
    jumpClock: (): Promise<void> => this.#jumpClock(),
  };

  constructor(deps: FaultsDeps) {
    this.#deps = deps;
  }

  async #onMachine(action: (machine: SimMachine) => Promise<void>): Promise<void> {
    const { machines, random } = this.#deps;
    const machine = random.pickFrom(machines.filter((candidate) => !this.#busy.has(candidate)));
    if (machine === undefined) return;
    this.#busy.add(machine);
    try {
      await action(machine);
    } finally {
      this.#busy.delete(machine);
    }
  }

  async #breakSocket({ id, process }: SimMachine): Promise<void> {
    const socket = this.#deps.random.pickFrom(process?.uplink.sockets ?? []);
    this.#deps.say(`a connection of ${id} breaks`);
    socket?.break();
  }

  async #freezeSocket({ id, process }: SimMachine): Promise<void> {
    const socket = this.#deps.random.pickFrom(process?.uplink.sockets ?? []);
    this.#deps.say(`a connection of ${id} freezes`);
    socket?.freeze();
  }

  async #cutLink(machine: SimMachine): Promise<void> {
    const { random, say } = this.#deps;
    const ms = random.chance(0.5) ? random.integer(100, 20_000) : random.integer(20_000, 600_000);
    say(`${machine.id} is cut off for ${ms} ms`);
    machine.link.cut();
    await this.#deps.sleep(ms);
    machine.link.mend();
  }

  async #crashNode(machine: SimMachine): Promise<void> {
    await this.#away(machine, "the node process crashes", () => machine.crash());
  }

  async #losePower(machine: SimMachine): Promise<void> {
    await this.#away(machine, "the power fails", () => machine.losePower());
  }

  async #loseDirectory(machine: SimMachine): Promise<void> {
    const label = this.#deps.random.pick<AgentLabel>(["ec2", "fargate"]);
    await this.#away(machine, `the node process and agent ${label}'s directory go`, async () => {
      await machine.crash();
      machine.loseDirectory(label);
    });
  }

  async #fillDisk({ disk, id }: SimMachine): Promise<void> {
    const { random, say, sleep } = this.#deps;
    const ms = random.chance(0.5) ? random.integer(100, 20_000) : random.integer(20_000, 300_000);
    disk.room = random.chance(0.5) ? "journals" : "none";
    say(`the disk of ${id} is full for ${ms} ms, with room for ${disk.room}`);
    await sleep(ms);
    disk.room = "enough";
  }

  async #away(machine: SimMachine, what: string, strike: () => Promise<void>): Promise<void> {
    const { random, say, sleep } = this.#deps;
    const ms = random.chance(0.5) ? random.integer(100, 5_000) : random.integer(5_000, 120_000);
    say(`${machine.id}: ${what}, back in ${ms} ms`);
    await strike();
    await sleep(ms);
    machine.link.mend();
    machine.start();
  }

  async #restartServer(): Promise<void> {
    const { random, restartServer, say } = this.#deps;
    if (this.#isServerBusy) return;
    this.#isServerBusy = true;
    const ms = random.chance(0.5) ? random.integer(10, 5_000) : random.integer(5_000, 120_000);
    say(`the server crashes, back in ${ms} ms`);
    await restartServer(ms);
    this.#isServerBusy = false;
  }

  async #jumpClock(): Promise<void> {
    const { machines, random, say, setServerAhead } = this.#deps;
    const ms = random.chance(0.5) ? random.integer(1, 60_000) : random.integer(60_000, 600_000);
    const machine = random.chance(0.7) ? random.pickFrom(machines) : undefined;
    say(`the clock of ${machine?.id ?? "the server"} is set forward by ${ms} ms`);
    if (machine === undefined) setServerAhead(ms);
    else machine.clock.setAhead(machine.clock.aheadMs + ms);
  }
}

/** Draws the mix: most worlds have some kinds of trouble, few have all, some have none. */
export function drawWeather(random: SeededRandom): Weather {
  const some = <T>(bad: () => T, good: T): T => (random.chance(0.5) ? bad() : good);
  return {
    link: {
      latencyMsMin: 1,
      latencyMsMax: some(() => random.pick([50, 500, 5_000]), GOOD_LINK.latencyMsMax),
      resetChance: some(() => random.pick([0.01, 0.05, 0.2]), 0),
      duplicateChance: some(() => random.pick([0.05, 0.3]), 0),
    },
    engine: {
      latencyMsMax: some(() => random.pick([20, 500, 3_000]), GOOD_ENGINE.latencyMsMax),
      failureChance: some(() => random.pick([0.01, 0.1, 0.3]), 0),
      refusalChance: some(() => 0.05, 0),
    },
    store: {
      latencyMsMax: some(() => random.pick([5, 50, 300]), 0),
      lagMsMax: some(() => random.pick([5, 50]), 0),
      failureChance: some(() => random.pick([0.01, 0.05]), 0),
    },
  };
}

/** Draws how often each fault strikes. */
export function drawRates(random: SeededRandom): FaultRates {
  const rate = (meanMinutes: readonly [number, number]): number | undefined =>
    random.chance(0.4) ? random.integer(...meanMinutes) * MINUTE_MS : undefined;
  return {
    breakSocket: rate([1, 5]),
    freezeSocket: rate([1, 5]),
    cutLink: rate([2, 8]),
    crashNode: rate([2, 8]),
    losePower: rate([3, 10]),
    loseDirectory: rate([5, 10]),
    fillDisk: rate([2, 8]),
    restartServer: rate([2, 8]),
    jumpClock: rate([3, 10]),
  };
}
