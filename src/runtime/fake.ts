/** A container engine without containers, for tests: images are scripts that say how their containers behave. */
import { appendFileSync } from "node:fs";
import type { Clock } from "../lib/clock.ts";
import { createFakeImages, type FakePull } from "./fake-images.ts";
import { createFakeStorage } from "./fake-storage.ts";
import {
  type ContainerSpec,
  type ContainerState,
  type ContainerStats,
  EXIT_CODE_LOST,
  type ExecCommand,
  type ExecResult,
  type ExitState,
  ProcessError,
  type Runtime,
  RuntimeError,
} from "./runtime.ts";

/** How containers of an image behave. Arguments of the form `runFor=200`, `exitCode=3`, `output=hello` override it. */
export interface FakeScript {
  /** Milliseconds until it exits by itself; absent: never. */
  readonly runFor?: number;
  /** How often it exits by itself; from then on it stays up. Default: always. */
  readonly exitsMax?: number;
  /** Of an exit by itself; default 0. */
  readonly exitCode?: number;
  /** Of an exit by the stop signal: default 143; `"ignored"`: only SIGKILL helps. */
  readonly onStop?: number | "ignored";
  readonly oomKilled?: boolean;
  /** Written when it starts. */
  readonly output?: string;
  /** Written while it runs, each time another piece; all its runs count together. */
  readonly writes?: {
    readonly everyMs: number;
    readonly count: number;
    readonly text: (index: number) => string;
  };
  /** The image is not here at first, but in a registry. Absent: it was loaded. */
  readonly pull?: FakePull;
  readonly createError?: string;
  readonly processError?: string;
  readonly startError?: string;
  /** Of commands run in it; default 0; `"hangs"`: they never end. */
  readonly execExitCode?: number | "hangs";
  /** Milliseconds since its start before which commands exit with 1. */
  readonly healthyAfter?: number;
  /** Milliseconds since its start from which commands exit with 1. */
  readonly unhealthyAfter?: number;
}

export interface FakeRuntime extends Runtime {
  /** References of the images that were pulled, once for each time. */
  readonly pulls: readonly string[];
  /** Specs of the containers that exist, by id. */
  readonly containers: ReadonlyMap<string, ContainerSpec>;
  /** Labels of the holders of namespaces, by id. */
  readonly holders: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** Every signal sent, in order. */
  readonly signals: readonly { readonly id: string; readonly signal: string }[];
  /** How often each container was started. */
  readonly starts: ReadonlyMap<string, number>;
  /** All that containers have written by themselves while they ran. */
  readonly written: ReadonlyMap<string, string>;
  /** Every command run in a container, in order. */
  readonly execs: readonly { readonly id: string; readonly args: readonly string[] }[];
  /** What commands in this container do from now on. */
  answerExec(id: string, answer: ExecResult | "hangs"): void;
  /** What {@link Runtime.stats} says of a running container besides zeros. */
  setStats(id: string, stats: Partial<ContainerStats>): void;
  /** Ends a running container from inside. */
  exit(id: string, exitCode: number): void;
  /** Lets a running container write. */
  write(id: string, output: string): void;
  /**
   * Every process dies, as when the machine restarts. Of a container that had been started the disk may tell so (`remembers`): then
   * it has ended, nobody knows how. Else it is there as if just created.
   */
  restartMachine(remembers?: (id: string) => boolean): void;
}

interface FakeContainer {
  readonly spec: ContainerSpec;
  readonly script: FakeScript;
  readonly ended: Promise<ExitState>;
  readonly end: (exit: ExitState) => void;
  status: ContainerState["status"];
  startedAt: number;
  exit: ExitState | undefined;
  answer: ExecResult | "hangs" | undefined;
  stats: Partial<ContainerStats>;
}

/** Appends to a file, which is made when it is not there. */
type WriteOutput = (path: string, text: string) => void;

interface Engine {
  readonly clock: Clock;
  readonly ageClock: Pick<Clock, "now">;
  readonly writeOutput: WriteOutput;
  readonly written: Map<string, string>;
  readonly pieces: Map<string, number>;
  readonly scripts: Readonly<Record<string, FakeScript>>;
  readonly containers: Map<string, FakeContainer>;
  readonly signals: { id: string; signal: string }[];
  readonly starts: Map<string, number>;
  readonly execs: { id: string; args: readonly string[] }[];
  readonly holders: Map<string, Readonly<Record<string, string>>>;
}

/**
 * An engine that knows the images named in `scripts` (by the reference that tasks use). `ageClock`: by which containers grow older,
 * where the machine's is set now and then.
 */
