import { AGENT_LABEL } from "../../src/agent/task-record.ts";
import type { Container, Task } from "../../src/ecs/model/task.ts";
import { rankOf } from "../../src/ecs/model/task-state.ts";
import type { FakeRuntime } from "../../src/runtime/fake.ts";
import type { ExitState } from "../../src/runtime/runtime.ts";
import { DEFINITIONS } from "./definitions.ts";
import type { SafetyChecker } from "./safety.ts";
import { Violation } from "./violation.ts";

/** What really became of the containers of one machine, seen from outside its agents. */
export class ContainerHistory {
  readonly #runtime: FakeRuntime;
  readonly #records: SafetyChecker;
  /** How often each had been started when the power last went. */
  #startsBefore: ReadonlyMap<string, number> = new Map();
  /** How often each had been started when it was last looked at. */
  readonly #startsSeen = new Map<string, number>();
  readonly #exits = new Map<string, ExitState>();
  /** Were there when the power or an agent's memory went: how they ended nobody may know. */
  readonly #lost = new Set<string>();

  /** Were there when an agent's memory went, and its files with it. */
  readonly #forgotten = new Set<string>();

  constructor(runtime: FakeRuntime, records: SafetyChecker) {
    this.#runtime = runtime;
    this.#records = records;
  }

  /** To be called after each command to start a container. Throws Violation for one that should not be. */
  started(id: string): void {
    const starts = (this.#runtime.starts.get(id) ?? 0) - (this.#startsBefore.get(id) ?? 0);
    if (this.#startsSeen.get(id) === starts) return;
    this.#startsSeen.set(id, starts);
    if (starts > 1 && !this.#mayRestart(id)) {
      throw new Violation("S9", `container ${id} is started again`);
    }
    this.#exits.delete(id);
    const startsBefore = this.#startsBefore;
    void this.#runtime.wait(id, new AbortController().signal).then((exit) => {
      // The script of a process that was gone with the power goes on to its end.
      if (this.#startsBefore === startsBefore) this.#exits.set(id, exit);
    });
    const task = this.#taskOf(id);
    if (!task || rankOf(task.lastStatus) < rankOf("DEPROVISIONING")) return;
    if (this.#wasAbandoned(task)) return;
    throw new Violation("S9", `container ${id} starts when its task is ${task.lastStatus}`);
  }

  /** To be called before the engine forgets. */
  losePower(): void {
    for (const id of this.#runtime.containers.keys()) this.#lost.add(id);
    this.#startsBefore = new Map(this.#runtime.starts);
    this.#startsSeen.clear();
  }

  /** To be called when the engine is back: what it knows of the ends of what had run is all that anybody knows. */
  async regainPower(): Promise<void> {
    for (const { id, exit } of await this.#runtime.list()) {
      if (exit !== undefined && !this.#exits.has(id)) this.#exits.set(id, exit);
    }
  }

  /** One of the agents has lost its directory. */
  loseMemory(label: string): void {
    for (const [id, { labels }] of this.#runtime.containers) {
      if (labels[AGENT_LABEL] !== label) continue;
      this.#lost.add(id);
      this.#forgotten.add(id);
    }
  }

  /** Whether some of what a container wrote may never reach its log stream. */
  mayLoseOutput(task: Task, id: string): boolean {
    return this.#forgotten.has(id) || this.#wasAbandoned(task);
  }

  /** What a container's record says that did not happen, or does not say that did; undefined when it is true. */
  findLie(task: Task, container: Container): string | undefined {
    if (this.#wasAbandoned(task)) return undefined;
    const id = `${task.id}-${container.name}`;
    const exit = this.#exits.get(id);
    const { exitCode, reason = "" } = container;
    if (exit === undefined) {
      // ECS: what waited in vain for a dependency shows as ended by a signal.
      const isMadeUp = exitCode !== undefined && !reason.includes(": dependency ");
      return isMadeUp ? `${id} has exit code ${exitCode} and never ended` : undefined;
    }
    if (exitCode === undefined && this.#lost.has(id)) return undefined;
    if (exitCode !== exit.exitCode) {
      return `${id} ended with ${exit.exitCode}, its record says ${exitCode}`;
    }
    const saysMemory = reason.startsWith("OutOfMemoryError");
    return saysMemory === exit.oomKilled ? undefined : `${id}: reason ${reason}`;
  }

  /** Ended in the books alone, whatever became of its containers. */
  #wasAbandoned({ id, placement }: Task): boolean {
    return this.#records.deactivated.has(placement.instance.id) || this.#records.lost.has(id);
  }

  /** Only what has ended, and with a code that its policy does not ignore. */
  #mayRestart(id: string): boolean {
    const family = this.#taskOf(id)?.family;
    const definition = DEFINITIONS.find((candidate) => candidate.family === family);
    const policy = definition?.containerDefinitions?.find(({ name = "" }) =>
      id.endsWith(`-${name}`),
    )?.restartPolicy;
    const exit = this.#exits.get(id);
    if (policy?.enabled !== true || exit === undefined) return false;
    return !policy.ignoredExitCodes?.includes(exit.exitCode);
  }

  #taskOf(containerId: string): Task | undefined {
    const taskId = containerId.slice(0, containerId.indexOf("-"));
    return this.#records.list<Task>("tasks").find(({ id }) => id === taskId);
  }
}
