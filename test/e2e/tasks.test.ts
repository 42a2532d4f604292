/** Tasks on real containers: launch types, network modes, exits and refusals, as an SDK user sees them. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { GetLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import {
  CreateClusterCommand,
  DescribeContainerInstancesCommand,
  ListContainerInstancesCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  type RunTaskCommandInput,
  StopTaskCommand,
} from "@aws-sdk/client-ecs";
import { command, fetchText, GantryKit, skipReason } from "./gantry-kit.ts";
import { buildHelloImage, helloContainer } from "./images.ts";

const skip = await skipReason();

describe("tasks", { skip, concurrency: false }, () => {
  let gantry: GantryKit;
  let image: string;

  before(async () => {
    gantry = new GantryKit();
    await gantry.start();
    image = await buildHelloImage();
    await gantry.loadImage(image);
  });
  after(async () => {
    await gantry[Symbol.asyncDispose]();
    rmSync(image, { force: true });
  });

  const awsvpc = (): Pick<RunTaskCommandInput, "networkConfiguration"> => ({
    networkConfiguration: { awsvpcConfiguration: { subnets: [...gantry.client.subnetIds] } },
  });

  test("EC2 awsvpc: an address that answers, the instance's resources taken and given back", async () => {
    const arn = await gantry.runTask(
      {
        family: "ec2-awsvpc",
        networkMode: "awsvpc",
        containerDefinitions: [helloContainer({ cpu: 100 })],
      },
      { launchType: "EC2", ...awsvpc() },
    );
    const task = await gantry.taskIs("default", arn, "RUNNING");
    assert.ok(task.containerInstanceArn !== undefined);
    const address = task.containers?.[0]?.networkInterfaces?.[0]?.privateIpv4Address;
    const details = task.attachments?.[0]?.details ?? [];
    assert.equal(details.find(({ name }) => name === "privateIPv4Address")?.value, address);
    assert.match(await fetchText(`http://${address}/`), /Hello from Gantry/);

    const remaining = async (): Promise<[number, number]> => {
      const { containerInstanceArns = [] } = await gantry.ecs.send(
        new ListContainerInstancesCommand({}),
      );
      const { containerInstances = [] } = await gantry.ecs.send(
        new DescribeContainerInstancesCommand({ containerInstances: containerInstanceArns }),
      );
      const cpu = (kind: "registeredResources" | "remainingResources"): number =>
        containerInstances[0]?.[kind]?.find(({ name }) => name === "CPU")?.integerValue ??
        Number.NaN;
      return [cpu("registeredResources"), cpu("remainingResources")];
    };
    const [registered, withTask] = await remaining();
    assert.equal(registered - withTask, 100);

    await gantry.ecs.send(new StopTaskCommand({ task: arn, reason: "enough" }));
    const stopped = await gantry.taskIs("default", arn, "STOPPED");
    assert.equal(stopped.stopCode, "UserInitiated");
    assert.equal(stopped.stoppedReason, "enough");
    const [, afterwards] = await remaining();
    assert.equal(afterwards, registered);
    await assert.rejects(fetch(`http://${address}/`, { signal: AbortSignal.timeout(1000) }));
  });

  test("EC2 host mode: the process listens on the machine itself", async () => {
    const port = 20_000 + (process.pid % 20_000);
    const arn = await gantry.runTask(
      {
        family: "ec2-host",
        networkMode: "host",
        containerDefinitions: [
          helloContainer({
            command: ["httpd", "-f", "-p", `127.0.0.1:${port}`, "-h", "/www"],
            entryPoint: [],
          }),
        ],
      },
      { launchType: "EC2" },
    );
    await gantry.taskIs("default", arn, "RUNNING");
    assert.match(await fetchText(`http://127.0.0.1:${port}/`), /Hello from Gantry/);
    await gantry.ecs.send(new StopTaskCommand({ task: arn }));
    await gantry.taskIs("default", arn, "STOPPED");
  });

  for (const launchType of ["FARGATE", "EC2"] as const) {
    test(`two containers of one ${launchType} task share localhost; the exit of the essential one, with 3, stops the other`, async () => {
      const log = {
        logDriver: "awslogs" as const,
        options: {
          "awslogs-group": "/e2e/pair",
          "awslogs-region": "us-east-1",
          "awslogs-stream-prefix": "pair",
          "awslogs-create-group": "true",
        },
      };
      const executionRoleArn = await gantry.createTaskRole(`execution-${launchType}`, {
        Effect: "Allow",
        Action: "logs:CreateLogGroup",
        Resource: "*",
      });
      const script =
        "until wget -q -O - http://127.0.0.1:80/; do usleep 50000; done; echo done; exit 3";
      const arn = await gantry.runTask(
        {
          family: `pair-${launchType}`,
          networkMode: "awsvpc",
          requiresCompatibilities: [launchType],
          cpu: "256",
          memory: "512",
          executionRoleArn,
          containerDefinitions: [
            helloContainer({ name: "web", essential: false, memory: 128 }),
            helloContainer({
              name: "client",
              memory: 128,
              entryPoint: ["sh", "-c"],
              command: [script],
              logConfiguration: log,
            }),
          ],
        },
        { launchType, ...awsvpc() },
      );
      const task = await gantry.taskIs("default", arn, "STOPPED");
      assert.equal(task.stopCode, "EssentialContainerExited");
      assert.equal(task.stoppedReason, "Essential container in task exited");
      assert.equal(task.containers?.find(({ name }) => name === "client")?.exitCode, 3);
      assert.notEqual(task.containers?.find(({ name }) => name === "web")?.exitCode, undefined);
      assert.equal(task.containerInstanceArn === undefined, launchType === "FARGATE");
      const { events = [] } = await gantry.logs.send(
        new GetLogEventsCommand({
          logGroupName: "/e2e/pair",
          logStreamName: `pair/client/${arn.split("/").at(-1)}`,
          startFromHead: true,
        }),
      );
      assert.match(
        events.map(({ message }) => message).join("\n"),
        /Hello from Gantry[\s\S]*done$/,
      );
    });
  }

  test("an image that is neither here nor to be reached stops the task, saying so", async () => {
    const arn = await gantry.runTask(
      {
        family: "absent",
        networkMode: "host",
        containerDefinitions: [helloContainer({ image: "127.0.0.1:9/nowhere:1" })],
      },
      { launchType: "EC2" },
    );
    const { stopCode, stoppedReason } = await gantry.taskIs("default", arn, "STOPPED");
    assert.equal(stopCode, "TaskFailedToStart");
    assert.equal(
      stoppedReason,
      'CannotPullImageManifestError: Error response from daemon: Get "http://127.0.0.1:9/v2/": dial tcp 127.0.0.1:9: connect: connection refused',
    );
  });

  test("a command that is not in the image fails to start with the engine's reason", async () => {
    const arn = await gantry.runTask(
      {
        family: "no-command",
        networkMode: "host",
        containerDefinitions: [helloContainer({ entryPoint: ["/no/such/program"] })],
      },
      { launchType: "EC2" },
    );
    const { containers, stopCode } = await gantry.taskIs("default", arn, "STOPPED");
    assert.equal(stopCode, "TaskFailedToStart");
    assert.match(
      containers?.[0]?.reason ?? "",
      /^Cannot(Start|Create)ContainerError: .*no\/such\/program/,
    );
  });

  test("more than the machine has is refused with RESOURCE:CPU and RESOURCE:MEMORY in failures", async () => {
    for (const [size, reason] of [
      [{ cpu: "196608" }, "RESOURCE:CPU"],
      [{ memory: "10000000" }, "RESOURCE:MEMORY"],
    ] as const) {
      await gantry.ecs.send(
        new RegisterTaskDefinitionCommand({
          family: "huge",
          networkMode: "host",
          containerDefinitions: [helloContainer({})],
          ...size,
        }),
      );
      const { tasks, failures } = await gantry.ecs.send(
        new RunTaskCommand({ taskDefinition: "huge", launchType: "EC2" }),
      );
      assert.deepEqual(tasks, []);
      assert.equal(failures?.[0]?.reason, reason);
      assert.match(failures?.[0]?.arn ?? "", /:container-instance\/default\//);
    }
  });

  test("an unknown cluster and a wrong key are named as AWS names them, also by the CLI", async () => {
    const unknown = await gantry.gantry("aws", "ecs", "list-tasks", "--cluster", "nowhere");
    assert.notEqual(unknown.code, 0);
    assert.match(unknown.stderr, /ClusterNotFoundException.*Cluster not found\./);
    const { endpoint, region } = gantry.client;
    const wrong = await command(
      "/usr/bin/aws",
      ["--endpoint-url", endpoint, "ecs", "list-clusters"],
      {
        AWS_REGION: region,
        AWS_DEFAULT_REGION: region,
        AWS_ACCESS_KEY_ID: "AKIAWRONGWRONGWRONG0",
        AWS_SECRET_ACCESS_KEY: "wrong",
      },
    );
    assert.match(wrong.stderr, /UnrecognizedClientException/);
  });

  test("a limit of memory is real: the hog is killed with 137 and OutOfMemoryError", async () => {
    const arn = await gantry.runTask(
      {
        family: "hog",
        networkMode: "host",
        containerDefinitions: [
          helloContainer({
            memory: 16,
            entryPoint: ["sh", "-c"],
            command: ["dd if=/dev/zero of=/dev/null bs=64M count=100"],
          }),
        ],
      },
      { launchType: "EC2" },
    );
    const task = await gantry.taskIs("default", arn, "STOPPED");
    assert.equal(task.containers?.[0]?.exitCode, 137);
    assert.match(task.containers?.[0]?.reason ?? "", /^OutOfMemoryError/);
  });

  test("clusters are apart: a task needs an instance of its own cluster", async () => {
    await gantry.ecs.send(new CreateClusterCommand({ clusterName: "empty" }));
    await assert.rejects(
      gantry.ecs.send(
        new RunTaskCommand({ cluster: "empty", taskDefinition: "ec2-host", launchType: "EC2" }),
      ),
      {
        name: "InvalidParameterException",
        message: "No Container Instances were found in your cluster.",
      },
    );
  });
});
