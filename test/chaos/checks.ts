/** What holds when every fault is over: of each task, of its output, of the machines. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { GetLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { DescribeNetworkInterfacesCommand, EC2Client } from "@aws-sdk/client-ec2";
import {
  DescribeContainerInstancesCommand,
  DescribeTasksCommand,
  ListContainerInstancesCommand,
  ListTasksCommand,
  type Task,
} from "@aws-sdk/client-ecs";
import { type GantryKit, until } from "../e2e/gantry-kit.ts";
import type { Machines } from "./machines.ts";
import { LOG_GROUP, STOPPED_EXIT_CODE, STREAM_PREFIX, type UserTask } from "./users.ts";

/** Chosen: an agent that nobody answered for long asks again within two minutes. */
const REST_MS_MAX = 180_000;
/** Of DescribeTasks. */
const TASKS_PER_CALL = 100;

/** Waits until every task is over and everybody at rest; throws for the first thing that is not as it should be. */
export async function checkAtRest(
  tasks: readonly UserTask[],
  machines: Machines,
  mayBeLost: boolean,
): Promise<{ readonly givenUpCount: number }> {
  const { nodeDirectories, server } = machines;
  const asked = new Map(tasks.map((task) => [task.arn, task]));
  const stopped = await until(
    "every task is STOPPED",
    async () => {
      machines.requireAlive();
      const all = await describeTasks(server, [...asked.keys()]);
      return all.every(({ lastStatus }) => lastStatus === "STOPPED") && all;
    },
    REST_MS_MAX,
  );
  await until(
    "no container is left",
    () => {
      machines.requireAlive();
      return !nodeDirectories.some((directory) => hasContainers(directory));
    },
    REST_MS_MAX,
  );
  for (const task of stopped) {
    const ask = asked.get(task.taskArn ?? "");
    assert.ok(ask);
    checkEnd(task, ask, mayBeLost);
    await checkOutput(server, task, ask, isGivenUp(task, mayBeLost));
  }
  const listed = await listTasks(server);
  assert.deepEqual(listed.sort(), [...asked.keys()].sort(), "one task for each request");
  await checkMachines(server, nodeDirectories.length);
  return { givenUpCount: stopped.filter((task) => isGivenUp(task, mayBeLost)).length };
}

async function describeTasks(server: GantryKit, arns: readonly string[]): Promise<Task[]> {
  const found: Task[] = [];
  for (let at = 0; at < arns.length; at += TASKS_PER_CALL) {
    const tasks = arns.slice(at, at + TASKS_PER_CALL);
    const answer = await server.ecs.send(new DescribeTasksCommand({ tasks }));
    assert.deepEqual(answer.failures, [], "an acknowledged task is on record");
    found.push(...(answer.tasks ?? []));
  }
  return found;
}

/** A containerd-shim of this machine's private containerd stands for each container. */
function hasContainers(directory: string): boolean {
  return globSync("/proc/[0-9]*/cmdline").some((path) => {
    try {
      const line = readFileSync(path, "utf8");
      return line.includes("containerd-shim") && line.includes(directory);
    } catch {
      return false;
    }
  });
}

function isLost({ stoppedReason = "" }: Task): boolean {
  return stoppedReason.includes(" lost: its agent has been silent for ");
}

/** Ended in the books alone. Who had stopped a task before its machine was lost has given the reason that stays. */
function isGivenUp(task: Task, mayBeLost: boolean): boolean {
  if (isLost(task)) return true;
  const { stopCode, containers = [] } = task;
  return mayBeLost && stopCode === "UserInitiated" && containers[0]?.exitCode === undefined;
}

function checkEnd(task: Task, ask: UserTask, mayBeLost: boolean): void {
  const { stopCode, stoppedReason = "", containers = [] } = task;
  const said = `${describeTask(task)} ${stopCode}: ${stoppedReason} ${JSON.stringify(containers)}`;
  const { exitCode } = containers[0] ?? {};
  if (isLost(task)) {
    assert.ok(mayBeLost, `no machine was away for so long: ${said}`);
    assert.equal(stopCode, "TerminationNotice", said);
  } else if (stopCode === "UserInitiated") {
    assert.ok(ask.isStopAsked, `nobody stopped ${said}`);
  } else {
    assert.equal(stopCode, "EssentialContainerExited", said);
    assert.equal(exitCode, ask.exitCode, said);
  }
}

/**
 * What the container wrote is in its stream: each line once and in order, up to the last one, which says what it ended with.
 * The stream is empty only where the task ended before its container started.
 */
