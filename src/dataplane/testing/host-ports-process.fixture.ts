/**
 * The ports of a test's machine, held by a process in its namespace: a process cannot hold a port of a namespace that it is
 * not in. Run by itself, this file is that process.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { createHostPorts, type HostPorts } from "../host-ports.ts";

interface Request {
  readonly id: number;
  readonly method: "dynamicRange" | "hold" | "release";
  readonly args: readonly unknown[];
}

/** Stands for a node's process as far as its ports go. It starts with the first question and ends with `close`. */
export function openHostPortsProcess(namespacePath: string): HostPorts {
  let child: ChildProcess | undefined;
  let lastId = 0;
  const waiting = new Map<number, (value: unknown) => void>();
  const start = (): ChildProcess => {
    const command = [`--net=${namespacePath}`, process.execPath, import.meta.filename];
    const started = spawn("nsenter", command, { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: started.stdout }).on("line", (line) => {
      const { id, result } = JSON.parse(line) as { id: number; result: unknown };
      waiting.get(id)?.(result);
      waiting.delete(id);
    });
    return started;
  };
  const ask = <T>(method: Request["method"], args: readonly unknown[]): Promise<T> => {
    child ??= start();
    const id = ++lastId;
    child.stdin?.write(`${JSON.stringify({ id, method, args } satisfies Request)}\n`);
    return new Promise((resolve) => {
      waiting.set(id, (value) => resolve(value as T));
    });
  };
  return {
    dynamicRange: () => ask("dynamicRange", []),
    hold: (...args) => ask("hold", args),
    release: (...args) => void ask("release", args),
    close: () => {
      child?.stdin?.end();
      child = undefined;
    },
  };
}

if (process.argv[1] === import.meta.filename) {
  const ports = createHostPorts();
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, method, args } = JSON.parse(line) as Request;
    const result = await (ports[method] as (...args: readonly unknown[]) => unknown)(...args);
    process.stdout.write(`${JSON.stringify({ id, result })}\n`);
  }
  ports.close();
}
