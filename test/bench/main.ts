/**
 * The figures, each beside its floor in the same run, interleaved: `npm run bench`, or `npm run bench -- tasks logs` for some.
 * docs/figures.md keeps the last ones recorded. Ratios are what to look at: the machine's other work moves both sides alike.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import {
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
} from "@aws-sdk/client-ecs";
import { readIdentity } from "../../src/cli/data-directory.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { connectRuntime } from "../../src/node.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { GantryKit, skipReason, until } from "../e2e/gantry-kit.ts";
import { buildHelloImage } from "../e2e/images.ts";
import { specOf } from "../images/real-runtime.ts";
import { measureAccess } from "./access.ts";
import { type DoorFigure, measureDoor } from "./door.ts";
import { measureLogs } from "./logs.ts";
import { benchScheduler } from "./scheduler.ts";
import { measureStore } from "./store.ts";

const ROUNDS = 15;

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  tasks: measureContainers,
  door: printDoor,
  access: measureAccess,
  store: measureStore,
  scheduler: benchScheduler,
  logs: measureLogs,
};

const wanted = process.argv.slice(2);
for (const [name, measure] of Object.entries(PARTS)) {
  if (wanted.length === 0 || wanted.includes(name)) await measure();
}

async function measureContainers(): Promise<void> {
  const reason = await skipReason();
  if (reason !== false) {
    console.log(`tasks cannot be measured here: ${reason}`);
    return;
  }
  await using gantry = new GantryKit();
  await gantry.start();
  const image = await buildHelloImage();
  await gantry.loadImage(image);
  rmSync(image);
  await measureTaskStarts(gantry);
  await gantry.stop();
  await measureStart(gantry);
}

async function printDoor(): Promise<void> {
  const { bare, door } = await measureDoor();
  const row = (name: string, { requestsPerSecond, cpuMicrosPerRequest }: DoorFigure): void =>
    console.log(
      `  ${name.padEnd(43)}${requestsPerSecond.toFixed(0).padStart(7)} /${cpuMicrosPerRequest.toFixed(0).padStart(5)}`,
    );
  console.log("\nDescribeClusters, signed, keep-alive, requests per second / CPU µs per request");
  row("the door", door);
  row("bare node:http answering {}", bare);
  console.log(
    `  ratio                                      ${(door.requestsPerSecond / bare.requestsPerSecond).toFixed(2)}`,
  );
}

async function measureTaskStarts(gantry: GantryKit): Promise<void> {
  const identity = await readIdentity(gantry.directory);
  if (identity === undefined) throw new Error("the data directory has no identity");
  await using runtime = await connectRuntime({
    directory: join(gantry.directory, "node"),
    identity,
    clock: systemClock,
    log: silentLog,
  });
  await gantry.ecs.send(
    new RegisterTaskDefinitionCommand({
      family: "bench",
      networkMode: "awsvpc",
      containerDefinitions: [{ name: "main", image: "hello:latest", memory: 64, stopTimeout: 2 }],
    }),
  );
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    ours.push(await timeTask(gantry));
    bare.push(await timeBareContainer(runtime, gantry.directory, round));
  }
  const [task, floor] = [summarise(ours), summarise(bare)];
  console.log("\nRunTask → RUNNING, awsvpc, image present, ms (median / best / p90)");
  console.log(`  RunTask request to DescribeTasks RUNNING   ${format(task)}`);
  console.log(`  the same container, bare containerd client ${format(floor)}`);
  console.log(
    `  ratio of medians                           ${(task.median / floor.median).toFixed(2)}`,
  );
}

async function timeTask(gantry: GantryKit): Promise<number> {
  const subnets = [...gantry.client.subnetIds];
  const startedAt = performance.now();
  const { tasks } = await gantry.ecs.send(
    new RunTaskCommand({
      taskDefinition: "bench",
      launchType: "EC2",
      networkConfiguration: { awsvpcConfiguration: { subnets } },
    }),
  );
  const arn = tasks?.[0]?.taskArn;
  await gantry.taskIs("default", arn, "RUNNING");
  const elapsedMs = performance.now() - startedAt;
  await gantry.ecs.send(new StopTaskCommand({ task: arn }));
  await gantry.taskIs("default", arn, "STOPPED");
  return elapsedMs;
}

/** Create and start, as lean as the engine's client allows: no network, no task around it. */
async function timeBareContainer(
  runtime: Runtime,
  directory: string,
  round: number,
): Promise<number> {
  const id = `bench-${round}`;
  const spec = specOf(directory, id, ["sleep", "3600"], {
    image: "docker.io/library/hello:latest",
  });
  const startedAt = performance.now();
  await runtime.create(spec);
  await runtime.start(id);
  const elapsedMs = performance.now() - startedAt;
  await runtime.remove(id);
  return elapsedMs;
}

/** `npm start` on an installed machine with state, to the first answered HTTP request, and to ready (agents connected). */
async function measureStart(gantry: GantryKit): Promise<void> {
  const listen = "127.0.0.1:45660";
  const answers: number[] = [];
  const ready: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const startedAt = performance.now();
    const child = spawn("npm", ["start"], {
      env: { ...process.env, ...gantry.environment, GANTRY_LISTEN: listen },
      stdio: ["ignore", "pipe", "ignore"],
      detached: true,
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    await until("the door answers", () => answersAt(listen));
    answers.push(performance.now() - startedAt);
    await until("gantry is ready", () => output.includes("Gantry is ready"));
    ready.push(performance.now() - startedAt);
    if (child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
    await once(child, "close");
  }
  console.log("\nnpm start on an installed machine, ms (median / best / p90)");
  console.log(`  to the first answer                        ${format(summarise(answers))}`);
  console.log(`  to ready, both agents connected            ${format(summarise(ready))}`);
}

async function answersAt(listen: string): Promise<boolean> {
  try {
    await (await fetch(`http://${listen}/`)).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

interface Summary {
  readonly median: number;
  readonly best: number;
  readonly p90: number;
}

function summarise(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
  return { median: at(0.5), best: at(0), p90: at(0.9) };
}

function format({ median, best, p90 }: Summary): string {
  return [median, best, p90].map((value) => value.toFixed(0).padStart(6)).join(" /");
}