async function checkOutput(
  server: GantryKit,
  task: Task,
  ask: UserTask,
  isAbandoned: boolean,
): Promise<void> {
  const { exitCode } = task.containers?.[0] ?? {};
  const said = describeTask(task);
  const isStarted = task.startedAt !== undefined || exitCode !== undefined;
  const end = /^end (?<count>\d+) (?<code>\d+)$/;
  let lines: string[] = [];
  const look = async (): Promise<boolean> => {
    lines = await readLines(server, task);
    if (lines.length === 0) return !isStarted;
    return end.test(lines.at(-1) ?? "");
  };
  await until(`the last line of ${said} is stored`, look, REST_MS_MAX).catch((error: Error) => {
    throw new Error(`${error.message}; there are ${lines.length}, ending ${lines.slice(-3)}`);
  });
  if (lines.length === 0) return;
  const { count = "", code = "" } = end.exec(lines.at(-1) ?? "")?.groups ?? {};
  const written = Array.from({ length: Number(count) }, (_, index) => `line ${index}`);
  const wrongAt = lines.slice(0, -1).findIndex((line, index) => line !== written[index]);
  assert.equal(
    wrongAt,
    -1,
    `${said} wrote ${count} lines; around line ${wrongAt}: ${lines.slice(Math.max(0, wrongAt - 3), wrongAt + 3)}`,
  );
  assert.equal(lines.length - 1, written.length, `${said}: number of lines`);
  const isStopped = Number(code) === STOPPED_EXIT_CODE;
  if (!isStopped) assert.deepEqual([count, code].map(Number), [ask.lineCount, ask.exitCode], said);
  else assert.ok(ask.isStopAsked || isAbandoned, `nobody stopped ${said}`);
  // Of a task that was given up the record may say nothing.
  if (!isAbandoned || exitCode !== undefined) assert.equal(exitCode, Number(code), said);
}

async function readLines({ logs }: GantryKit, task: Task): Promise<string[]> {
  const logStreamName = `${STREAM_PREFIX}/main/${task.taskArn?.split("/").at(-1)}`;
  const lines: string[] = [];
  let nextToken: string | undefined;
  for (;;) {
    const input = { logGroupName: LOG_GROUP, logStreamName, startFromHead: true, nextToken };
    try {
      const page = await logs.send(new GetLogEventsCommand(input));
      for (const { message = "" } of page.events ?? []) lines.push(message);
      // CloudWatch Logs: at the end of a stream the token is the one that was given.
      if (page.nextForwardToken === nextToken || page.events?.length === 0) return lines;
      nextToken = page.nextForwardToken;
    } catch (error) {
      if ((error as Error).name === "ResourceNotFoundException") return lines;
      throw error;
    }
  }
}

async function listTasks({ ecs }: GantryKit): Promise<string[]> {
  const arns: string[] = [];
  for (const desiredStatus of ["RUNNING", "STOPPED"] as const) {
    let nextToken: string | undefined;
    do {
      const page = await ecs.send(new ListTasksCommand({ desiredStatus, nextToken }));
      arns.push(...(page.taskArns ?? []));
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
  }
  return arns;
}

/** Each is there once and connected, with all of its resources free, and no interface is left. */
async function checkMachines(server: GantryKit, count: number): Promise<void> {
  const { ecs } = server;
  const { containerInstanceArns } = await ecs.send(new ListContainerInstancesCommand({}));
  assert.equal(containerInstanceArns?.length, count, "a machine is one container instance");
  const command = new DescribeContainerInstancesCommand({
    containerInstances: containerInstanceArns,
  });
  const instances = await until(
    "every machine is connected",
    async () => {
      const { containerInstances = [] } = await ecs.send(command);
      return containerInstances.every(({ agentConnected }) => agentConnected) && containerInstances;
    },
    REST_MS_MAX,
  );
  for (const instance of instances) {
    assert.equal(instance.status, "ACTIVE");
    assert.deepEqual([instance.runningTasksCount, instance.pendingTasksCount], [0, 0]);
    assert.deepEqual(instance.remainingResources, instance.registeredResources);
  }
  const ec2 = new EC2Client(server.clientSettings);
  try {
    const noneLeft = async (): Promise<boolean> => {
      const { NetworkInterfaces } = await ec2.send(new DescribeNetworkInterfacesCommand({}));
      return NetworkInterfaces?.length === 0;
    };
    await until("no interface is left", noneLeft, REST_MS_MAX);
  } finally {
    ec2.destroy();
  }
}

function describeTask({ group, taskArn = "" }: Task): string {
  return `${group} ${taskArn.split("/").at(-1)}`;
}
