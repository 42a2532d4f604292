/**
 * How a container's output comes to its file: its process writes to two pipes that the shim copies from, each to the one file under
 * a name of its own. So it shows in the shim's open files which of them it still copies.
 */
import { link, mkdir, open, readdir, readFile, readlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { ProcessFrame } from "./engine.ts";

/** The pipes that a container's first process was given, as /proc shows them: `pipe:[4711]`. */
export interface OutputStreams {
  readonly stdout: string;
  readonly stderr: string;
}

/** A stream that its shim has ceased to copy. */
export interface BrokenStream {
  readonly pipe: string;
  /** For opening the pipe once more. */
  readonly path: string;
}

/** Makes the file of a container's output, with both of its names, unless it is there. */
export async function makeOutput({ outputPath, terminal }: ProcessFrame): Promise<void> {
  const file = await open(outputPath, "a", 0o600).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    await mkdir(dirname(outputPath), { recursive: true });
    return open(outputPath, "a", 0o600);
  });
  await file.close();
  if (terminal) return;
  await link(outputPath, stderrName(outputPath)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}

/**
 * Where the shim shall append the streams to, so that output is kept while nobody reads. Under one and the same name (or a
 * `file://` URL) it opens the file once and closes it with stdout: what stderr says afterwards would be lost.
 */
export function outputsOf({ outputPath, terminal }: ProcessFrame): {
  readonly stdout: string;
  readonly stderr: string;
} {
  return { stdout: outputPath, stderr: terminal ? "" : stderrName(outputPath) };
}

function stderrName(outputPath: string): string {
  return `${outputPath}.stderr`;
}

/** Of a process that is made and does not run yet: what runs may have moved its streams. Undefined for one with a terminal. */
export async function readStreams(pid: number): Promise<OutputStreams | undefined> {
  const [stdout = "", stderr = ""] = await Promise.all(
    [1, 2].map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")),
  );
  return [stdout, stderr].every((name) => name.startsWith("pipe:"))
    ? { stdout, stderr }
    : undefined;
}

/**
 * The streams of a running container that its shim holds open and does not copy any more: after a write that failed, or because
 * every writer has closed them, which shows at the first read.
 */
export async function findBroken(
  pid: number,
  frame: ProcessFrame,
  streams: OutputStreams,
): Promise<readonly BrokenStream[]> {
  const shim = await parentOf(pid);
  if (shim === undefined) return [];
  const directory = `/proc/${shim}/fd`;
  const paths = new Map<string, string>();
  for (const fd of await readdir(directory).catch(() => [])) {
    const path = `${directory}/${fd}`;
    paths.set(await readlink(path).catch(() => ""), path);
  }
  const names = outputsOf(frame);
  return (["stdout", "stderr"] as const).flatMap((stream) => {
    const pipe = streams[stream];
    const path = paths.get(pipe);
    return path === undefined || paths.has(names[stream]) ? [] : [{ pipe, path }];
  });
}

/** The shim: it adopts what runc leaves behind. */
async function parentOf(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const found = /^PPid:\s*(\d+)$/m.exec(text)?.[1];
  return found === undefined || found === "0" || found === "1" ? undefined : Number(found);
}
