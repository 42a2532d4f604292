import type { Subnet } from "../../src/ec2/model.ts";
import { writeRole } from "../../src/iam/model/role.fixture.ts";
import { UnavailableError } from "../../src/lib/errors.ts";
import type { Log } from "../../src/lib/log.ts";
import { VirtualClock } from "../../src/lib/virtual-clock.ts";
import { groupKey } from "../../src/logs/model.ts";
import { openMemoryStore } from "../../src/store/memory.ts";
import type { Store } from "../../src/store/store.ts";
import { SimClient } from "./client.ts";
import { IMAGES } from "./definitions.ts";
import type { Weather } from "./faults.ts";
import { HostClock } from "./host-clock.ts";
import { SimMachine } from "./machine.ts";
import { MemoryLogs } from "./memory-log-store.ts";
import { LOG_GROUP } from "./output-check.ts";
import { SafetyChecker } from "./safety.ts";
import { SeededRandom } from "./seeded-random.ts";
import { SimServer, ZONES } from "./server.ts";
import { createSimLog } from "./sim-log.ts";
import { Trace } from "./trace.ts";

const RETRY_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** A server with its store, machines and a client under one virtual clock; what is drawn is drawn from `seed`. */
export class World implements AsyncDisposable {
  readonly seed: number;
  readonly clock: VirtualClock = new VirtualClock(Date.UTC(2026, 0, 1));
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly store: Store = openMemoryStore();
  readonly logs: MemoryLogs = new MemoryLogs();
  readonly records: SafetyChecker;
  readonly server: SimServer;
  /** Rejects with the first violation. */
  readonly broken: Promise<never>;
  readonly machines: SimMachine[] = [];
  readonly #serverClock: HostClock;
  readonly #log: Log;
  readonly #break: (error: unknown) => void;
  readonly #end = new AbortController();
  #client: SimClient | undefined;
  #following: Promise<void> | undefined;

