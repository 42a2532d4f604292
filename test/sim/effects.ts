import type { Clock } from "../../src/lib/clock.ts";
import { UnavailableError } from "../../src/lib/errors.ts";
import type { FakeRuntime } from "../../src/runtime/fake.ts";
import { PullError } from "../../src/runtime/pull.ts";
import type { ContainerState, ExitState, Runtime } from "../../src/runtime/runtime.ts";
import { RuntimeError } from "../../src/runtime/runtime.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Trace } from "./trace.ts";

/** How a machine's container engine and kernel behave. */
export interface EngineConditions {
  /** Of each command, half before and half after it takes effect. */
  readonly latencyMsMax: number;
  /** Of one command: it fails in a way that may pass. Half of them have taken effect all the same. */
  readonly failureChance: number;
  /** Of creating or starting a container: the engine refuses it for good. */
  readonly refusalChance: number;
}

export const GOOD_ENGINE: EngineConditions = {
  latencyMsMax: 2,
  failureChance: 0,
  refusalChance: 0,
};

const NO_SPACE = "no space left on device";
const NO_SPACE_FACTS = { failure: "noSpace", stage: "content", retries: 0 } as const;

export interface EffectsDeps {
  readonly machine: string;
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly conditions: () => EngineConditions;
  /** Of the machine's disk. */
  readonly hasRoom: () => boolean;
  /** Told after each container's start. */
  readonly onStarted: (id: string) => void;
  /** Aborts when the process dies: none of its commands takes effect any more. */
  readonly dead: AbortSignal;
}

/** What one process does to its machine: every command takes time, may fail, and can be cut short by a crash. */
export class Effects {
  readonly #deps: EffectsDeps;
  /** What ends the pauses that are under way. */
  readonly #pauses = new Set<() => void>();

  constructor(deps: EffectsDeps) {
    this.#deps = deps;
    deps.dead.addEventListener("abort", () => {
      for (const end of this.#pauses) end();
    });
  }

  /** Lets `effect` happen at some moment of the command's time. Throws UnavailableError as the conditions have it. */
  async command<T>(what: string, effect: () => T | Promise<T>): Promise<T> {
    const { conditions, machine, random, trace } = this.#deps;
    const fails = random.chance(conditions().failureChance);
    const isLate = random.chance(0.5);
    await this.#pass();
    if (fails && !isLate) throw new UnavailableError(`${what}: the engine does not answer`);
    trace.event(`${machine} ${what}`);
    const result = await effect();
    await this.#pass();
    if (fails) throw new UnavailableError(`${what}: the answer was lost`);
    return result;
  }

  /** Replaces a file, which happens whole or fails. Throws UnavailableError as the conditions have it. */
  async replaceFile(what: string, effect: () => void): Promise<void> {
    const { conditions, hasRoom, machine, random, trace } = this.#deps;
    const fails = random.chance(conditions().failureChance);
    await this.#pass();
    if (fails || !hasRoom()) throw new UnavailableError(`${what}: no space left on device`);
    trace.event(`${machine} ${what}`);
    effect();
    await this.#pass();
  }

  /** `runtime` as this process has it. */
  over(runtime: FakeRuntime): Runtime {
    return {
      ...runtime,
      version: () => this.command("version", () => runtime.version()),
      findImage: (reference) => this.command("find image", () => runtime.findImage(reference)),
      pullImage: (reference, options) =>
        this.command(`pull ${reference}`, () => {
          if (!this.#deps.hasRoom()) throw new PullError(NO_SPACE, NO_SPACE_FACTS);
          return runtime.pullImage(reference, options);
        }),
      createTaskStorage: (key, bytes) =>
        this.command(`make disk ${key.taskId}`, () => {
          this.#demandRoom();
          return runtime.createTaskStorage(key, bytes);
        }),
      removeTaskStorage: (key) =>
        this.command(`remove disk ${key.taskId}`, () => runtime.removeTaskStorage(key)),
      listTaskStorage: () => this.command("list disks", () => runtime.listTaskStorage()),
      create: (spec, network) =>
        this.command(`create ${spec.id}`, () => {
          if (!runtime.containers.has(spec.id)) {
            this.#refuse(`cannot create ${spec.id}`);
            this.#demandRoom();
          }
          return runtime.create(spec, network);
        }),
      start: (id) =>
        this.command(`start ${id}`, async () => {
          const [container] = (await runtime.list()).filter((state) => state.id === id);
          if (container?.status === "created") this.#refuse(`cannot start ${id}`);
          await runtime.start(id);
          this.#deps.onStarted(id);
        }),
      holdNamespaces: (holder) =>
        this.command(`hold namespaces ${holder.id}`, () => runtime.holdNamespaces(holder)),
      restart: (id, after) =>
        this.command(`restart ${id}`, async () => {
          await runtime.restart(id, after);
          this.#deps.onStarted(id);
        }),
      signal: (id, signal) =>
        this.command(`signal ${id} ${signal}`, () => runtime.signal(id, signal)),
      remove: (id) => this.command(`remove ${id}`, () => runtime.remove(id)),
      list: (): Promise<readonly ContainerState[]> => this.command("list", () => runtime.list()),
      wait: async (id, signal): Promise<ExitState> => {
        const { conditions, random } = this.#deps;
        if (random.chance(conditions().failureChance)) {
          await this.#pass();
          throw new UnavailableError(`wait ${id}: the engine does not answer`);
        }
        return runtime.wait(id, signal);
      },
      exec: (id, command, signal) =>
        this.command(`exec in ${id}`, () => runtime.exec(id, command, signal)),
    };
  }

  #refuse(reason: string): void {
    const { conditions, random } = this.#deps;
    if (random.chance(conditions().refusalChance)) throw new RuntimeError(reason);
  }

  #demandRoom(): void {
    if (!this.#deps.hasRoom()) throw new RuntimeError(NO_SPACE);
  }

  async #pass(): Promise<void> {
    const { conditions, dead, random } = this.#deps;
    await this.#pause(random.integer(0, conditions().latencyMsMax));
    if (dead.aborted) throw new UnavailableError("the process is dead");
  }

  /** As `clock.sleep()` until death: of all that a world does, this is done most often. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#deps.dead.aborted) return resolve();
      const end = (): void => {
        callOff();
        this.#pauses.delete(end);
        resolve();
      };
      const callOff = this.#deps.clock.after(ms, end);
      this.#pauses.add(end);
    });
  }
}
