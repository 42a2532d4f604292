import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQuery } from "../model/query-parse.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import {
  openWorld,
  type World,
  writeCluster,
  writeDefinition,
  writeInstance,
} from "./control.fixture.ts";
import { Placer, type PlaceTasksRequest } from "./placement.ts";

test("a refusal is kept with what each instance passed and where it failed, nearest first", async () => {
  await using world = await openCluster();
  await world.put(
    writeInstance({ id: "full", ec2InstanceId: "i-1", registered: { ...REGISTERED, cpuUnits: 0 } }),
    writeInstance({ id: "other", ec2InstanceId: "i-2" }),
    writeInstance({ id: "away", ec2InstanceId: "i-3", agentConnected: false }),
  );
  const placer = new Placer(world);
  await placer.placeTasks(requestIn(world));
  const [explanation, ...others] = placer.explanations(CLUSTER);
  assert.deepEqual(others, []);
  assert.deepEqual(
    [explanation?.definition, explanation?.count, explanation?.unplacedCount, explanation?.summary],
    [
      "hello:1",
      2,
      2,
      "none of 3 instances: 1 AGENT, 1 MemberOf placement constraint unsatisfied, 1 RESOURCE:CPU",
    ],
  );
  assert.deepEqual(
    explanation?.instances.map(({ ec2InstanceId, passed, failed }) => [
      ec2InstanceId,
      passed.length,
      failed,
    ]),
    [
      ["i-2", 9, "memberOf"],
      ["i-1", 1, "cpu"],
      ["i-3", 0, "agent"],
    ],
  );
});

test("only the newest are kept, and each cluster has its own", async () => {
  await using world = await openCluster();
  await world.put(writeInstance({ agentConnected: false }));
  const placer = new Placer(world);
  for (let count = 0; count < 25; count++) {
    await world.clock.advance(1000);
    await placer.placeTasks(requestIn(world));
  }
  const kept = placer.explanations(CLUSTER);
  assert.equal(kept.length, 20);
  assert.equal(kept[0]?.at, world.clock.now());
  assert.deepEqual(placer.explanations({ ...CLUSTER, clusterName: "other" }), []);
});

const CLUSTER = { accountId: "111111111111", region: "us-east-1", clusterName: "demo" };
const REGISTERED = { cpuUnits: 4096, memoryMiB: 8192, ports: [], portsUdp: [] };

function requestIn(world: World): PlaceTasksRequest {
  const [definition] = world.cache.list("/111111111111/us-east-1/ecs/task-definitions/");
  return {
    spec: {
      ...CLUSTER,
      definition: definition?.value as TaskDefinition,
      launchType: "EC2",
      group: "family:hello",
      enableExecuteCommand: false,
      tags: [],
      overrides: { containerOverrides: [] },
      securityGroups: [],
    },
    count: 2,
    constraints: [{ type: "memberOf", expression: parseQuery("attribute:stack exists") }],
    strategies: [],
  };
}

async function openCluster(): Promise<World> {
  const world = await openWorld();
  await world.put(
    writeCluster(),
    writeDefinition({
      containerDefinitions: [
        { name: "web", image: "hello", essential: true, cpu: 256, memory: 64 },
      ],
    }),
  );
  return world;
}
