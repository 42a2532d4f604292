import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { ECSClient } from "@aws-sdk/client-ecs";
import { openEndpointRig, openServer, TASK_ROLE } from "./endpoint-rig.fixture.ts";

const PATH = `/v2/credentials/${TASK_ROLE.credentialsId}`;

test("the SDK for JavaScript finds a task's credentials by its environment", async () => {
  await using world = await openEndpointRig();
  await world.run("a1", { roleCredentials: TASK_ROLE });
  await using server = await openServer(world);
  const before = { ...process.env };
  try {
    for (const name of Object.keys(process.env)) {
      if (name.startsWith("AWS_")) delete process.env[name];
    }
    process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI = `http://127.0.0.1:${server.port}${PATH}`;
    const client = new ECSClient({ region: "eu-west-1", endpoint: "http://127.0.0.1:1" });
    const credentials = await client.config.credentials();
    assert.equal(credentials.accessKeyId, TASK_ROLE.accessKeyId);
    assert.equal(credentials.secretAccessKey, TASK_ROLE.secretAccessKey);
    assert.equal(credentials.sessionToken, TASK_ROLE.sessionToken);
    assert.equal(credentials.expiration?.toISOString(), "2026-01-01T06:00:00.000Z");
  } finally {
    process.env = before;
  }
});

test("the port stays over a restart, and gives way when it is taken", async () => {
  await using world = await openEndpointRig();
  const first = await openServer(world);
  await first[Symbol.asyncDispose]();
  const second = await openServer(world);
  assert.equal(second.port, first.port);
  await second[Symbol.asyncDispose]();
  const other = createServer();
  other.listen({ host: "127.0.0.1", port: first.port });
  await once(other, "listening");
  try {
    await using third = await openServer(world);
    assert.notEqual(third.port, first.port);
    assert.equal((await fetch(`http://127.0.0.1:${third.port}/`)).status, 404);
  } finally {
    other.close();
  }
});

test("large bodies, large headers and noise are refused without harm", async () => {
  await using world = await openEndpointRig();
  await world.run("a1", { roleCredentials: TASK_ROLE });
  await using server = await openServer(world);
  const url = `http://127.0.0.1:${server.port}`;
  const body = "x".repeat(100_000);
  const large = await fetch(`${url}/api/id/task-protection/v1/state`, { method: "PUT", body });
  assert.equal(large.status, 413);
  await large.text();
  const headers = { "x-filler": "x".repeat(20_000) };
  assert.equal((await fetch(url + PATH, { headers })).status, 431);
  const noise = connect(server.port, "127.0.0.1");
  noise.on("error", () => undefined);
  noise.resume();
  noise.write("\u0000\u0001 no HTTP\r\n\r\n");
  await once(noise, "close");
  const answer = await fetch(url + PATH);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "application/json");
});

test("one address cannot hold every connection", async () => {
  await using world = await openEndpointRig();
  await using server = await openServer(world);
  const held = Array.from({ length: 256 }, () => connect(server.port, "127.0.0.1"));
  for (const socket of held) socket.on("error", () => undefined);
  await Promise.all(held.map((socket) => once(socket, "connect")));
  const oneMore = connect(server.port, "127.0.0.1");
  oneMore.on("error", () => undefined);
  oneMore.resume();
  await once(oneMore, "close");
  held.pop()?.destroy();
  for (const socket of held) socket.destroy();
});