export function createFakeRuntime(
  clock: Clock,
  scripts: Readonly<Record<string, FakeScript>>,
  writeOutput: WriteOutput = appendFileSync,
  ageClock: Pick<Clock, "now"> = clock,
): FakeRuntime {
  const containers = new Map<string, FakeContainer>();
  const images = createFakeImages(clock, (reference) => scripts[reference]);
  const engine: Engine = {
    clock,
    ageClock,
    writeOutput,
    written: new Map(),
    pieces: new Map(),
    scripts,
    containers,
    signals: [],
    starts: new Map(),
    execs: [],
    holders: new Map(),
  };
  return {
    get containers() {
      return new Map([...containers].map(([id, { spec }]) => [id, spec]));
    },
    holders: engine.holders,
    signals: engine.signals,
    starts: engine.starts,
    execs: engine.execs,
    written: engine.written,
    answerExec: (id, answer) => {
      existing(engine, id).answer = answer;
    },
    setStats: (id, stats) => {
      existing(engine, id).stats = stats;
    },
    exit: (id, exitCode) => end(engine, existing(engine, id), exitCode),
    write: (id, output) => writeOutput(existing(engine, id).spec.outputPath, output),
    restartMachine: (remembers = () => false) => restartMachine(engine, remembers),
    version: async () => "fake 1",
    ...images,
    ...createFakeStorage(),
    create: async (spec, network) => {
      await network;
      create(engine, spec);
    },
    holdNamespaces: async ({ id, labels }) => void engine.holders.set(id, labels),
    start: async (id) => start(engine, id),
    restart: async (id, after) => restart(engine, id, after),
    signal: async (id, signal) => sendSignal(engine, id, signal),
    remove: async (id) => {
      const container = containers.get(id);
      if (container !== undefined) end(engine, container, 137);
      containers.delete(id);
      engine.holders.delete(id);
    },
    list: async () => list(engine),
    wait: (id, signal) => waitForExit(engine, id, signal),
    exec: (id, command, signal) => exec(engine, id, command, signal),
    stats: async (id) => {
      const container = containers.get(id);
      if (container?.status !== "running") return undefined;
      return { ...NO_STATS, readAt: clock.now(), ...container.stats };
    },
  };
}

const NO_STATS: ContainerStats = {
  readAt: 0,
  cpu: { totalNs: 0, userNs: 0, systemNs: 0, periods: 0, throttledPeriods: 0, throttledNs: 0 },
  onlineCpus: 2,
  systemCpuNs: 0,
  memory: { usageBytes: 0, limitBytes: 0, maxUsageBytes: 0, cacheBytes: 0, stat: {} },
  pids: 1,
  network: {},
  block: { readBytes: 0, writeBytes: 0, readOps: 0, writeOps: 0 },
};

function list({ containers, holders }: Engine): readonly ContainerState[] {
  return [
    ...[...containers.values()].map(({ spec, status, exit }) => ({
      id: spec.id,
      labels: spec.labels,
      status,
      ...(exit && { exit }),
    })),
    ...[...holders].map(([id, labels]) => ({ id, labels, status: "running" as const })),
  ];
}

function create({ containers, scripts }: Engine, spec: ContainerSpec): void {
  const script = scriptOf(spec, scripts);
  if (script.createError !== undefined) throw new RuntimeError(script.createError);
  if (script.processError !== undefined) throw new ProcessError(script.processError);
  if (!containers.has(spec.id)) containers.set(spec.id, fresh(spec, script));
}

function start(engine: Engine, id: string): void {
  const { ageClock, clock, starts } = engine;
  const container = existing(engine, id);
  if (container.status !== "created") return;
  const { script, spec } = container;
  if (script.startError !== undefined) throw new RuntimeError(script.startError);
  container.status = "running";
  container.startedAt = ageClock.now();
  starts.set(id, (starts.get(id) ?? 0) + 1);
  if (script.output !== undefined) engine.writeOutput(spec.outputPath, script.output);
  if (script.writes !== undefined) void writeOn(engine, container, script.writes);
  const { exitCode = 0, exitsMax = Number.POSITIVE_INFINITY, oomKilled = false, runFor } = script;
  if (runFor === undefined || (starts.get(id) ?? 0) > exitsMax) return;
  void clock.sleep(runFor).then(() => end(engine, container, exitCode, oomKilled));
}

