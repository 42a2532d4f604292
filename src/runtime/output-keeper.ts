/**
 * Keeps containers' output going when the disk was full. The first write that fails ends a shim's copying for good, and the
 * container would wait for ever once its pipe has filled up. But the shim goes on holding the pipe, so whoever sees that opens it
 * once more and copies in the shim's place, until the container ends; the program after this one takes it up again.
 */
import { constants, openSync } from "node:fs";
import { type FileHandle, open, statfs } from "node:fs/promises";
import { Socket } from "node:net";
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { isNoSpace } from "../lib/no-space.ts";
import type { Containerd } from "./containerd/client.ts";
import { frameOf, type ProcessFrame } from "./engine.ts";
import type { ExitRecords } from "./exit-records.ts";
import { type BrokenStream, findBroken } from "./output-streams.ts";

/** Chosen: how often the disk is looked at, and every how many looks the containers are, whatever it says. */
const LOOK_MS = 5_000;
const LOOKS_PER_ROUND = 12;
/** Chosen: with less than this the disk may have been full since the last look. */
const TIGHT_BYTES: number = 2 ** 30;
/** How often a container that waits for room is tried again. */
const RETRY_MS = 1_000;
/** Of a container that has ended: its pipes are then at their end, unless somebody else has them. */
const FINISH_MS_MAX = 5_000;
const NEWLINE = 10;

export interface OutputKeeperDeps {
  readonly containerd: Containerd;
  readonly exits: ExitRecords;
  /** On the disk of the output. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
}

interface Copying {
  readonly id: string;
  /** The container has ended: nobody waits for room any more. */
  readonly ended: AbortController;
  readonly done: Promise<void>;
}

export class OutputKeeper {
  readonly #deps: OutputKeeperDeps;
  /** By container and pipe, also those that have come to their end, as long as the container runs. */
  readonly #copying = new Map<string, Copying>();

  constructor(deps: OutputKeeperDeps) {
    this.#deps = deps;
  }

  /** Looks at once, for what an earlier program left, and then on, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    let wasTight = true;
    for (let looks = 0; !signal.aborted; looks++) {
      try {
        const isTight = await this.#isTight();
        if (wasTight || isTight || looks % LOOKS_PER_ROUND === 0) await this.#look(signal);
        wasTight = isTight;
      } catch (error) {
        log.debug("cannot look after the containers' output now", { error: messageOf(error) });
      }
      await clock.sleep(LOOK_MS, signal);
    }
    await Promise.all([...this.#copying.values()].map(({ done }) => done));
  }

  /** Of a container whose processes have ended: resolves when all that it has written is in its file, or has no room there. */
  async finish(id: string): Promise<void> {
    const { clock } = this.#deps;
    const mine = [...this.#copying.values()].filter((each) => each.id === id);
    if (mine.length === 0) return;
    for (const { ended } of mine) ended.abort();
    const over = new AbortController();
    const all = Promise.all(mine.map(({ done }) => done));
    await Promise.race([all, clock.sleep(FINISH_MS_MAX, over.signal)]);
    over.abort();
  }

  async #isTight(): Promise<boolean> {
    const { bavail, bsize } = await statfs(this.#deps.directory);
    return bavail * bsize < TIGHT_BYTES;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { containerd, exits } = this.#deps;
    const running = (await containerd.tasks.list()).filter(({ status }) => status === "RUNNING");
    const pids = new Map(running.map(({ id, pid }) => [id, pid]));
    for (const [key, { id }] of this.#copying) if (!pids.has(id)) this.#copying.delete(key);
    if (running.length === 0) return;
    for (const container of await containerd.containers.list()) {
      const { id } = container;
      const pid = pids.get(id);
      const frame = frameOf(container);
      if (pid === undefined || frame === undefined || frame.terminal) continue;
      const streams = await exits.streams(id);
      if (streams === undefined) continue;
      for (const broken of await findBroken(pid, frame, streams)) {
        this.#takeUp(id, frame, broken, signal);
      }
    }
  }

  #takeUp(id: string, frame: ProcessFrame, broken: BrokenStream, signal: AbortSignal): void {
    const key = `${id} ${broken.pipe}`;
    if (this.#copying.has(key)) return;
    const ended = new AbortController();
    const done = this.#copy(id, frame, broken, AbortSignal.any([signal, ended.signal]), signal);
    const guarded = done.catch((error: unknown) => {
      // Taken up again by the next look.
      this.#copying.delete(key);
      if (!signal.aborted) {
        this.#deps.log.warn("cannot copy a container's output", { id, error: messageOf(error) });
      }
    });
    this.#copying.set(key, { id, ended, done: guarded });
  }

  /** Until all writers have closed the pipe, or `signal` aborts. Waits for room until `ended` at most. */
  async #copy(
    id: string,
    { outputPath, outputWaits = false }: ProcessFrame,
    { path }: BrokenStream,
    ended: AbortSignal,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, log } = this.#deps;
    await using file = await open(outputPath, "a+", 0o600);
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    using stack = new DisposableStack();
    const source = new Socket({ fd, readable: true, writable: false, signal });
    stack.defer(() => source.destroy());
    let isFirst = true;
    let lostBytes = 0;
    let isAfterGap = true;
    for await (const chunk of source as AsyncIterable<Buffer>) {
      if (isFirst) log.warn(TAKEN_UP, { id });
      isFirst = false;
      let rest: Buffer = isAfterGap && (await endsInsideLine(file)) ? withNewline(chunk) : chunk;
      rest = rest.subarray(await append(file, rest));
      while (rest.length > 0 && outputWaits && !ended.aborted) {
        await clock.sleep(RETRY_MS, ended);
        rest = rest.subarray(await append(file, rest));
      }
      isAfterGap = rest.length > 0;
      lostBytes += rest.length;
      if (isAfterGap || lostBytes === 0) continue;
      log.warn("there is room again for a container's output, of which some is lost", {
        id,
        lostBytes,
      });
      lostBytes = 0;
    }
  }
}

const TAKEN_UP =
  "the disk was full, so that some of a container's output is lost; from here on it is kept again";

/** Appends what there is room for, and says how much. */
async function append(file: FileHandle, bytes: Uint8Array): Promise<number> {
  let done = 0;
  try {
    while (done < bytes.length) done += (await file.write(bytes, done)).bytesWritten;
  } catch (error) {
    if (!isNoSpace(error)) throw error;
  }
  return done;
}

/** A line that was cut off must not run on into the next one. */
async function endsInsideLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return false;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== NEWLINE;
}

function withNewline(chunk: Buffer): Buffer {
  return Buffer.concat([Buffer.from([NEWLINE]), chunk]);
}
