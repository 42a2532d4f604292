import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createLog } from "../../lib/log.ts";
import { AWSVPC, payloadContainer, payloadTask, TEST_CONFIG } from "../testing/rig.fixture.ts";
import { passUntil } from "../testing/time.fixture.ts";
import { Endpoint } from "./endpoint.ts";
import { openEndpointRig, TASK_ROLE } from "./endpoint-rig.fixture.ts";

const PATH = `/v2/credentials/${TASK_ROLE.credentialsId}`;
const EXPECTED = {
  RoleArn: TASK_ROLE.roleArn,
  AccessKeyId: "ASIATASK",
  SecretAccessKey: "task-secret",
  Token: "task-token",
  Expiration: "2026-01-01T06:00:00Z",
};

test("a container finds its role's credentials where its environment says, by both versions", async () => {
  await using world = await openEndpointRig();
  await world.run("a1", { roleCredentials: TASK_ROLE });
  const path = world.variable("a1-web", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  assert.equal(path, PATH);
  const answer = await world.ask(path);
  assert.deepEqual(answer, { status: 200, body: EXPECTED });
  assert.deepEqual(Object.keys(answer.body as object), Object.keys(EXPECTED));
  const v1 = await world.ask(`/v1/credentials?id=${TASK_ROLE.credentialsId}`);
  assert.deepEqual(v1.body, EXPECTED);
});

test("a task without a role gets no address for credentials", async () => {
  await using world = await openEndpointRig();
  await world.run("a1");
  assert.equal(world.variable("a1-web", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), "");
});

test("credentials that the server renews are answered from then on", async () => {
  await using world = await openEndpointRig();
  await world.run("a1", { roleCredentials: TASK_ROLE });
  const roleCredentials = { ...TASK_ROLE, accessKeyId: "ASIANEXT" };
  const { arn: taskArn, taskClusterArn } = payloadTask("a1");
  world.rig.server.send({
    type: "IAMRoleCredentialsMessage",
    message: {
      messageId: "renewal",
      taskArn,
      taskClusterArn,
      roleType: "TaskApplication",
      roleCredentials,
    },
  });
  await passUntil(world.rig.clock, () =>
    world.rig.server.received.some(({ type }) => type === "IAMRoleCredentialsAckRequest"),
  );
  const { body } = await world.ask(PATH);
  assert.equal((body as typeof EXPECTED).AccessKeyId, "ASIANEXT");
});

test("wrong questions get the ECS agent's errors", async () => {
  await using world = await openEndpointRig();
  await world.run("a1", { roleCredentials: TASK_ROLE });
  const code = async (target: string): Promise<unknown> => {
    const { status, body } = await world.ask(target);
    const { code, HTTPErrorCode, message } = body as Record<string, unknown>;
    assert.equal(HTTPErrorCode, status);
    assert.ok(message);
    return code;
  };
  assert.equal(await code("/v2/credentials/"), "NoIdInRequest");
  assert.equal(await code("/v1/credentials"), "NoIdInRequest");
  assert.equal(await code("/v2/credentials/guessed"), "InvalidIdInRequest");
});

test("after a restart of the agent the answer is 503 until the server has sent the credentials again", async () => {
  await using world = await openEndpointRig();
  const { rig } = world;
  await world.run("a1", { roleCredentials: TASK_ROLE });
  await world.agent.stop();
  assert.equal((await world.ask(PATH)).status, 400, "no agent, no task");
  await rig.connect();
  const { status, body } = await world.ask(PATH);
  assert.equal(status, 503);
  assert.equal((body as { code: string }).code, "CredentialsUninitialized");
  const { arn: taskArn, taskClusterArn } = payloadTask("a1");
  rig.server.send({
    type: "IAMRoleCredentialsMessage",
    message: {
      messageId: "again",
      taskArn,
      taskClusterArn,
      roleType: "TaskApplication",
      roleCredentials: TASK_ROLE,
    },
  });
  await passUntil(rig.clock, () =>
    rig.server.received.some(
      ({ type, message }) =>
        type === "IAMRoleCredentialsAckRequest" && message.messageId === "again",
    ),
  );
  assert.deepEqual((await world.ask(PATH)).body, EXPECTED);
});

test("credentials never reach the disk", async () => {
  await using world = await openEndpointRig();
  await world.run("a1", { roleCredentials: TASK_ROLE });
  const files = ["journal.sqlite", "journal.sqlite-wal"].map((file) =>
    readFile(join(world.rig.directory, file), "latin1"),
  );
  const text = (await Promise.all(files)).join("");
  assert.ok(text.includes(TASK_ROLE.credentialsId));
  for (const secret of ["task-secret", "task-token", "ASIATASK"]) assert.ok(!text.includes(secret));
});

test("credentials die with the task's last container", async () => {
  await using world = await openEndpointRig();
  const containers = [payloadContainer("web"), payloadContainer("side", { essential: false })];
  await world.run("a1", { roleCredentials: TASK_ROLE, containers });
  world.rig.runtime.exit("a1-side", 0);
  await passUntil(world.rig.clock, () => !world.rig.runtime.containers.has("a1-side"));
  assert.equal((await world.ask(PATH)).status, 200);
  world.rig.runtime.exit("a1-web", 0);
  await passUntil(world.rig.clock, () => !world.rig.runtime.containers.has("a1-web"));
  const { status, body } = await world.ask(PATH);
  assert.equal(status, 400);
  assert.equal((body as { code: string }).code, "InvalidIdInRequest");
});

test("another task's address gets nothing, even with the right id", async () => {
  await using world = await openEndpointRig();
  const [eni] = AWSVPC.elasticNetworkInterfaces ?? [];
  assert.ok(eni);
  const otherAddress = {
    ...AWSVPC,
    elasticNetworkInterfaces: [
      { ...eni, ipv4Addresses: [{ privateAddress: "10.9.0.7", primary: true }] },
    ],
  };
  await world.run("a1", { ...AWSVPC, roleCredentials: TASK_ROLE });
  await world.run("a2", otherAddress);
  assert.equal((await world.ask(PATH, { from: "10.9.0.6" })).status, 200);
  assert.equal((await world.ask(PATH, { from: "10.9.0.7" })).status, 400);
  assert.equal((await world.ask(PATH, { from: "127.0.0.1" })).status, 200);
});

test("each read of credentials leaves a line that says whose, and no secret", async () => {
  await using world = await openEndpointRig();
  await world.run("a1", { roleCredentials: TASK_ROLE });
  const lines: string[] = [];
  const { clock, endpoints: hub } = world.rig;
  const log = createLog({ clock, level: "info", write: (line) => lines.push(line) });
  const endpoint = new Endpoint({ hub, clock, log });
  await endpoint.answer({ method: "GET", target: PATH, sourceAddress: "127.0.0.1", body: "" });
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /audit: credentials read task=\S+\/a1 role=\S+role\/web/);
  assert.ok(!lines.join("").includes("task-secret") && !lines.join("").includes(PATH));
});

