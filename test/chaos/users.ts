/** Users at work: they run and stop tasks, and ask again when nobody answers. */
import { setTimeout as delay } from "node:timers/promises";
import { CreateLogGroupCommand } from "@aws-sdk/client-cloudwatch-logs";
import {
  type ContainerDefinition,
  type KeyValuePair,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  type RunTaskCommandOutput,
  StopTaskCommand,
} from "@aws-sdk/client-ecs";
import type { GantryKit } from "../e2e/gantry-kit.ts";
import type { SeededRandom } from "../sim/seeded-random.ts";

export const LOG_GROUP = "/chaos";
export const STREAM_PREFIX = "s";
/** What a task that is stopped ends with: none of those it ends with by itself. */
export const STOPPED_EXIT_CODE = 143;

/** Five numbered lines each 100 ms, then a last one that says how many there were and which exit code follows. */
const SCRIPT = `
i=0; stop=; trap 'stop=${STOPPED_EXIT_CODE}' TERM
while [ -z "$stop" ] && [ $i -lt $LINES ]; do
  for _ in 1 2 3 4 5; do echo line $i; i=$((i+1)); done
  usleep 100000
done
code=\${stop:-$CODE}; echo end $i $code; exit $code`;
const LINES_PER_SECOND_MAX = 50;

const BETWEEN_TASKS_MS = 1_200;
/** Chosen for two processors; the machines of a run are one. */
const LIVE_TASKS_MAX = 8;
const TASK_SECONDS_MAX = 25;
const STOP_CHANCE = 0.3;
/** How long an answer may be outstanding: the server comes back after each kill. */
const ANSWER_MS_MAX = 90_000;

const FAMILIES = {
  host: { launchType: "EC2", networkMode: "host" },
  own: { launchType: "EC2", networkMode: "awsvpc" },
  fargate: { launchType: "FARGATE", networkMode: "awsvpc" },
} as const;
type Family = keyof typeof FAMILIES;

/** A task that was acknowledged. */
export interface UserTask {
  readonly arn: string;
  readonly family: Family;
  readonly lineCount: number;
  /** What it ends with by itself. */
  readonly exitCode: number;
  /** StopTask was sent. */
  isStopAsked: boolean;
}

export class Users {
  readonly tasks: UserTask[] = [];
  readonly #server: GantryKit;
  readonly #random: SeededRandom;
  readonly #signal: AbortSignal;
  readonly #say: (line: string) => void;
  readonly #stopping: Promise<void>[] = [];

  constructor(
    server: GantryKit,
    random: SeededRandom,
    say: (line: string) => void,
    signal: AbortSignal,
  ) {
    this.#server = server;
    this.#random = random;
    this.#say = say;
    this.#signal = signal;
  }

  async prepare(): Promise<void> {
    await this.#server.logs.send(new CreateLogGroupCommand({ logGroupName: LOG_GROUP }));
    const executionRoleArn = await this.#server.createTaskRole("execution");
    for (const [family, { launchType, networkMode }] of Object.entries(FAMILIES)) {
      await this.#server.ecs.send(
        new RegisterTaskDefinitionCommand({
          family,
          networkMode,
          executionRoleArn,
          requiresCompatibilities: [launchType],
          cpu: launchType === "FARGATE" ? "256" : "128",
          memory: launchType === "FARGATE" ? "512" : "64",
          containerDefinitions: [CONTAINER],
        }),
      );
    }
  }

  /** Works for `durationMs`; resolves when all that was asked is answered. */
  async work(durationMs: number): Promise<void> {
    const end = performance.now() + durationMs;
    let mayEndAt: number[] = [];
    while (performance.now() < end) {
      await delay(this.#random.interval(BETWEEN_TASKS_MS), undefined, { signal: this.#signal });
      mayEndAt = mayEndAt.filter((at) => at > performance.now());
      if (mayEndAt.length >= LIVE_TASKS_MAX) continue;
      const seconds = this.#random.integer(1, TASK_SECONDS_MAX);
      mayEndAt.push(performance.now() + seconds * 1000);
      await this.#start(seconds * LINES_PER_SECOND_MAX);
    }
    await Promise.all(this.#stopping);
  }

  async #start(lineCount: number): Promise<void> {
    const family = this.#random.pick<Family>(["host", "own", "fargate"]);
    const exitCode = this.#random.integer(0, 99);
    const { tasks, failures } = await this.#run(family, lineCount, exitCode);
    const arn = tasks?.[0]?.taskArn;
    if (arn === undefined) {
      // While a machine is away there may be no room.
      const [{ reason = "" } = {}] = failures ?? [];
      if (!/^(AGENT|RESOURCE:|Capacity is unavailable)/.test(reason))
        throw new Error(`RunTask ${family} fails: ${JSON.stringify(failures)}`);
      this.#say(`no ${family} task: ${reason}`);
      return;
    }
    const task: UserTask = { arn, family, lineCount, exitCode, isStopAsked: false };
    this.tasks.push(task);
    this.#say(`${family} ${arn.split("/").at(-1)}: ${lineCount} lines, exit code ${exitCode}`);
    if (!this.#random.chance(STOP_CHANCE)) return;
    const stopping = this.#stop(task, this.#random.integer(0, 12_000));
    stopping.catch(() => undefined);
    this.#stopping.push(stopping);
  }

  #run(family: Family, lineCount: number, exitCode: number): Promise<RunTaskCommandOutput> {
    const { launchType, networkMode } = FAMILIES[family];
    const environment: KeyValuePair[] = [
      { name: "LINES", value: String(lineCount) },
      { name: "CODE", value: String(exitCode) },
    ];
    const subnets = [...this.#server.client.subnetIds];
    const command = new RunTaskCommand({
      taskDefinition: family,
      launchType,
      clientToken: this.#random.uuid(),
      overrides: { containerOverrides: [{ name: CONTAINER.name, environment }] },
      ...(networkMode === "awsvpc" && {
        networkConfiguration: { awsvpcConfiguration: { subnets } },
      }),
    });
    return untilAnswered(() => this.#server.ecs.send(command), this.#signal);
  }

  async #stop(task: UserTask, afterMs: number): Promise<void> {
    await delay(afterMs, undefined, { signal: this.#signal });
    task.isStopAsked = true;
    const command = new StopTaskCommand({ task: task.arn });
    await untilAnswered(() => this.#server.ecs.send(command), this.#signal);
    this.#say(`stopped ${task.arn.split("/").at(-1)}`);
  }
}

const CONTAINER: ContainerDefinition = {
  name: "main",
  image: "hello:latest",
  entryPoint: ["sh", "-c"],
  command: [SCRIPT],
  logConfiguration: {
    logDriver: "awslogs",
    options: {
      "awslogs-group": LOG_GROUP,
      "awslogs-region": "us-east-1",
      "awslogs-stream-prefix": STREAM_PREFIX,
    },
  },
};

/** The answer to a request that may be repeated, however often its server is killed meanwhile. Throws what the server refuses. */
export async function untilAnswered<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const end = performance.now() + ANSWER_MS_MAX;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
      const isRefused = ($metadata?.httpStatusCode ?? 500) < 500;
      if (isRefused || performance.now() > end) throw error;
      await delay(100, undefined, { signal });
    }
  }
}
