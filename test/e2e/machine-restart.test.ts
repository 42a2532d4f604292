/** A machine that is restarted, and a control plane that is put back to a backup: all comes to agree again, and nothing is left. */
import assert from "node:assert/strict";
import { cpSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { GetLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import {
  DescribeContainerInstancesCommand,
  DescribeTasksCommand,
  ListContainerInstancesCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  RunTaskCommand,
  StopTaskCommand,
  type Task,
} from "@aws-sdk/client-ecs";
import { GantryKit, skipReason, until } from "./gantry-kit.ts";
import { buildHelloImage } from "./images.ts";
import { loseMachine } from "./machine-restart.ts";

const skip = await skipReason();

/** Docker's, of a container whose end nobody saw. */
const EXIT_CODE_LOST = 255;
const AWSLOGS = {
  logDriver: "awslogs",
  options: {
    "awslogs-group": "/e2e/restart",
    "awslogs-region": "us-east-1",
    "awslogs-stream-prefix": "s",
    "awslogs-create-group": "true",
  },
} as const;

type Family = "own-address" | "fargate" | "bridge";
const FAMILIES: readonly Family[] = ["own-address", "fargate", "bridge"];
const DEFINITIONS: Readonly<Record<Family, Partial<RegisterTaskDefinitionCommandInput>>> = {
  "own-address": { networkMode: "awsvpc" },
  fargate: {
    networkMode: "awsvpc",
    requiresCompatibilities: ["FARGATE"],
    cpu: "256",
    memory: "512",
  },
  bridge: { networkMode: "bridge", pidMode: "task" },
};

describe("what only the disk survives", { skip, concurrency: false }, () => {
  let gantry: GantryKit;
  let image: string;

  before(async () => {
    gantry = new GantryKit();
    await gantry.start();
    image = await buildHelloImage();
    await gantry.loadImage(image);
    const executionRoleArn = await gantry.createTaskRole("execution", {
      Effect: "Allow",
      Action: "logs:CreateLogGroup",
      Resource: "*",
    });
    for (const family of FAMILIES) {
      const definition = { ...define(family), executionRoleArn };
      await gantry.ecs.send(new RegisterTaskDefinitionCommand(definition));
    }
  });
  after(async () => {
    await gantry[Symbol.asyncDispose]();
    rmSync(image, { force: true });
  });

  async function run(family: Family): Promise<Task> {
    const { tasks, failures } = await gantry.ecs.send(
      new RunTaskCommand({
        taskDefinition: family,
        launchType: family === "fargate" ? "FARGATE" : "EC2",
        ...(family !== "bridge" && {
          networkConfiguration: {
            awsvpcConfiguration: { subnets: [...gantry.client.subnetIds] },
          },
        }),
      }),
    );
    assert.deepEqual(failures, []);
    return gantry.taskIs("default", tasks?.[0]?.taskArn, "RUNNING");
  }

  /** What is free of the machine, in CPU, memory and ports. */
  async function remaining(): Promise<unknown> {
    const { containerInstanceArns } = await gantry.ecs.send(new ListContainerInstancesCommand({}));
    const { containerInstances } = await gantry.ecs.send(
      new DescribeContainerInstancesCommand({ containerInstances: containerInstanceArns }),
    );
    assert.equal(containerInstances?.length, 1);
    return containerInstances?.[0]?.remainingResources;
  }

  const taskFiles = (): string[] => globSync(join(gantry.directory, "node/agent-*/tasks/*"));

  test("after a restart of the machine its tasks have stopped, all of them is given back, and new ones run", async () => {
    const free = await remaining();
    const tasks: Task[] = [];
    for (const family of FAMILIES) tasks.push(await run(family));
    const lines = async (task: Task | undefined): Promise<number[]> => {
      const logStreamName = `s/main/${task?.taskArn?.split("/").at(-1)}`;
      const { events = [] } = await gantry.logs.send(
        new GetLogEventsCommand({
          logGroupName: "/e2e/restart",
          logStreamName,
          startFromHead: true,
        }),
      );
      return events.map(({ message }) => Number(message?.replace("line ", "")));
    };
    await until("some lines are in the log", async () => (await lines(tasks[0])).length > 5);

    await loseMachine(gantry);
    await gantry.start();

    for (const { taskArn } of tasks) {
      const task = await gantry.taskIs("default", taskArn, "STOPPED");
      const said = [task.stopCode, task.stoppedReason, task.containers?.[0]?.exitCode];
      assert.deepEqual(said, [
        "EssentialContainerExited",
        "Essential container in task exited",
        EXIT_CODE_LOST,
      ]);
    }
    assert.deepEqual(await remaining(), free);
    await until("the tasks' files are gone", () => taskFiles().length === 0);
    for (const task of tasks) {
      const seen = await lines(task);
      assert.deepEqual(
        seen,
        seen.map((_, index) => index),
        "every line once and in order",
      );
    }
    for (const family of FAMILIES) {
      const { taskArn } = await run(family);
      await gantry.ecs.send(new StopTaskCommand({ task: taskArn }));
      await gantry.taskIs("default", taskArn, "STOPPED");
    }
    assert.deepEqual(await remaining(), free);
  });

  test("a control plane that is put back to a backup agrees with its machine again", async () => {
    const server = join(gantry.directory, "server");
    const backup = join(gantry.directory, "backup");
    const stays = await run("own-address");
    const ends = await run("bridge");
    await gantry.stop();
    cpSync(server, backup, { recursive: true });
    await gantry.start();
    await gantry.ecs.send(new StopTaskCommand({ task: ends.taskArn }));
    await gantry.taskIs("default", ends.taskArn, "STOPPED");
    const unknown = await run("fargate");
    await until("the machine has forgotten the task that ended", () => taskFiles().length === 2);
    await gantry.stop("SIGKILL");
    rmSync(server, { recursive: true });
    cpSync(backup, server, { recursive: true });
    rmSync(backup, { recursive: true });
    await gantry.start();

    const told = await gantry.taskIs("default", ends.taskArn, "STOPPED");
    assert.equal(told.stopCode, "EssentialContainerExited");
    const { tasks, failures } = await gantry.ecs.send(
      new DescribeTasksCommand({ tasks: [stays.taskArn ?? "", unknown.taskArn ?? ""] }),
    );
    assert.deepEqual(
      failures?.map(({ arn, reason }) => [arn, reason]),
      [[unknown.taskArn, "MISSING"]],
    );
    assert.equal(tasks?.[0]?.containers?.[0]?.runtimeId, stays.containers?.[0]?.runtimeId);
    assert.equal(tasks?.[0]?.lastStatus, "RUNNING");
    await until("what nobody knows has stopped", () => groupsOf(unknown).length === 0);
    assert.notDeepEqual(groupsOf(stays), []);
    await run("fargate");
    const { taskArns = [] } = await gantry.ecs.send(new ListTasksCommand({}));
    for (const task of taskArns) {
      await gantry.ecs.send(new StopTaskCommand({ task }));
      await gantry.taskIs("default", task, "STOPPED");
    }
  });
});

/** The control groups of a task. */
function groupsOf({ taskArn = "" }: Task): readonly string[] {
  return globSync(`/sys/fs/cgroup/{,*/}gantry-*/${taskArn.split("/").at(-1)}`);
}

function define(family: Family): RegisterTaskDefinitionCommandInput {
  return {
    family,
    ...DEFINITIONS[family],
    containerDefinitions: [
      {
        name: "main",
        image: "hello:latest",
        memory: 64,
        stopTimeout: 2,
        entryPoint: ["sh", "-c"],
        command: ["i=0; while true; do echo line $i; i=$((i+1)); usleep 20000; done"],
        logConfiguration: AWSLOGS,
        ...(family === "bridge" && { portMappings: [{ containerPort: 80 }] }),
      },
    ],
  };
}
