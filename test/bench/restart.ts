/** `kill -9` of Gantry while tasks run, to the first answer of DescribeTasks, which has to be right. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { DescribeTasksCommand, type Task } from "@aws-sdk/client-ecs";
import { skipReason } from "../e2e/gantry-kit.ts";
import { Fleet } from "./fleet.ts";
import { format, row, summarise } from "./summary.ts";

const TASKS = 20;
const ROUNDS = 5;
const LISTEN = "127.0.0.1:45661";
const ANSWER_MS_MAX = 60_000;
const PAUSE_MS = 5;

/** Prints the time from the kill on, beside that of a bare HTTP server in Node. */
export async function measureRestart(): Promise<void> {
  const reason = await skipReason();
  if (reason !== false) {
    console.log(`restart cannot be measured here: ${reason}`);
    return;
  }
  await using fleet = await Fleet.open("--listen", LISTEN);
  const arns = await fleet.launch("bench-awsvpc", TASKS);
  await fleet.reach(arns, "RUNNING", 100);
  const ask = new DescribeTasksCommand({ tasks: [...arns] });
  const { tasks = [] } = await fleet.gantry.ecs.send(ask);
  const expected = factsOf(tasks);
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(await timeRestart(fleet, ask, expected));
    bare.push(await timeBareServer());
  }
  await fleet.stop(arns);
  console.log(
    `\nkill -9 of Gantry with ${TASKS} tasks, started again at once, ms (median / best / p90)`,
  );
  row("kill to the first DescribeTasks, which is right", format(summarise(ours)));
  row("a bare node:http server, kill to its first answer", format(summarise(bare)));
}

/** What a restart must not change. */
function factsOf(tasks: readonly Task[]): unknown {
  return tasks
    .map(({ attachments, containers, lastStatus, startedAt, taskArn }) => ({
      taskArn,
      lastStatus,
      startedAt,
      details: attachments?.[0]?.details,
      runtimeIds: containers?.map(({ runtimeId }) => runtimeId),
    }))
    .toSorted((a, b) => (a.taskArn ?? "").localeCompare(b.taskArn ?? ""));
}

async function timeRestart(
  fleet: Fleet,
  ask: DescribeTasksCommand,
  expected: unknown,
): Promise<number> {
  const startedAt = performance.now();
  await fleet.gantry.stop("SIGKILL");
  const ready = fleet.gantry.start("--listen", LISTEN);
  const { tasks: first = [] } = await firstAnswer(() => fleet.gantry.ecs.send(ask));
  const elapsedMs = performance.now() - startedAt;
  if (!isDeepStrictEqual(factsOf(first), expected))
    throw new Error("the first answer after a restart is another than the last one before");
  await ready;
  return elapsedMs;
}

/** Starts, kills and starts again what could not be less. */
async function timeBareServer(): Promise<number> {
  const script = `require("node:http").createServer((_, a) => a.end()).listen(45662, "127.0.0.1")`;
  const begin = (): ChildProcess => spawn(process.execPath, ["-e", script], { stdio: "ignore" });
  const ask = async (): Promise<string> => (await fetch("http://127.0.0.1:45662/")).text();
  let server = begin();
  await firstAnswer(ask);
  const startedAt = performance.now();
  server.kill("SIGKILL");
  await once(server, "exit");
  server = begin();
  await firstAnswer(ask);
  const elapsedMs = performance.now() - startedAt;
  server.kill("SIGKILL");
  await once(server, "exit");
  return elapsedMs;
}

/** Asks again and again until somebody answers. */
async function firstAnswer<T>(ask: () => Promise<T>): Promise<T> {
  const endAt = performance.now() + ANSWER_MS_MAX;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > endAt) throw error;
      await delay(PAUSE_MS);
    }
  }
}
