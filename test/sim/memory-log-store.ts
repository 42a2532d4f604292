import type { Clock } from "../../src/lib/clock.ts";
import { UnavailableError } from "../../src/lib/errors.ts";
import {
  KnownPartError,
  type LogLine,
  type LogPage,
  type LogScanPage,
  type LogStore,
  type LogStreamStat,
  type OutputPart,
} from "../../src/telemetry/log-store.ts";
import type { StoreConditions } from "./process-store.ts";
import type { SeededRandom } from "./seeded-random.ts";

interface Stream {
  readonly lines: LogLine[];
  writer?: { readonly name: string; readonly end: number };
}

/** Log lines in memory, for all runs of a server. */
export class MemoryLogs {
  readonly streams: Map<string, Stream> = new Map();

  append(streamId: string, events: readonly LogLine[], part: OutputPart | undefined): void {
    const stream = this.streams.get(streamId) ?? { lines: [] };
    if (part !== undefined) {
      const { writer } = stream;
      if (writer?.name === part.writer && writer.end > part.from) {
        throw new KnownPartError(part, writer.end);
      }
      stream.writer = { name: part.writer, end: part.to };
    }
    stream.lines.push(...events);
    this.streams.set(streamId, stream);
  }
}

export interface ProcessLogStoreDeps {
  readonly logs: MemoryLogs;
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly conditions: () => StoreConditions;
  /** Aborts when the process dies: from then on nothing it does reaches the disk. */
  readonly dead: AbortSignal;
}

/** The engine of log lines as one server process has it: as slow and as unreliable as its store. Nobody reads through it. */
export class ProcessLogStore implements LogStore {
  readonly #deps: ProcessLogStoreDeps;

  constructor(deps: ProcessLogStoreDeps) {
    this.#deps = deps;
  }

  async append(streamId: string, events: readonly LogLine[], part?: OutputPart): Promise<void> {
    const { conditions, logs, random } = this.#deps;
    await this.#travel();
    if (random.chance(conditions().failureChance)) throw new UnavailableError("the disk is full");
    logs.append(streamId, events, part);
    await this.#travel();
  }

  async read(): Promise<LogPage> {
    throw new Error("nobody reads log lines in the simulator");
  }

  async scan(): Promise<LogScanPage> {
    throw new Error("nobody searches log lines in the simulator");
  }

  stat(): LogStreamStat | undefined {
    return undefined;
  }

  subscribe(): void {}

  streamIds(): Iterable<string> {
    return this.#deps.logs.streams.keys();
  }

  async remove(streamId: string): Promise<void> {
    this.#deps.logs.streams.delete(streamId);
  }

  async expire(): Promise<void> {}

  async close(): Promise<void> {}

  async #travel(): Promise<void> {
    const { clock, conditions, dead, random } = this.#deps;
    const { latencyMsMax } = conditions();
    if (latencyMsMax > 0) await clock.sleep(random.integer(0, latencyMsMax), dead);
    if (dead.aborted) throw new UnavailableError("the server process is dead");
  }
}
