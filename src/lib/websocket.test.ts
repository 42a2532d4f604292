import assert from "node:assert/strict";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { WebSocket } from "ws";
import { startDoor, type TestDoor } from "../../test/door-kit.ts";
import type { UpgradeCall, UpgradeRoute } from "../door/upgrade.ts";
import { UnavailableError } from "./errors.ts";
import type { MessageSocket } from "./message-socket.ts";
import { dialWebSocket, HandshakeRefusedError } from "./websocket.ts";

const never = new AbortController().signal;

/** A route that sends every message back, upper-cased, after a greeting. */
function echo(onCall: (call: UpgradeCall) => void = () => undefined): UpgradeRoute {
  return {
    path: "/acs/ws",
    action: "ecs:Poll",
    open: (call) => {
      onCall(call);
      return {
        accept: (socket) => {
          socket.onMessage((message) => socket.send(message.toUpperCase()));
          socket.send("hello");
        },
      };
    },
  };
}

function dial(door: TestDoor, path: string): Promise<MessageSocket> {
  const { url, headers } = door.handshake(path);
  return dialWebSocket(url, headers, never);
}

/** The next `count` messages, the listener being set at once. */
function messages(socket: MessageSocket, count: number): Promise<string[]> {
  const seen: string[] = [];
  return new Promise((resolve) => {
    socket.onMessage((message) => {
      seen.push(message);
      if (seen.length === count) resolve(seen);
    });
  });
}

function closed(socket: MessageSocket): Promise<{ code: number; reason: string }> {
  return new Promise((resolve) => socket.onClose((code, reason) => resolve({ code, reason })));
}

describe("a websocket of the door", () => {
  test("carries messages both ways, the first ones included", async () => {
    let seen: UpgradeCall | undefined;
    const route = echo((call) => {
      seen = call;
    });
    await using door = await startDoor({ upgrades: [route] });
    const socket = await dial(door, "/acs/ws?seqNum=1&containerInstanceArn=arn%3Aa%2Fb");
    const received = messages(socket, 2);
    socket.send("é語😀");
    assert.deepEqual(await received, ["hello", "É語😀"]);
    assert.equal(seen?.query.get("containerInstanceArn"), "arn:a/b");
    assert.equal(seen?.region, "us-east-1");
    assert.equal(seen?.principal.kind, "root");
  });

  test("tells both sides the code and the reason of a close", async () => {
    let server: Promise<{ code: number; reason: string }> | undefined;
    const route: UpgradeRoute = {
      path: "/acs/ws",
      action: "ecs:Poll",
      open: () => ({
        accept: (socket) => {
          server = closed(socket);
        },
      }),
    };
    await using door = await startDoor({ upgrades: [route] });
    const socket = await dial(door, "/acs/ws");
    const client = closed(socket);
    socket.close(4001, "x".repeat(200));
    assert.deepEqual(await client, { code: 4001, reason: "x".repeat(123) });
    assert.deepEqual(await server, { code: 4001, reason: "x".repeat(123) });
    socket.send("after the end: ignored");
  });

  test("is refused with the status and body of the route", async () => {
    const body = '{"__type":"InactiveInstanceException"}';
    const route: UpgradeRoute = {
      path: "/acs/ws",
      action: "ecs:Poll",
      open: async () => ({ refuse: { status: 400, body } }),
    };
    await using door = await startDoor({ upgrades: [route] });
    await assert.rejects(dial(door, "/acs/ws"), (error: Error) => {
      assert.ok(error instanceof HandshakeRefusedError);
      assert.equal(error.status, 400);
      assert.equal(error.body, body);
      return true;
    });
  });

  test("is refused when the signature is not that of the request", async () => {
    await using door = await startDoor({ upgrades: [echo()] });
    const { headers } = door.handshake("/acs/ws?seqNum=1");
    const { url } = door.handshake("/acs/ws?seqNum=2");
    await assert.rejects(dialWebSocket(url, headers, never), /InvalidSignatureException/);
    await assert.rejects(dialWebSocket(url, {}, never), /MissingAuthenticationTokenException/);
  });

  test("is refused when its sender may not", async () => {
    await using door = await startDoor({
      upgrades: [echo()],
      authorize: ({ action }) => ({
        allowed: false,
        message: `nothing allows ${action}`,
        details: () => "{}",
      }),
    });
    await assert.rejects(dial(door, "/acs/ws"), /nothing allows ecs:Poll/);
  });

  test("is refused at an unknown path, and when the route fails", async () => {
    const broken: UpgradeRoute = {
      path: "/broken",
      action: "ecs:Poll",
      open: () => Promise.reject(new Error("swordfish")),
    };
    await using door = await startDoor({ upgrades: [broken] });
    await assert.rejects(dial(door, "/nowhere"), { status: 404 });
    await assert.rejects(dial(door, "/broken"), (error: HandshakeRefusedError) => {
      assert.equal(error.status, 500);
      assert.doesNotMatch(error.body, /swordfish/);
      return true;
    });
  });

  test("closes at a binary message and at one that is too large", async () => {
    await using door = await startDoor({ upgrades: [echo()] });
    for (const [message, code] of [
      [Buffer.from("x"), 1003],
      ["x".repeat(5 * 1024 * 1024), 1009],
    ] as const) {
      const { url, headers } = door.handshake("/acs/ws");
      const socket = new WebSocket(url, { headers });
      const ended = new Promise((resolve) => socket.once("close", resolve));
      socket.once("open", () => socket.send(message));
      assert.equal(await ended, code);
    }
  });

  test("closes with 1001 when the door closes", async () => {
    const door = await startDoor({ upgrades: [echo()] });
    const socket = await dial(door, "/acs/ws");
    const ended = closed(socket);
    await door[Symbol.asyncDispose]();
    assert.equal((await ended).code, 1001);
  });

  test("needs a websocket handshake", async () => {
    await using door = await startDoor({ upgrades: [echo()] });
    const { headers } = door.handshake("/acs/ws");
    const lines = Object.entries({ ...headers, connection: "upgrade", upgrade: "websocket" })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
    const socket = connect(door.port, "127.0.0.1");
    socket.write(`GET /acs/ws HTTP/1.1\r\n${lines}\r\n`);
    assert.match(await text(socket), /^HTTP\/1\.1 400 /);
  });
});

describe("dialWebSocket()", () => {
  test("rejects with UnavailableError when nobody listens", async () => {
    const door = await startDoor();
    const { url, headers } = door.handshake("/acs/ws");
    await door[Symbol.asyncDispose]();
    await assert.rejects(dialWebSocket(url, headers, never), UnavailableError);
  });

  test("rejects with the reason of its signal", async () => {
    const abort = new AbortController();
    const waiting: UpgradeRoute = {
      path: "/acs/ws",
      action: "ecs:Poll",
      open: async () => {
        abort.abort(new Error("enough"));
        return { refuse: { status: 400, body: "" } };
      },
    };
    await using door = await startDoor({ upgrades: [waiting] });
    const { url, headers } = door.handshake("/acs/ws");
    await assert.rejects(dialWebSocket(url, headers, abort.signal), /enough/);
    await assert.rejects(dialWebSocket(url, headers, abort.signal), /enough/);
  });
});
