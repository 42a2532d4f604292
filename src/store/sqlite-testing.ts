/** What the tests of the embedded store share. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** An empty directory for one test. */
export async function temporaryDirectory(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "gantry-store-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Starts `sqlite-writer.ts` on `directory` and waits until it has acknowledged `count` transactions. */
export async function startWriter(directory: string, count: number): Promise<Writer> {
  const script = fileURLToPath(new URL("./sqlite-writer.ts", import.meta.url));
  const child = spawn(process.execPath, [script, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  let lineCount = 0;
  while (lineCount < count) {
    await once(child.stdout, "data");
    lineCount = output.split("\n").length - 1;
  }
  return { child, acknowledged: () => lastPerWriter(output) };
}

export interface Writer {
  readonly child: ChildProcess;
  /** By name of the writer, the last number it said was durable. */
  acknowledged(): ReadonlyMap<string, number>;
}

/** Kills without any chance to clean up, and waits until the process is gone. */
export async function killWriter({ child }: Writer): Promise<void> {
  const closed = once(child, "close");
  child.kill("SIGKILL");
  await closed;
}

/** The last line may be cut off in the middle: it does not count. */
function lastPerWriter(output: string): ReadonlyMap<string, number> {
  const lines = output.split("\n").slice(0, -1);
  return new Map(
    lines.map((line): [string, number] => {
      const [writer = "", number] = line.split(" ");
      return [writer, Number(number)];
    }),
  );
}
