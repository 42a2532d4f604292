/** Restarts: what is acknowledged is durable, and running containers survive ours. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { GetLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import {
  DescribeClustersCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
} from "@aws-sdk/client-ecs";
import { GantryKit, skipReason, until } from "./gantry-kit.ts";
import { buildHelloImage } from "./images.ts";

const skip = await skipReason();

/** Counts aloud for ever; the log must have every number once and in order, whatever happens to us meanwhile. */
const COUNT = "i=0; while true; do echo line $i; i=$((i+1)); usleep 20000; done";

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`after ${signal} and a new start, tasks run on, nothing of their log is lost`, {
    skip,
  }, async () => {
    await using gantry = new GantryKit();
    const image = await buildHelloImage();
    await gantry.start();
    await gantry.loadImage(image);
    rmSync(image);
    await gantry.ecs.send(
      new RegisterTaskDefinitionCommand({
        family: "count",
        networkMode: "awsvpc",
        containerDefinitions: [
          {
            name: "main",
            image: "hello:latest",
            memory: 64,
            stopTimeout: 2,
            entryPoint: ["sh", "-c"],
            command: [COUNT],
            logConfiguration: {
              logDriver: "awslogs",
              options: {
                "awslogs-group": "/e2e/count",
                "awslogs-region": "us-east-1",
                "awslogs-stream-prefix": "s",
                "awslogs-create-group": "true",
              },
            },
          },
        ],
      }),
    );
    const subnets = [...gantry.client.subnetIds];
    const { tasks } = await gantry.ecs.send(
      new RunTaskCommand({
        taskDefinition: "count",
        launchType: "EC2",
        networkConfiguration: { awsvpcConfiguration: { subnets } },
      }),
    );
    const arn = tasks?.[0]?.taskArn;
    const before = await gantry.taskIs("default", arn, "RUNNING");
    const stream = {
      logGroupName: "/e2e/count",
      logStreamName: `s/main/${arn?.split("/").at(-1)}`,
    };
    const lines = async (): Promise<string[]> => {
      const { events = [] } = await gantry.logs.send(
        new GetLogEventsCommand({ ...stream, startFromHead: true }),
      );
      return events.map(({ message }) => message ?? "");
    };
    await until("some lines are in the log", async () => (await lines()).length > 20);

    await gantry.stop(signal);
    await gantry.start();

    const { clusters } = await gantry.ecs.send(new DescribeClustersCommand({}));
    assert.equal(
      clusters?.[0]?.registeredContainerInstancesCount,
      1,
      "the same instance registered again",
    );
    const { taskArns } = await gantry.ecs.send(new ListTasksCommand({}));
    assert.deepEqual(taskArns, [arn]);
    const running = await gantry.taskIs("default", arn, "RUNNING");
    assert.equal(running.startedAt?.getTime(), before.startedAt?.getTime());
    assert.equal(running.containers?.[0]?.runtimeId, before.containers?.[0]?.runtimeId);

    const seen = (await lines()).length;
    await until("the log goes on", async () => (await lines()).length > seen + 20);
    await gantry.ecs.send(new StopTaskCommand({ task: arn }));
    const stopped = await gantry.taskIs("default", arn, "STOPPED");
    assert.notEqual(stopped.containers?.[0]?.exitCode, undefined);
    const numbers = (await lines()).map((line) => Number(line.replace("line ", "")));
    const distinct = [...new Set(numbers)];
    assert.deepEqual(
      distinct,
      distinct.map((_, index) => index),
      "every line, in order",
    );
    if (signal === "SIGTERM") assert.equal(numbers.length, distinct.length, "and once");
  });
}
