import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { type AwsJsonClient, createAwsJsonClient } from "./aws-json-client.ts";
import { systemClock } from "./clock.ts";
import { UnavailableError } from "./errors.ts";

interface Received {
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** A server that answers every call the same, and a client for it. */
async function serverAnswering(
  status: number,
  body: string,
): Promise<AsyncDisposable & { client: AwsJsonClient; received: Received[] }> {
  const received: Received[] = [];
  const server: Server = createServer(async (request, response) => {
    received.push({ headers: request.headers, body: await text(request) });
    response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    client: clientFor(port),
    received,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function clientFor(port: number): AwsJsonClient {
  return createAwsJsonClient({
    endpoint: `http://127.0.0.1:${port}`,
    service: "ecs",
    targetPrefix: "AmazonEC2ContainerServiceV20141113",
    region: "eu-west-1",
    credentials: () => ({ accessKeyId: "AKIA", secretAccessKey: "s", sessionToken: "t" }),
    clock: systemClock,
  });
}

test("call() signs, names its target and sends dates as epoch seconds", async () => {
  await using server = await serverAnswering(200, '{"acknowledgment":"ok"}');
  const output = await server.client.call("SubmitTaskStateChange", { at: new Date(1500), a: null });
  assert.deepEqual(output, { acknowledgment: "ok" });
  const [received] = server.received;
  assert.equal(received?.body, '{"at":1.5,"a":null}');
  assert.equal(
    received?.headers["x-amz-target"],
    "AmazonEC2ContainerServiceV20141113.SubmitTaskStateChange",
  );
  assert.equal(received?.headers["x-amz-security-token"], "t");
  assert.match(String(received?.headers.authorization), /\/eu-west-1\/ecs\/aws4_request/);
});

test("call() throws the service's error by its code, whatever namespace stands before it", async () => {
  const body =
    '{"__type":"com.amazonaws.ecs#ConflictException","message":"no","resourceIds":["a"]}';
  await using server = await serverAnswering(400, body);
  await assert.rejects(server.client.call("X", {}), {
    name: "ConflictException",
    code: "ConflictException",
    message: "no",
    status: 400,
    members: { resourceIds: ["a"] },
  });
});

for (const [status, body] of [
  [500, '{"__type":"ServerException","message":"oops"}'],
  [502, "<html>bad gateway</html>"],
  [200, "not JSON"],
] as const) {
  test(`call() throws UnavailableError for HTTP ${status} ${body}`, async () => {
    await using server = await serverAnswering(status, body);
    await assert.rejects(server.client.call("X", {}), UnavailableError);
  });
}

test("call() throws NotImplemented as an error that trying again does not help", async () => {
  await using server = await serverAnswering(501, '{"__type":"NotImplemented","message":"no"}');
  await assert.rejects(server.client.call("X", {}), { code: "NotImplemented", status: 501 });
});

test("call() throws UnavailableError when nobody listens", async () => {
  const server = await serverAnswering(200, "{}");
  await server[Symbol.asyncDispose]();
  await assert.rejects(server.client.call("X", {}), UnavailableError);
});
