import assert from "node:assert/strict";
import { test } from "node:test";
import { nodePrincipalArn } from "../../iam/model/access-key.ts";
import { openWorld, type World, writeCluster } from "../control/control.fixture.ts";
import { type Instance, retire } from "../model/instance.ts";
import { awaySince } from "../model/instance-step.ts";
import { instanceKey, instancesPrefix } from "../model/keys.ts";
import { type RegistrationInput, registerContainerInstance } from "./agent-registration.ts";

const MACHINE = "i-00000000000000001";
const HOUR_MS = 3_600_000;

test("a machine that registered with its clock ahead comes back when the clocks have been set back", async () => {
  await using world = await openWorld();
  await world.put(writeCluster());
  const now = world.clock.now();
  const { id } = await register(world, { clientToken: "one" }, now + HOUR_MS);
  const containerInstanceArn = `arn:aws:ecs:us-east-1:111111111111:container-instance/demo/${id}`;
  const again = await register(world, { clientToken: "two", containerInstanceArn }, now);
  assert.equal(again.id, id);
  await assert.rejects(register(world, { clientToken: "one", containerInstanceArn }, now - 1), {
    message: `A later registration of ${MACHINE} is on record.`,
  });
  const forgetful = await register(world, { clientToken: "three" }, now + 1);
  assert.notEqual(forgetful.id, id);
});

test("an instance that comes back into service has not been silent since it was registered first", async () => {
  await using world = await openWorld();
  await world.put(writeCluster());
  const instance = await register(world, { clientToken: "one" }, world.clock.now());
  await world.clock.advance(HOUR_MS);
  const retired = { at: world.clock.now(), stopCode: "TerminationNotice", reason: "lost" } as const;
  await world.put({
    key: instanceKey(instance, "demo", instance.id),
    value: retire(instance, retired),
  });
  const containerInstanceArn = `arn:aws:ecs:us-east-1:111111111111:container-instance/demo/${instance.id}`;
  const now = world.clock.now();
  const back = await register(world, { clientToken: "two", containerInstanceArn }, now);
  assert.deepEqual([back.status, awaySince(back)], ["ACTIVE", now]);
});

test("a registration that comes twice at once makes one instance, and of two agents' one stays", async () => {
  await using world = await openWorld();
  await world.put(writeCluster());
  const now = world.clock.now();
  const token = (clientToken: string) => register(world, { clientToken }, now);
  const twice = await Promise.all([token("one"), token("one")]);
  assert.equal(twice[0].id, twice[1].id);
  await Promise.all([token("two"), token("three")]);
  const instances = world.cache.list(instancesPrefix(twice[0], "demo"));
  const active = instances.filter(({ value }) => (value as Instance).status === "ACTIVE");
  assert.equal(active.length, 1);
});

function register(
  world: World,
  input: Partial<RegistrationInput>,
  signedAt: number,
): ReturnType<typeof registerContainerInstance> {
  const accountId = "111111111111";
  return registerContainerInstance(
    world,
    {
      cluster: "demo",
      instanceIdentityDocument: JSON.stringify({ instanceId: MACHINE }),
      totalResources: [
        { name: "CPU", type: "INTEGER", integerValue: 4096 },
        { name: "MEMORY", type: "INTEGER", integerValue: 8192 },
      ],
      ...input,
    },
    {
      principal: {
        accountId,
        arn: nodePrincipalArn(accountId, MACHINE),
        accessKeyId: "AKIANODE",
        kind: "node",
      },
      region: "us-east-1",
      signedAt,
      requestId: "r",
      endpoint: "http://127.0.0.1:4566",
      sourceIp: "127.0.0.1",
      signal: new AbortController().signal,
    },
  );
}
