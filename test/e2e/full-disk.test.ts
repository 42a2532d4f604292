/** A machine whose disk fills up: what runs there runs on, what cannot start says why, and with room all goes on by itself. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { GetLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import {
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  RunTaskCommand,
  StopTaskCommand,
} from "@aws-sdk/client-ecs";
import { SmallDisk } from "../small-disk.ts";
import { GantryKit, skipReason, until } from "./gantry-kit.ts";
import { buildHelloImage } from "./images.ts";

const skip = await skipReason();

/** More than a pipe holds in a second or two. */
const COUNT = `i=0; while true; do echo line $i $(printf %0500d 0); i=$((i+1)); usleep 2000; done`;
const AWSLOGS = {
  logDriver: "awslogs",
  options: {
    "awslogs-group": "/e2e/full",
    "awslogs-region": "us-east-1",
    "awslogs-stream-prefix": "s",
    "awslogs-create-group": "true",
  },
} as const;

test("a full disk fails what starts, stops nothing that runs, and is over when there is room", {
  skip,
}, async () => {
  await using stack = new AsyncDisposableStack();
  const disk = SmallDisk.mount(256 << 20);
  assert.ok(disk, "a tmpfs can be mounted where containers can run");
  stack.use(disk);
  const gantry = new GantryKit();
  const nodeDirectory = join(gantry.directory, "node");
  stack.defer(async () => {
    await gantry.stop();
    const { code, stderr } = await gantry.gantry("down");
    assert.equal(code, 0, stderr);
    // The kit looks for what is left.
    execFileSync("umount", ["--lazy", nodeDirectory]);
    await gantry[Symbol.asyncDispose]();
  });
  mkdirSync(nodeDirectory, { mode: 0o700 });
  execFileSync("mount", ["--bind", disk.path, nodeDirectory]);
  const image = await buildHelloImage();
  await gantry.start();
  await gantry.loadImage(image);
  rmSync(image);
  const subnets = [...gantry.client.subnetIds];
  const run = async (taskDefinition: string, launchType: "EC2" | "FARGATE") => {
    const networkConfiguration = { awsvpcConfiguration: { subnets } };
    const { tasks } = await gantry.ecs.send(
      new RunTaskCommand({ taskDefinition, launchType, networkConfiguration }),
    );
    return tasks?.[0]?.taskArn;
  };
  await gantry.ecs.send(new RegisterTaskDefinitionCommand(definition("count", COUNT)));
  await gantry.ecs.send(new RegisterTaskDefinitionCommand(definition("rest", "sleep 1000")));
  const counting = await run("count", "EC2");
  const resting = await run("rest", "EC2");
  for (const arn of [counting, resting]) await gantry.taskIs("default", arn, "RUNNING");
  const logStreamName = `s/main/${counting?.split("/").at(-1)}`;
  const lastLine = async (): Promise<number> => {
    const stream = { logGroupName: "/e2e/full", logStreamName, limit: 1 };
    const { events = [] } = await gantry.logs.send(new GetLogEventsCommand(stream));
    return Number(/^line (\d+)/.exec(events.at(-1)?.message ?? "")?.[1] ?? -1);
  };
  for (const label of ["ec2", "fargate"]) {
    const log = join(nodeDirectory, `agent-${label}`, "journal.sqlite-wal");
    await until(`the journal of ${label} has its room`, () => statSync(log).size > 5 << 20);
  }

  disk.fill();
  await until("the node says so", () => gantry.output.includes("the disk is full: tasks fail"));
  const refused = await gantry.taskIs("default", await run("rest", "EC2"), "STOPPED");
  assert.match(
    refused.stoppedReason ?? "",
    /^CannotCreateContainerError: .*no space left on device$/,
  );
  assert.equal(refused.stopCode, "TaskFailedToStart");
  const unplaced = await gantry.taskIs("default", await run("rest", "FARGATE"), "STOPPED");
  assert.match(
    unplaced.stoppedReason ?? "",
    /^ResourceInitializationError: .*no space left on device$/,
  );
  await gantry.ecs.send(new StopTaskCommand({ task: resting }));
  const stopped = await gantry.taskIs("default", resting, "STOPPED");
  assert.equal(stopped.containers?.[0]?.exitCode, 137);
  await gantry.taskIs("default", counting, "RUNNING");

  disk.relieve();
  const before = await lastLine();
  await until("the log goes on", async () => (await lastLine()) > before + 1000, 60_000);
  await gantry.taskIs("default", await run("rest", "FARGATE"), "RUNNING");
  assert.equal(gantry.output.match(/the disk is full: tasks fail/g)?.length, 1, "it is said once");
});

function definition(family: string, script: string): RegisterTaskDefinitionCommandInput {
  const isCount = family === "count";
  return {
    family,
    networkMode: "awsvpc",
    requiresCompatibilities: isCount ? ["EC2"] : ["EC2", "FARGATE"],
    cpu: "256",
    memory: "512",
    containerDefinitions: [
      {
        name: "main",
        image: "hello:latest",
        stopTimeout: 2,
        entryPoint: ["sh", "-c"],
        command: [script],
        ...(isCount && { logConfiguration: AWSLOGS }),
      },
    ],
  };
}
