import assert from "node:assert/strict";
import { test } from "node:test";
import type { Principal } from "../../door/service.ts";
import { nodePrincipalArn } from "../../iam/model/access-key.ts";
import { buildTask } from "../model/task.fixture.ts";
import type { Task } from "../model/task.ts";
import {
  openWorld,
  type World,
  writeDefinition,
  writeInstance,
  writeTask,
} from "./control.fixture.ts";
import { createNodeOwnership } from "./node-ownership.ts";

const ACCOUNT = "111111111111";
const MACHINE = "i-00000000000000001";
const OTHER_MACHINE = "i-00000000000000002";
const OWN_TASK = "1".repeat(32);
const OTHER_TASK = "2".repeat(32);

function machine(ec2InstanceId: string, accountId = ACCOUNT): Principal {
  const arn = nodePrincipalArn(accountId, ec2InstanceId);
  return { accountId, arn, accessKeyId: "AKIA", kind: "node" };
}

/** Two machines of one account, each with a task whose output goes to group `own` by the machine's own key. */
async function openMachines(own: Partial<Task> = {}): Promise<World> {
  const world = await openWorld();
  const on = (ec2InstanceId: string, id: string): Partial<Task> => ({
    id,
    lastStatus: "RUNNING",
    placement: { ...buildTask().placement, ec2InstanceId },
  });
  await world.put(
    writeInstance({ ec2InstanceId: MACHINE }),
    writeInstance({ ec2InstanceId: OTHER_MACHINE, id: "3".repeat(32) }),
    writeDefinition({
      containerDefinitions: [
        {
          name: "web",
          logConfiguration: { logDriver: "awslogs", options: { "awslogs-group": "own" } },
        },
      ],
    }),
    writeTask(buildTask({ ...on(MACHINE, OWN_TASK), ...own })),
    writeTask(buildTask(on(OTHER_MACHINE, OTHER_TASK))),
  );
  return world;
}

const stream = (group: string, name: string): string =>
  `arn:aws:logs:us-east-1:${ACCOUNT}:log-group:${group}:log-stream:${name}`;

const STREAMS: readonly [what: string, group: string, name: string, mine: boolean][] = [
  ["of its task", "own", `app/web/${OWN_TASK}`, true],
  ["of its task, without a prefix", "own", `${OWN_TASK}-web`, true],
  ["of a container, as Docker calls it", "own", "a".repeat(64), true],
  ["group of its task", "own", "", true],
  ["of another machine's task", "own", `app/web/${OTHER_TASK}`, false],
  ["of another machine's task, without a prefix", "own", `${OTHER_TASK}-web`, false],
  ["of no task", "own", `app/web/${"9".repeat(32)}`, false],
  ["in a group that its task does not write to", "other", `app/web/${OWN_TASK}`, false],
  ["group that no task of it writes to", "other", "", false],
  ["with a colon in it", "own", `app/web/${OWN_TASK}:x`, false],
];

for (const [what, group, name, mine] of STREAMS) {
  test(`a machine may ${mine ? "" : "not "}write to the stream ${what}`, async () => {
    await using world = await openMachines();
    const mayNode = createNodeOwnership(world);
    assert.equal(mayNode(machine(MACHINE), "logs:PutLogEvents", stream(group, name)), mine);
  });
}

test("a task that has an execution role ships under that role, not under its machine's key", async () => {
  await using world = await openMachines({
    executionRoleArn: "arn:aws:iam::111111111111:role/exec",
  });
  const resource = stream("own", `app/web/${OWN_TASK}`);
  assert.ok(!createNodeOwnership(world)(machine(MACHINE), "logs:PutLogEvents", resource));
});

test("the last output of a task that has stopped is shipped for some minutes", async () => {
  await using world = await openMachines({
    lastStatus: "STOPPED",
    stoppedAt: Date.UTC(2026, 0, 1),
  });
  const may = (): boolean =>
    createNodeOwnership(world)(
      machine(MACHINE),
      "logs:PutLogEvents",
      stream("own", `app/web/${OWN_TASK}`),
    );
  assert.ok(may());
  await world.clock.advance(11 * 60_000);
  assert.ok(!may());
});

test("the last output of a task that was lost is shipped until some minutes after its machine has ended it", async () => {
  const stoppedAt = Date.UTC(2025, 11, 31);
  const lost = { lastStatus: "STOPPED", stoppedAt } as const;
  const may = async (task: Partial<Task>): Promise<boolean> => {
    await using world = await openMachines({ ...lost, ...task });
    const mayNode = createNodeOwnership(world);
    return mayNode(machine(MACHINE), "logs:PutLogEvents", stream("own", `app/web/${OWN_TASK}`));
  };
  assert.ok(await may({ isUnconfirmed: true }));
  assert.ok(await may({ confirmedAt: Date.UTC(2025, 11, 31, 23, 55) }));
  assert.ok(!(await may({ confirmedAt: Date.UTC(2025, 11, 31, 23, 45) })));
});

test("a machine's key of another account has nothing to do with the account's streams", async () => {
  await using world = await openMachines();
  const resource = stream("own", `app/web/${OWN_TASK}`);
  const fleet = machine(MACHINE, "999999999999");
  assert.ok(!createNodeOwnership(world)(fleet, "logs:PutLogEvents", resource));
});

test("a machine speaks for its own container instances only", async () => {
  await using world = await openMachines();
  const mayNode = createNodeOwnership(world);
  const instance = (id: string): string =>
    `arn:aws:ecs:us-east-1:${ACCOUNT}:container-instance/demo/${id}`;
  for (const action of ["ecs:Poll", "ecs:StartTelemetrySession"]) {
    assert.ok(mayNode(machine(MACHINE), action, instance("2".repeat(32))));
    assert.ok(!mayNode(machine(MACHINE), action, instance("3".repeat(32))));
    assert.ok(mayNode(machine(MACHINE), action, instance("4".repeat(32))), "the handshake's words");
  }
});

test("a machine may read the tags of its own instances and tasks only", async () => {
  await using world = await openMachines();
  const mayRead = (type: string, id: string): boolean =>
    createNodeOwnership(world)(
      machine(MACHINE),
      "ecs:ListTagsForResource",
      `arn:aws:ecs:us-east-1:${ACCOUNT}:${type}/demo/${id}`,
    );
  assert.ok(mayRead("task", OWN_TASK));
  assert.ok(!mayRead("task", OTHER_TASK));
  assert.ok(!mayRead("task", "9".repeat(32)));
  assert.ok(mayRead("container-instance", "2".repeat(32)));
  assert.ok(!mayRead("container-instance", "3".repeat(32)));
});

test("who is no machine owns nothing as one", async () => {
  await using world = await openMachines();
  const mayNode = createNodeOwnership(world);
  const user: Principal = { ...machine(MACHINE), kind: "user" };
  const nameless: Principal = { ...machine(MACHINE), arn: "arn:aws:iam::111111111111:root" };
  for (const principal of [user, nameless]) {
    assert.ok(!mayNode(principal, "gantry:NodeFeed", "*"));
  }
});