  constructor(seed: number, options: { readonly isVerbose: boolean }) {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => undefined);
    this.broken = promise;
    this.#break = reject;
    this.seed = seed;
    this.random = new SeededRandom(`seed ${seed}`);
    this.trace = new Trace(this.clock);
    this.#log = createSimLog(this.trace, { ...options, onBug: (what) => reject(new Error(what)) });
    this.#serverClock = new HostClock(this.clock, reject);
    const retentionMs = this.random.fork("retention").pick([HOUR_MS, 7 * 24 * HOUR_MS]);
    const lossAfterMs = this.random.fork("loss").pick([MINUTE_MS, 5 * MINUTE_MS]);
    const now = (): number => this.#serverClock.now();
    this.records = new SafetyChecker(this.trace, {
      retentionMs,
      lossAfterMs,
      now,
      virtualNow: () => this.clock.now(),
      heldKeys: () =>
        this.machines.flatMap(({ membership }) =>
          Object.values(membership?.keys ?? {}).map(({ accessKeyId }) => accessKeyId),
        ),
    });
    this.server = new SimServer({
      store: this.store,
      logs: this.logs,
      clock: this.#serverClock,
      random: this.random.fork("server"),
      log: this.#log.child("server"),
      retentionMs,
      lossAfterMs,
      onBroken: reject,
    });
  }

  get client(): SimClient {
    if (this.#client === undefined) throw new Error("the world has not begun");
    return this.#client;
  }

  /** Brings up the server, a client and `count` machines of drawn sizes. */
  async begin(count: number): Promise<void> {
    this.#following = this.#follow();
    const role = writeRole({
      roleName: "execution",
      attachedPolicyArns: ["arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"],
    });
    const group = { key: groupKey(LOG_GROUP, LOG_GROUP.name), value: LOG_GROUP };
    await this.store.txn([], [role, group]);
    const process = await this.server.start();
    const rootKey = await process.rootKey();
    this.#client = new SimClient({
      clock: this.#serverClock,
      random: this.random.fork("client"),
      door: () => this.#door(),
      credentials: () => rootKey,
      records: this.records,
      trace: this.trace,
    });
    for (let index = 0; index < count; index++) {
      const machine = await this.#addMachine(index);
      machine.start();
    }
  }

  /** Kills the server process; the next one comes up when `pause` has ended, or as soon after as its store lets it. */
  async restartServer(pause: Promise<void>): Promise<void> {
    await this.server.crash();
    await pause;
    for (;;) {
      try {
        await this.server.start();
        return;
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
        await this.server.crash();
        await this.clock.sleep(RETRY_MS);
      }
    }
  }

  setWeather({ link, engine, store }: Weather): void {
    this.server.conditions = store;
    this.client.link.conditions = link;
    for (const machine of this.machines) {
      machine.conditions = engine;
      machine.link.conditions = link;
    }
  }

  setServerAhead(ms: number): void {
    this.#serverClock.setAhead(this.#serverClock.aheadMs + ms);
  }

  /** Sets every clock to the one that is furthest ahead, or so far behind it. */
  synchronizeClocks(behindMs: number): void {
    const clocks = [this.#serverClock, ...this.machines.map(({ clock }) => clock)];
    const aheadMs = Math.max(...clocks.map((clock) => clock.aheadMs));
    for (const clock of clocks) {
      clock.setAhead(aheadMs);
      clock.setBack(behindMs);
    }
  }

  /** Lets the calendar go on while next to nothing happens: days of virtual time would be lived second by second. */
  passDays(count: number): void {
    const ms = count * 24 * HOUR_MS;
    for (const clock of [this.#serverClock, ...this.machines.map(({ clock }) => clock)]) {
      clock.setAhead(clock.aheadMs + ms);
    }
  }

  get subnetIds(): readonly string[] {
    return this.records.list<Subnet>("subnets").map(({ subnetId }) => subnetId);
  }

  /** Lets virtual time pass until `work` has settled, or something is broken. */
  async drive<T>(work: Promise<T>): Promise<T> {
    let isSettled = false;
    const result = Promise.race([work, this.broken]).finally(() => {
      isSettled = true;
    });
    result.catch(() => undefined);
    await undefined;
    for (;;) {
      await microtasksDone();
      if (isSettled) return result;
      if (!this.clock.endNext()) throw new Error("everybody waits, and nothing will happen");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of this.machines) await machine.crash();
    await this.server.crash();
    this.#end.abort();
    await this.#following;
    await this.store.close();
    for (const machine of this.machines) machine[Symbol.dispose]();
  }

  async #addMachine(index: number): Promise<SimMachine> {
    const random = this.random.fork(`machine ${index}`);
    const id = `i-${index.toString(16).padStart(17, "0")}`;
    const isServers = index === 0;
    const process = this.server.process;
    if (process === undefined) throw new Error("machines join a running server");
    const cores = random.pick([2, 4, 8]);
    const machine = new SimMachine({
      id,
      isServers,
      diskName: `sim-${this.seed}-${id}`,
      size: {
        cpuUnits: cores * 1024,
        memoryMiB: cores * 1024,
        availabilityZone: ZONES[index % ZONES.length] ?? "",
      },
      scripts: IMAGES,
      door: () => this.#door(),
      records: this.records,
      clock: this.clock,
      random,
      trace: this.trace,
      log: this.#log,
      onBroken: this.#break,
    });
    this.machines.push(machine);
    if (isServers) machine.membership = await process.membership(id);
    else await machine.join(await process.joinToken());
    return machine;
  }

  #door(): SimServer["process"] {
    const { process } = this.server;
    return process?.serves ? process : undefined;
  }

  /** Has every commit checked, in order, one by one. */
  async #follow(): Promise<void> {
    try {
      for await (const changes of this.store.watch("/", 0, this.#end.signal)) {
        const commits = Map.groupBy(changes, ({ revision }) => revision);
        for (const commit of commits.values()) this.records.commit(commit);
      }
    } catch (error) {
      this.#break(error);
    }
  }
}

/**
 * Resolves when no promise has anything left to do: to be asked by one of them, since Node takes the next tick only when they
 * are done. A hundredth of the cost of a turn of the event loop, through which nothing comes here.
 */
function microtasksDone(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
