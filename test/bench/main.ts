/**
 * The figures, each beside its floor in the same run, interleaved: `npm run bench`, or `npm run bench -- tasks logs` for some.
 * docs/figures.md keeps the last ones recorded. Ratios are what to look at: the machine's other work moves both sides alike.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { measureAccess } from "./access.ts";
import { measureBursts } from "./burst.ts";
import { printDoor } from "./door.ts";
import { measureIdle } from "./idle.ts";
import { measureLogs } from "./logs.ts";
import { measureRestart } from "./restart.ts";
import { benchScheduler } from "./scheduler.ts";
import { measureStart } from "./start.ts";
import { measureStore } from "./store.ts";
import { measureTasks } from "./tasks.ts";

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  tasks: measureTasks,
  burst: measureBursts,
  idle: measureIdle,
  restart: measureRestart,
  start: measureStart,
  door: printDoor,
  access: measureAccess,
  store: measureStore,
  scheduler: benchScheduler,
  logs: measureLogs,
};

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => PARTS[name] === undefined);
if (unknown !== undefined) {
  console.error(`there is no bench ${unknown}; there are ${Object.keys(PARTS).join(", ")}`);
  process.exit(2);
}
const names = wanted.length === 0 ? Object.keys(PARTS) : wanted;
const [only] = names;
if (names.length === 1 && only !== undefined) await PARTS[only]?.();
else for (const name of names) await runByItself(name);

/** Each in a process of its own: memory that one has had stays with its process, and would count for the next. */
async function runByItself(name: string): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, import.meta.filename, name], {
    stdio: "inherit",
  });
  const [code] = await once(child, "exit");
  if (code !== 0) process.exitCode = 1;
}
