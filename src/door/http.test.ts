import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type DoorOptions, rawRequest, startDoor, testGateway } from "../../test/door-kit.ts";
import { systemClock } from "../lib/clock.ts";
import { SetupError } from "../lib/errors.ts";
import { silentLog } from "../lib/log.ts";
import { serveHttp } from "./http.ts";
import type { RawRequest } from "./raw.ts";
import type { Call, Operations, Service } from "./service.ts";

type EcsOperations = Operations<typeof import("@aws-sdk/client-ecs")>;

function listClusters(handle: (call: Call) => Promise<object>): DoorOptions {
  const operations: EcsOperations = {
    ListClusters: {
      support: "full",
      action: "ecs:ListClusters",
      resources: () => ["*"],
      handle: (_input, call) => handle(call),
    },
  };
  const service: Service = { name: "ecs", operations };
  return { services: [service] };
}

const empty = listClusters(async () => ({ clusterArns: [] }));

/** Sends bytes and answers all that comes back until the other side closes. */
async function exchange(port: number, bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(bytes, "latin1");
  return text(socket).catch(() => "");
}

/** A signed ListClusters as the bytes of HTTP/1.1, for 127.0.0.1:4566. */
function signedBytes(...unsigned: readonly string[]): string {
  return signedBytesOf(rawRequest(), unsigned);
}

function signedBytesOf(raw: RawRequest, unsigned: readonly string[] = []): string {
  const headers = Object.entries({ ...raw.headers, "content-length": "2" });
  const lines = [...headers.map(([name, value]) => `${name}: ${value}`), ...unsigned];
  return `POST / HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n{}`;
}

describe("serveHttp()", () => {
  test("answers a signed call and keeps the connection for the next", async () => {
    await using door = await startDoor(empty);
    const last = signedBytes().replace("\r\n", "\r\nConnection: close\r\n");
    const answer = await exchange(door.port, signedBytes() + last);
    assert.equal(answer.match(/HTTP\/1\.1 200 OK/g)?.length, 2);
    assert.match(answer, /x-amzn-requestid: [0-9a-f-]{36}/);
    assert.match(answer, /Keep-Alive: timeout=75/);
  });

  test("reads a body that comes byte by byte, and one in chunks, like any other", async () => {
    await using door = await startDoor(empty);
    const pieces = Array.from(signedBytes("connection: close"));
    const socket = connect(door.port, "127.0.0.1").setNoDelay();
    for (const piece of pieces) await new Promise((sent) => socket.write(piece, sent));
    assert.match(await text(socket), /^HTTP\/1\.1 200 OK/);
    const chunked = signedBytes("connection: close", "transfer-encoding: chunked")
      .replace("content-length: 2\r\n", "")
      .replace(/{}$/, "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n");
    assert.match(await exchange(door.port, chunked), /^HTTP\/1\.1 200 OK/);
  });

  test("takes a repeated header as it was sent, and names that mean something in JavaScript", async () => {
    await using door = await startDoor(empty);
    const headers = { "x-amz-list": "a,b", age: "1,2", constructor: "c" };
    const repeated = signedBytesOf(rawRequest({ headers }), ["__proto__: d", "hasOwnProperty: e"])
      .replace("x-amz-list: a,b", "X-Amz-List: a\r\nx-amz-list: b")
      .replace("age: 1,2", "Age: 1\r\nage: 2\r\nConnection: close");
    assert.match(await exchange(door.port, repeated), /^HTTP\/1\.1 200 OK/);
  });

  test("answers 413 to a body that is too large", async () => {
    await using door = await startDoor(empty);
    const reply = await fetch(door.url, { method: "POST", body: Buffer.alloc(17 * 1024 * 1024) });
    assert.equal(reply.status, 413);
    assert.ok(reply.headers.get("x-amzn-requestid"));
    assert.equal(reply.headers.get("x-amzn-errortype"), "RequestEntityTooLargeException");
  });

  test("survives callers that go away in the middle of a body", async () => {
    await using door = await startDoor(empty);
    for (let i = 0; i < 20; i++) {
      const socket = connect(door.port, "127.0.0.1");
      socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{");
      await once(socket, "connect");
      socket.resetAndDestroy();
    }
    assert.deepEqual(await door.json("ecs").call("ListClusters", {}), { clusterArns: [] });
  });

  test("survives any bytes at all", async () => {
    await using door = await startDoor(empty);
    const whole = signedBytes();
    const broken = fc.tuple(fc.nat(whole.length), fc.uint8Array({ maxLength: 40 }));
    const bytes = broken.map(
      ([at, rubbish]) =>
        `${whole.slice(0, at)}${Buffer.from(rubbish).toString("latin1")}\r\n\r\n${whole.slice(at)}`,
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (sent) => {
        // A half-closed connection: an incomplete request must not be waited for.
        const socket = connect(door.port, "127.0.0.1");
        socket.on("error", () => undefined);
        socket.end(sent, "latin1");
        const answer = await text(socket).catch(() => "");
        assert.doesNotMatch(answer, /HTTP\/1\.1 500/);
      }),
      { numRuns: 100 },
    );
    assert.deepEqual(await door.json("ecs").call("ListClusters", {}), { clusterArns: [] });
  });

  test("aborts the handler's signal when the caller goes away", async () => {
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    const { promise: called, resolve: onCalled } = Promise.withResolvers<void>();
    const waiting = listClusters(async ({ signal }) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
      onCalled();
      await aborted;
      return {};
    });
    await using door = await startDoor(waiting);
    const abort = new AbortController();
    const call = door.json("ecs").call("ListClusters", {}, abort.signal);
    await called;
    abort.abort();
    await assert.rejects(call, { name: "AbortError" });
    await aborted;
  });

  test("close() lets a call under way end", async () => {
    const { promise: called, resolve: onCalled } = Promise.withResolvers<void>();
    const { promise: release, resolve: onRelease } = Promise.withResolvers<void>();
    const waiting = listClusters(async () => {
      onCalled();
      await release;
      return { clusterArns: [] };
    });
    const door = await startDoor(waiting);
    const call = door.json("ecs").call("ListClusters", {});
    await called;
    const closed = door[Symbol.asyncDispose]();
    onRelease();
    assert.deepEqual(await call, { clusterArns: [] });
    await closed;
  });

  test("close() does not wait for idle connections", async () => {
    const door = await startDoor(empty);
    await door.json("ecs").call("ListClusters", {});
    const before = performance.now();
    await door[Symbol.asyncDispose]();
    assert.ok(performance.now() - before < 1500);
  });

  test("says what to do when the port is taken", async () => {
    await using door = await startDoor(empty);
    const second = serveHttp({
      gateway: testGateway(),
      upgrades: [],
      listen: { host: "127.0.0.1", port: door.port },
      log: silentLog,
      clock: systemClock,
    });
    await assert.rejects(second, (error: Error) => {
      assert.ok(error instanceof SetupError);
      assert.equal(
        error.message,
        `port ${door.port} of 127.0.0.1 is taken by another program: ` +
          "stop it, or choose another address with --listen or GANTRY_LISTEN",
      );
      return true;
    });
  });

  test("answers a call that offers to upgrade to another protocol as plain HTTP", async () => {
    await using door = await startDoor(empty);
    const bytes = signedBytes().replace(
      "\r\n",
      "\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n",
    );
    assert.match(await exchange(door.port, bytes), /^HTTP\/1\.1 200 OK/);
  });
});