test("the 61st question of a task in one moment is refused, another task's is not", async () => {
  await using world = await openEndpointRig();
  await world.run("a1", { roleCredentials: TASK_ROLE });
  await world.run("a2");
  const statuses: number[] = [];
  for (let count = 0; count < 61; count++) statuses.push((await world.ask(PATH)).status);
  assert.equal(statuses.filter((status) => status === 200).length, 60);
  assert.equal(statuses.at(-1), 429);
  const other = new URL(world.variable("a2-web", "ECS_CONTAINER_METADATA_URI_V4")).pathname;
  assert.equal((await world.ask(other)).status, 200);
});

test("what a container is told of where to ask", async () => {
  await using world = await openEndpointRig();
  const containers = [
    payloadContainer("web", { environment: { AWS_REGION: "us-west-2", ECS_AGENT_URI: "mine" } }),
    payloadContainer("own", { environment: { AWS_ENDPOINT_URL: "http://elsewhere" } }),
  ];
  await world.agent.stop();
  const awsEndpoint = { url: "https://169.254.170.2:4566", caBundlePath: "/node/ca.pem" };
  await world.rig.connect({ config: { ...TEST_CONFIG, awsEndpoint } });
  await world.run("a1", { containers });
  const variable = (name: string): string => world.variable("a1-web", name);
  assert.equal(variable("AWS_REGION"), "us-west-2");
  assert.equal(variable("AWS_DEFAULT_REGION"), "eu-west-1");
  assert.equal(variable("AWS_ENDPOINT_URL"), "https://169.254.170.2:4566");
  assert.equal(variable("AWS_CA_BUNDLE"), "/etc/gantry/ca-bundle.pem");
  const id = variable("ECS_AGENT_URI").slice("http://169.254.170.2/api/".length);
  assert.match(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.equal(variable("ECS_CONTAINER_METADATA_URI"), `http://169.254.170.2/v3/${id}`);
  assert.equal(variable("ECS_CONTAINER_METADATA_URI_V4"), `http://169.254.170.2/v4/${id}`);
  assert.notEqual(world.variable("a1-own", "ECS_AGENT_URI"), variable("ECS_AGENT_URI"));
  assert.equal(world.variable("a1-own", "AWS_ENDPOINT_URL"), "http://elsewhere");
  assert.equal(world.variable("a1-own", "AWS_CA_BUNDLE"), "");
  const mounts = (container: string): unknown =>
    world.rig.runtime.containers
      .get(container)
      ?.mounts.filter(({ source }) => source === "/node/ca.pem");
  assert.deepEqual(mounts("a1-web"), [
    { source: "/node/ca.pem", target: "/etc/gantry/ca-bundle.pem", readonly: true },
  ]);
  assert.deepEqual(mounts("a1-own"), []);
});
