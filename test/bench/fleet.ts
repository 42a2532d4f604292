/** A Gantry whose tasks are measured: started, given an image, and made to run as many of them as asked. */
import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  type DescribeTasksResponse,
  type LaunchType,
  type NetworkMode,
  RegisterTaskDefinitionCommand,
  type RunTaskResponse,
  type Task,
} from "@aws-sdk/client-ecs";
import { busyboxImage } from "../../scripts/busybox-image.ts";
import { type AwsJsonClient, createAwsJsonClient } from "../../src/lib/aws-json-client.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { UnavailableError } from "../../src/lib/errors.ts";
import { GantryKit } from "../e2e/gantry-kit.ts";

/** Does nothing, and ends when it is told to. */
export const IMAGE = "idle:latest";
export const IMAGE_NAME: string = `docker.io/library/${IMAGE}`;
export const MEMORY_MIB = 64;
/** ECS: tasks of one RunTask call; of one DescribeTasks call. */
const RUN_COUNT_MAX = 10;
const DESCRIBE_COUNT_MAX = 100;
const WAIT_MS_MAX = 300_000;
/** A connection may be closed by a server that waits for its next request, just when that is sent. */
const ATTEMPTS_MAX = 3;

/** Writes the image's archive, as `docker save` does. The caller removes it. */
export async function writeImage(): Promise<string> {
  const file = join(tmpdir(), `gantry-bench-${process.pid}.tar`);
  await busyboxImage({
    file,
    names: [IMAGE],
    format: "docker",
    entrypoint: ["/bin/sh", "-c"],
    command: ["trap 'kill $!; exit 0' TERM; sleep 86400 & wait $!"],
  });
  return file;
}

export class Fleet {
  readonly gantry: GantryKit = new GantryKit();
  /** Not the SDK, whose own work on the machine that is measured comes to a third of a task's start. */
  #ecs: AwsJsonClient | undefined;

  /** Starts Gantry and registers `bench-bridge`, `bench-awsvpc`, and `bench-fargate`. */
  static async open(...flags: readonly string[]): Promise<Fleet> {
    const fleet = new Fleet();
    await fleet.gantry.start(...flags);
    const { endpoint, region, accessKeyId, secretAccessKey } = fleet.gantry.client;
    fleet.#ecs = createAwsJsonClient({
      endpoint,
      region,
      service: "ecs",
      targetPrefix: "AmazonEC2ContainerServiceV20141113",
      credentials: () => ({ accessKeyId, secretAccessKey }),
      clock: systemClock,
    });
    const archive = await writeImage();
    await fleet.gantry.loadImage(archive);
    rmSync(archive);
    await fleet.#register("bench-bridge", { networkMode: "bridge" });
    await fleet.#register("bench-awsvpc", { networkMode: "awsvpc" });
    await fleet.#register("bench-fargate", {
      networkMode: "awsvpc",
      requiresCompatibilities: ["FARGATE"],
      // Less than a core would be less than the floor has: the engine's work inside the task counts as the task's.
      cpu: "1024",
      memory: "2048",
    });
    return fleet;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.gantry[Symbol.asyncDispose]();
  }

  /** RunTask, ten at a time and all calls at once. */
  async launch(family: string, count: number): Promise<readonly string[]> {
    const launchType: LaunchType = family === "bench-fargate" ? "FARGATE" : "EC2";
    const network = { awsvpcConfiguration: { subnets: this.gantry.client.subnetIds } };
    const counts = Array.from({ length: Math.ceil(count / RUN_COUNT_MAX) }, (_, call) =>
      Math.min(RUN_COUNT_MAX, count - call * RUN_COUNT_MAX),
    );
    const answers = await Promise.all(
      counts.map((some) =>
        this.#call<RunTaskResponse>("RunTask", {
          clientToken: randomUUID(),
          taskDefinition: family,
          launchType,
          count: some,
          ...(family !== "bench-bridge" && { networkConfiguration: network }),
        }),
      ),
    );
    const [failure] = answers.flatMap(({ failures = [] }) => failures);
    if (failure) throw new Error(`a task was not placed: ${failure.reason} ${failure.detail}`);
    return answers.flatMap(({ tasks = [] }) => tasks.map(({ taskArn = "" }) => taskArn));
  }

  /**
   * Asks every `pauseMs` until all are there: after one of them at a time, and after all the others when that one is. To ask
   * after a hundred each time would be more work than to start one.
   */
  async reach(arns: readonly string[], status: string, pauseMs: number): Promise<void> {
    const endAt = performance.now() + WAIT_MS_MAX;
    let left = arns;
    while (left.length > 0) {
      const [first = ""] = left;
      const isThere = (await this.#thoseThat(status, [first])).length > 0;
      if (isThere) {
        const there = new Set(await this.#thoseThat(status, left.slice(0, DESCRIBE_COUNT_MAX)));
        left = left.filter((arn) => !there.has(arn));
        continue;
      }
      if (performance.now() > endAt) throw new Error(`${left.length} tasks are not ${status}`);
      await delay(pauseMs);
    }
  }

  async stop(arns: readonly string[]): Promise<void> {
    await Promise.all(arns.map((task) => this.#call("StopTask", { task })));
    await this.reach(arns, "STOPPED", 100);
  }

  /** ARNs of those of the tasks that have reached `status`. */
  async #thoseThat(status: string, arns: readonly string[]): Promise<readonly string[]> {
    const answer = await this.#call<DescribeTasksResponse>("DescribeTasks", { tasks: arns });
    const tasks: readonly Task[] = answer.tasks ?? [];
    const ended = tasks.find(({ lastStatus }) => lastStatus === "STOPPED");
    if (status !== "STOPPED" && ended) throw new Error(`a task stopped: ${ended.stoppedReason}`);
    return tasks
      .filter(({ lastStatus }) => lastStatus === status)
      .map(({ taskArn = "" }) => taskArn);
  }

  async #call<Output>(operation: string, input: unknown): Promise<Output> {
    if (this.#ecs === undefined) throw new Error("the fleet is not open");
    for (let attempts = 1; ; attempts++) {
      try {
        return (await this.#ecs.call(operation, input)) as Output;
      } catch (error) {
        if (!(error instanceof UnavailableError) || attempts === ATTEMPTS_MAX) throw error;
      }
    }
  }

  async #register(
    family: string,
    settings: {
      readonly networkMode: NetworkMode;
      readonly requiresCompatibilities?: ["FARGATE"];
      readonly cpu?: string;
      readonly memory?: string;
    },
  ): Promise<void> {
    const main = { name: "main", image: IMAGE, memory: MEMORY_MIB, stopTimeout: 2 };
    await this.gantry.ecs.send(
      new RegisterTaskDefinitionCommand({ family, ...settings, containerDefinitions: [main] }),
    );
  }
}