function restartMachine(
  { clock, containers, holders }: Engine,
  remembers: (id: string) => boolean,
): void {
  holders.clear();
  for (const [id, { exit, script, spec, status }] of containers) {
    const container = fresh(spec, script);
    containers.set(id, container);
    if (status === "created" || !remembers(id)) continue;
    settle(
      container,
      exit ?? { exitCode: EXIT_CODE_LOST, exitedAt: clock.now(), oomKilled: false },
    );
  }
}

async function writeOn(
  engine: Engine,
  container: FakeContainer,
  { everyMs, count, text }: NonNullable<FakeScript["writes"]>,
): Promise<void> {
  const { clock, containers, pieces, writeOutput, written } = engine;
  const { id, outputPath } = container.spec;
  for (;;) {
    await clock.sleep(everyMs);
    const index = pieces.get(id) ?? 0;
    const runs = containers.get(id) === container && container.status === "running";
    if (!runs || index >= count) return;
    pieces.set(id, index + 1);
    const piece = text(index);
    written.set(id, (written.get(id) ?? "") + piece);
    writeOutput(outputPath, piece);
  }
}

function restart(engine: Engine, id: string, after: ExitState): void {
  const { spec, script, status, exit } = existing(engine, id);
  const isAnother = exit?.exitedAt !== after.exitedAt || exit.exitCode !== after.exitCode;
  if (status === "running" || (status === "stopped" && isAnother)) return;
  engine.containers.set(id, fresh(spec, script));
  start(engine, id);
}

function sendSignal(engine: Engine, id: string, signal: string): void {
  const container = existing(engine, id);
  if (container.status !== "running") return;
  engine.signals.push({ id, signal });
  const { onStop = 143 } = container.script;
  if (signal === "SIGKILL") end(engine, container, 137);
  else if (onStop !== "ignored") end(engine, container, onStop);
}

async function waitForExit(engine: Engine, id: string, signal: AbortSignal): Promise<ExitState> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([existing(engine, id).ended, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function exec(
  engine: Engine,
  id: string,
  { args, timeoutMs }: ExecCommand,
  signal: AbortSignal,
): Promise<ExecResult | "timedOut"> {
  signal.throwIfAborted();
  const container = existing(engine, id);
  if (container.status !== "running") throw new RuntimeError(`container ${id} is not running`);
  engine.execs.push({ id, args });
  const answer = container.answer ?? scriptedAnswer(engine, container);
  if (answer !== "hangs") return answer;
  const over = new AbortController();
  const late = engine.clock.sleep(timeoutMs, AbortSignal.any([signal, over.signal]));
  const ended = await Promise.race([container.ended, late]);
  over.abort();
  signal.throwIfAborted();
  if (ended !== undefined) throw new RuntimeError(`container ${id} has ended`);
  return "timedOut";
}

function scriptedAnswer({ ageClock }: Engine, container: FakeContainer): ExecResult | "hangs" {
  const {
    execExitCode = 0,
    healthyAfter = 0,
    unhealthyAfter = Number.POSITIVE_INFINITY,
  } = container.script;
  if (execExitCode === "hangs") return "hangs";
  const age = ageClock.now() - container.startedAt;
  return {
    exitCode: age < healthyAfter || age >= unhealthyAfter ? 1 : execExitCode,
    output: "",
  };
}

function end(
  { clock }: Engine,
  container: FakeContainer,
  exitCode: number,
  oomKilled = false,
): void {
  if (container.status !== "running") return;
  settle(container, { exitCode, exitedAt: clock.now(), oomKilled });
}

function settle(container: FakeContainer, exit: ExitState): void {
  container.status = "stopped";
  container.exit = exit;
  container.end(exit);
}

function existing({ containers }: Engine, id: string): FakeContainer {
  const found = containers.get(id);
  if (found === undefined) throw new RuntimeError(`no container ${id}`);
  return found;
}

function fresh(spec: ContainerSpec, script: FakeScript): FakeContainer {
  const { promise: ended, resolve: end } = Promise.withResolvers<ExitState>();
  return {
    spec,
    script,
    ended,
    end,
    status: "created",
    startedAt: 0,
    exit: undefined,
    answer: undefined,
    stats: {},
  };
}

function scriptOf(spec: ContainerSpec, scripts: Readonly<Record<string, FakeScript>>): FakeScript {
  const overrides = spec.args
    .map((argument) => /^(\w+)=(.*)$/s.exec(argument))
    .filter((match) => match !== null)
    .map(([, key = "", value = ""]) => [key, /^\d+$/.test(value) ? Number(value) : value]);
  return { ...scripts[spec.image], ...Object.fromEntries(overrides) };
}
