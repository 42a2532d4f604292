import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, SetupError, UnavailableError } from "../lib/errors.ts";
import { silentLog } from "../lib/log.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import type { AgentConfig, ApiClient } from "./agent-deps.ts";
import { Journal } from "./journal.ts";
import { register, registrationRequest } from "./registration.ts";
import { FakeServer, INSTANCE_ARN } from "./testing/fake-server.fixture.ts";
import { evenRandom, TEST_CONFIG } from "./testing/rig.fixture.ts";
import { passUntil } from "./testing/time.fixture.ts";

const CREDENTIALS = { accessKeyId: "a", secretAccessKey: "b" };

async function registerWith(
  server: FakeServer,
  clock: VirtualClock,
  options: { journal?: Journal; config?: AgentConfig; ecs?: ApiClient } = {},
): Promise<string | undefined> {
  using journal = new Journal(":memory:");
  const deps = {
    ecs: server.api({ service: "ecs", region: "eu-west-1" }, () => CREDENTIALS),
    journal,
    config: TEST_CONFIG,
    clock,
    random: evenRandom,
    log: silentLog,
    ...options,
  };
  let outcome: { arn: string | undefined } | { error: unknown } | undefined;
  void register(deps, new AbortController().signal).then(
    (arn) => {
      outcome = { arn };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  await passUntil(clock, () => outcome !== undefined);
  if (outcome === undefined || "error" in outcome) throw outcome?.error;
  return outcome.arn;
}

test("the registration says what the machine has, as the ECS agent words it", () => {
  const request = registrationRequest(TEST_CONFIG, undefined, "token");
  assert.deepEqual(request.totalResources, [
    { name: "CPU", type: "INTEGER", integerValue: 2048 },
    { name: "MEMORY", type: "INTEGER", integerValue: 4096 },
    { name: "PORTS", type: "STRINGSET", stringSetValue: ["22"] },
    { name: "PORTS_UDP", type: "STRINGSET", stringSetValue: [] },
  ]);
  const document = JSON.parse(String(request.instanceIdentityDocument)) as object;
  assert.deepEqual(Object.keys(document).toSorted(), [
    "accountId",
    "availabilityZone",
    "instanceId",
    "instanceType",
    "privateIp",
    "region",
  ]);
  assert.ok(!("containerInstanceArn" in request));
});

test("the cluster default is created when it is not there; no other is", async () => {
  const clock = new VirtualClock();
  const server = new FakeServer(clock);
  server.clusters.clear();
  assert.equal(await registerWith(server, clock), INSTANCE_ARN);
  assert.ok(server.clusters.has("default"));

  server.clusters.clear();
  const config = { ...TEST_CONFIG, cluster: "later" };
  const registering = registerWith(server, clock, { config });
  await passUntil(clock, () => server.calls.length > 6);
  assert.ok(!server.calls.some(({ input }) => input.clusterName === "later"));
  server.clusters.add("later");
  assert.equal(await registering, INSTANCE_ARN);
});

test("a server that is away, or busy, is asked again", async () => {
  const clock = new VirtualClock();
  const server = new FakeServer(clock);
  const failures = [
    new UnavailableError("refused"),
    new ApiError("ServerException", "sorry"),
    new ApiError("ThrottlingException", "slow down"),
  ];
  server.fail = () => failures.pop();
  assert.equal(await registerWith(server, clock), INSTANCE_ARN);
});

test("a final answer, or a lost attribute, ends it", async () => {
  const clock = new VirtualClock();
  const server = new FakeServer(clock);
  server.fail = () => new ApiError("ClientException", "no");
  await assert.rejects(registerWith(server, clock), SetupError);
  const ecs = {
    call: async () => ({ containerInstance: { containerInstanceArn: "arn", attributes: [] } }),
  };
  await assert.rejects(registerWith(server, clock, { ecs }), /attribute ecs.os-type/);
});

test("data of another cluster is not taken over", async () => {
  const clock = new VirtualClock();
  using journal = new Journal(":memory:");
  journal.putRegistration({ cluster: "other", containerInstanceArn: INSTANCE_ARN });
  await assert.rejects(
    registerWith(new FakeServer(clock), clock, { journal }),
    /belongs to cluster other/,
  );
});
