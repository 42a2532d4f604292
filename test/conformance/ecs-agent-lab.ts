/** A server with a cluster, a network and task definitions, for agents that are played by `ecs-agent-kit.ts`. */
import assert from "node:assert/strict";
import {
  CreateClusterCommand,
  DeregisterContainerInstanceCommand,
  DescribeTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  type RunTaskCommandInput,
  type Task,
} from "@aws-sdk/client-ecs";
import { ec2Indexes } from "../../src/ec2/indexes.ts";
import { openWorld, settle, writeNetwork } from "../../src/ecs/control/control.fixture.ts";
import { createDispatcher } from "../../src/ecs/control/dispatcher.ts";
import { createInstancesController } from "../../src/ecs/control/instances.ts";
import { createNetworkInterfacesController } from "../../src/ecs/control/network-interfaces.ts";
import { ecsAgentOperations } from "../../src/ecs/operations/agent-table.ts";
import { ecsService } from "../../src/ecs/operations/table.ts";
import { iamIndexes } from "../../src/iam/indexes.ts";
import { writeRole } from "../../src/iam/model/role.fixture.ts";
import { runController } from "../../src/store/controller.ts";
import { Sessions } from "../../src/sts/session.ts";
import { ACCOUNT_ID, startDoor, type TestDoor } from "../door-kit.ts";
import { agentDoor, EcsAgent, type EcsAgentOptions } from "./ecs-agent-kit.ts";

export const ROLE: string = `arn:aws:iam::${ACCOUNT_ID}:role/app`;

export interface Lab extends AsyncDisposable {
  readonly door: TestDoor;
  /** Runs one task in the cluster `lab`; returns its ARN. */
  run(input?: Partial<RunTaskCommandInput>): Promise<string>;
  taskOf(arn: string): Promise<Task>;
  /** An agent that has registered and is connected, out of service when `use` is over. */
  withAgent(options: EcsAgentOptions, use: (agent: EcsAgent) => Promise<void>): Promise<void>;
}

export async function openLab(): Promise<Lab> {
  const world = await openWorld({ ...ec2Indexes, ...iamIndexes });
  const dispatcher = createDispatcher({ ...world, minter: new Sessions(world) });
  world.run((signal) => dispatcher.run(signal));
  const limits = { lossAfterMs: undefined, retentionMs: 3_600_000 };
  for (const controller of [
    createNetworkInterfacesController(world),
    createInstancesController(world, limits),
  ]) {
    world.run((signal) => runController(controller, world, signal));
  }
  const door = await startDoor({
    services: [ecsService(world, ecsAgentOperations(world))],
    upgrades: dispatcher.routes,
  });
  await world.put(
    writeRole({ accountId: ACCOUNT_ID, roleName: "app" }),
    ...writeNetwork().map(({ key, value }) => ({
      key: key.replace("111111111111", ACCOUNT_ID),
      value: { ...(value as object), accountId: ACCOUNT_ID },
    })),
  );
  await door.ecs.send(new CreateClusterCommand({ clusterName: "lab" }));
  await registerDefinitions(door);
  return {
    door,
    run: async (input = {}) => {
      const { tasks, failures } = await door.ecs.send(
        new RunTaskCommand({ cluster: "lab", taskDefinition: "web", ...input }),
      );
      assert.deepEqual(failures, []);
      await settle();
      return tasks?.[0]?.taskArn ?? "";
    },
    taskOf: async (arn) => {
      const { tasks } = await door.ecs.send(
        new DescribeTasksCommand({ cluster: "lab", tasks: [arn] }),
      );
      return tasks?.[0] ?? assert.fail();
    },
    withAgent: (options, use) => withAgent(door, options, use),
    [Symbol.asyncDispose]: async () => {
      await door[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

async function registerDefinitions(door: TestDoor): Promise<void> {
  await door.ecs.send(
    new RegisterTaskDefinitionCommand({
      family: "web",
      taskRoleArn: ROLE,
      containerDefinitions: [
        { name: "init", image: "lab/busybox:1", essential: false, memory: 32, command: ["true"] },
        {
          name: "web",
          image: "lab/busybox:1",
          memory: 64,
          environment: [{ name: "FOO", value: "bar" }],
          dependsOn: [{ containerName: "init", condition: "SUCCESS" }],
          portMappings: [
            { containerPort: 80 },
            { containerPort: 81, hostPort: 18081, protocol: "udp" },
          ],
          healthCheck: { command: ["CMD-SHELL", "true"], interval: 5 },
        },
      ],
    }),
  );
  await door.ecs.send(
    new RegisterTaskDefinitionCommand({
      family: "plain",
      containerDefinitions: [{ name: "web", image: "lab/busybox:1", memory: 64 }],
    }),
  );
  await door.ecs.send(
    new RegisterTaskDefinitionCommand({
      family: "vpc",
      networkMode: "awsvpc",
      runtimePlatform: { cpuArchitecture: "X86_64", operatingSystemFamily: "LINUX" },
      containerDefinitions: [
        {
          name: "web",
          image: "lab/busybox:1",
          memory: 64,
          portMappings: [{ containerPort: 80 }],
        },
      ],
    }),
  );
}

async function withAgent(
  door: TestDoor,
  options: EcsAgentOptions,
  use: (agent: EcsAgent) => Promise<void>,
): Promise<void> {
  const agent = new EcsAgent(agentDoor(door), options);
  await agent.register();
  await agent.connect({ sendCredentials: true });
  await agent.frame("TaskManifestMessage");
  try {
    await use(agent);
  } finally {
    await agent.disconnect();
    await door.ecs.send(
      new DeregisterContainerInstanceCommand({
        cluster: "lab",
        containerInstance: agent.arn,
        force: true,
      }),
    );
  }
}
