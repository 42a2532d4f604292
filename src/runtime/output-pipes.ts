import { once } from "node:events";
import { closeSync, constants, openSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import { makeNamedPipe } from "./named-pipe.ts";

/** A process that a command has left behind may hold its output open; nobody waits longer for what it still writes. */
const END_MS_MAX = 1_000;

/**
 * Named pipes that carry the output of commands run in containers. A pipe bounds what a command can pile up, which a file
 * does not. Making one costs a process, so a pipe that has come to its end is used again.
 */
export interface OutputPipes {
  /** Opens a pipe and reads on to its end, keeping the first `bytesMax` bytes. */
  open(bytesMax: number): Promise<OutputPipe>;
}

export interface OutputPipe {
  /** For the writer, which may open it more than once. */
  readonly path: string;
  /** To be called once, when the command has ended: waits a little for the last writer to go. */
  close(): Promise<string>;
}

/**
 * Keeps the pipes in `directory`. The first use empties it: those of a program that was killed are of no use, and a program
 * beside this one that uses none does no harm.
 */
export function createOutputPipes(directory: string, clock: Clock): OutputPipes {
  let emptied: Promise<unknown> | undefined;
  const idle: string[] = [];
  let count = 0;
  return {
    open: async (bytesMax) => {
      emptied ??= emptyDirectory(directory);
      await emptied;
      const path = idle.pop() ?? join(directory, String(count++));
      await makeNamedPipe(path);
      const reader = read(path, bytesMax);
      return {
        path,
        close: async () => {
          const { text, ended } = await reader.end(clock);
          if (ended) idle.push(path);
          else await rm(path, { force: true });
          return text;
        },
      };
    },
  };
}

async function emptyDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
}

function read(
  path: string,
  bytesMax: number,
): { end(clock: Clock): Promise<{ text: string; ended: boolean }> } {
  // Without waiting for a writer. A socket is polled; a file stream would park a thread.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  // A writer of our own: a shim may have closed one stream before it opens the other, and without one between them the pipe
  // would end there, and the second open would wait for ever.
  const keeper = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const socket = new Socket({ fd, readable: true, writable: false });
  const chunks: Buffer[] = [];
  let room = bytesMax;
  socket.on("data", (chunk: Buffer) => {
    const kept = chunk.subarray(0, room);
    room -= kept.length;
    if (kept.length > 0) chunks.push(kept);
  });
  socket.on("error", () => socket.destroy());
  const closed = once(socket, "close");
  return {
    end: async (clock) => {
      closeSync(keeper);
      const over = new AbortController();
      await Promise.race([closed, clock.sleep(END_MS_MAX, over.signal)]);
      over.abort();
      const ended = socket.readableEnded;
      socket.destroy();
      return { text: Buffer.concat(chunks).toString("utf8"), ended };
    },
  };
}
