/** Tier 5: clusters, definitions and tasks through the real SDK, a real socket, signatures and shapes. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  ClusterNotFoundException,
  ConflictException,
  CreateClusterCommand,
  CreateServiceCommand,
  DescribeClustersCommand,
  DescribeContainerInstancesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  InvalidParameterException,
  ListContainerInstancesCommand,
  ListTasksCommand,
  paginateListTaskDefinitions,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
  UpdateContainerInstancesStateCommand,
  waitUntilTasksRunning,
  waitUntilTasksStopped,
} from "@aws-sdk/client-ecs";
import { taskKey } from "../../src/ecs/model/keys.ts";
import type { Task } from "../../src/ecs/model/task.ts";
import { ACCOUNT_ID, REGION } from "../door-kit.ts";
import { type EcsDoor, openEcsDoor } from "./ecs-kit.ts";

describe("ECS through the SDK", () => {
  let door: EcsDoor;

  before(async () => {
    door = await openEcsDoor();
    const { ecs } = door;
    await ecs.send(new CreateClusterCommand({ clusterName: "demo" }));
    await door.addInstance("demo", "one");
    await door.addFleetInstance("hidden");
    await ecs.send(
      new RegisterTaskDefinitionCommand({
        family: "hello",
        requiresCompatibilities: ["FARGATE"],
        networkMode: "awsvpc",
        cpu: "256",
        memory: "512",
        executionRoleArn: `arn:aws:iam::${ACCOUNT_ID}:role/execution`,
        containerDefinitions: [
          {
            name: "web",
            image: "hello:latest",
            portMappings: [{ containerPort: 80, protocol: "tcp" }],
            logConfiguration: {
              logDriver: "awslogs",
              options: {
                "awslogs-group": "/demo",
                "awslogs-region": REGION,
                "awslogs-stream-prefix": "hello",
              },
            },
          },
        ],
        tags: [{ key: "team", value: "web" }],
      }),
    );
  });
  after(() => door[Symbol.asyncDispose]());

  const runHello = (clientToken: string, count = 1): RunTaskCommand =>
    new RunTaskCommand({
      cluster: "demo",
      taskDefinition: "hello",
      launchType: "FARGATE",
      clientToken,
      count,
      networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-1"] } },
    });

  async function change(arn: string, changes: Partial<Task>): Promise<void> {
    const id = arn.split("/").at(-1) ?? "";
    const key = taskKey({ accountId: ACCOUNT_ID, region: REGION }, "demo", id);
    await door.world.put({ key, value: { ...door.world.value<Task>(key), ...changes } });
  }

  test("a definition comes back with its dates, defaults and tags", async () => {
    const { taskDefinition, tags } = await door.ecs.send(
      new DescribeTaskDefinitionCommand({ taskDefinition: "hello", include: ["TAGS"] }),
    );
    assert.equal(taskDefinition?.registeredAt?.getTime(), door.world.clock.now());
    assert.equal(taskDefinition?.registeredBy, `arn:aws:iam::${ACCOUNT_ID}:root`);
    assert.equal(taskDefinition?.containerDefinitions?.[0]?.essential, true);
    assert.equal(taskDefinition?.containerDefinitions?.[0]?.portMappings?.[0]?.hostPort, 80);
    assert.deepEqual(tags, [{ key: "team", value: "web" }]);
  });

  test("a task goes from RunTask to the SDK's waiters, and its token brings it back", async () => {
    const { tasks, failures } = await door.ecs.send(runHello("first"));
    assert.deepEqual(failures, []);
    const arn = tasks?.[0]?.taskArn ?? "";
    assert.equal(tasks?.[0]?.lastStatus, "PROVISIONING");
    const again = await door.ecs.send(runHello("first"));
    assert.equal(again.tasks?.[0]?.taskArn, arn);
    await assert.rejects(door.ecs.send(runHello("first", 2)), (error) => {
      assert.ok(error instanceof ConflictException);
      assert.deepEqual(error.resourceIds, [arn]);
      return true;
    });

    const waiter = { client: door.ecs, maxWaitTime: 10 };
    await change(arn, { lastStatus: "RUNNING", startedAt: 1_700_000_000_123 });
    await waitUntilTasksRunning(waiter, { cluster: "demo", tasks: [arn] });
    const described = await door.ecs.send(
      new DescribeTasksCommand({ cluster: "demo", tasks: [arn], include: ["TAGS"] }),
    );
    assert.equal(described.tasks?.[0]?.startedAt?.getTime(), 1_700_000_000_123);
    const { clusters } = await door.ecs.send(
      new DescribeClustersCommand({ clusters: ["demo"], include: ["STATISTICS"] }),
    );
    assert.equal(clusters?.[0]?.runningTasksCount, 1);
    assert.deepEqual(clusters?.[0]?.statistics?.[1], {
      name: "runningFargateTasksCount",
      value: "1",
    });

    await door.ecs.send(new StopTaskCommand({ cluster: "demo", task: arn, reason: "enough" }));
    await change(arn, { lastStatus: "STOPPED", stoppedAt: 1_700_000_001_000 });
    await waitUntilTasksStopped(waiter, { cluster: "demo", tasks: [arn] });
    const stopped = await door.ecs.send(
      new ListTasksCommand({ cluster: "demo", desiredStatus: "STOPPED" }),
    );
    assert.deepEqual(stopped.taskArns, [arn]);
  });

  test("a user sees their own instance, and nothing of the fleet", async () => {
    const { containerInstanceArns = [] } = await door.ecs.send(
      new ListContainerInstancesCommand({ cluster: "demo", filter: "agentConnected == true" }),
    );
    assert.deepEqual(
      containerInstanceArns.map((arn) => arn.split("/").at(-1)),
      ["one"],
    );
    const { containerInstances } = await door.ecs.send(
      new DescribeContainerInstancesCommand({
        cluster: "demo",
        containerInstances: containerInstanceArns,
      }),
    );
    assert.equal(containerInstances?.[0]?.registeredResources?.[0]?.integerValue, 4096);
    const { containerInstances: drained } = await door.ecs.send(
      new UpdateContainerInstancesStateCommand({
        cluster: "demo",
        containerInstances: containerInstanceArns,
        status: "DRAINING",
      }),
    );
    assert.equal(drained?.[0]?.status, "DRAINING");
    await assert.rejects(
      door.ecs.send(
        new ListTasksCommand({ cluster: "arn:aws:ecs:us-east-1:999999999999:cluster/fargate" }),
      ),
      { name: "AccessDeniedException" },
    );
  });

  test("errors are the SDK's own classes with ECS's words", async () => {
    await assert.rejects(
      door.ecs.send(new ListTasksCommand({ cluster: "nowhere" })),
      (error) =>
        error instanceof ClusterNotFoundException && /Cluster not found\./.test(error.message),
    );
    await assert.rejects(
      door.ecs.send(new StopTaskCommand({ cluster: "demo", task: "none" })),
      (error) => error instanceof InvalidParameterException,
    );
    await assert.rejects(
      door.ecs.send(new CreateServiceCommand({ cluster: "demo", serviceName: "web" })),
      { name: "NotImplemented" },
    );
  });

  test("the SDK's paginator reads all revisions", async () => {
    for (let revision = 1; revision <= 5; revision++) {
      await door.ecs.send(
        new RegisterTaskDefinitionCommand({
          family: "many",
          containerDefinitions: [{ name: "main", image: "hello", memory: 16 }],
        }),
      );
    }
    const seen: string[] = [];
    const pages = paginateListTaskDefinitions(
      { client: door.ecs, pageSize: 2 },
      { familyPrefix: "many", sort: "DESC" },
    );
    for await (const { taskDefinitionArns = [] } of pages) seen.push(...taskDefinitionArns);
    assert.deepEqual(
      seen.map((arn) => arn.split(":").at(-1)),
      ["5", "4", "3", "2", "1"],
    );
  });
});
