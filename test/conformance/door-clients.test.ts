/** Callers that are slow, that go away, or that never stop: they are cut off in time, and the others do not notice. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  CloudWatchLogsClient,
  StartLiveTailCommand,
  type StartLiveTailResponseStream,
} from "@aws-sdk/client-cloudwatch-logs";
import type { Operation, Service } from "../../src/door/service.ts";
import { ApiError } from "../../src/lib/errors.ts";
import { createLog } from "../../src/lib/log.ts";
import { VirtualClock } from "../../src/lib/virtual-clock.ts";
import { REGION, ROOT_KEY, rawRequest, startDoor, testGateway } from "../door-kit.ts";

function logsWith(name: string, handle: Operation["handle"]): Service {
  const row: Operation = { support: "full", action: "a:B", resources: () => ["*"], handle };
  return { name: "logs", operations: { [name]: row } };
}

const empty = logsWith("DescribeLogGroups", async () => ({ logGroups: [] }));

async function open(port: number, bytes: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.write(bytes, "latin1");
  return socket;
}

describe("the door", () => {
  test("serves others while hundreds of callers do not finish what they say", async () => {
    await using door = await startDoor({ services: [empty] });
    const starts = ["", "POST / HT", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"];
    const sockets = await Promise.all(
      Array.from({ length: 300 }, (_, i) => open(door.port, starts[i % 3] ?? "")),
    );
    const answer = await door.json("logs").call("DescribeLogGroups", {});
    assert.deepEqual(answer, { logGroups: [] });
    for (const socket of sockets) socket.destroy();
  });

  test("answers 408 to headers and bodies that do not come to an end, and hangs up", async () => {
    const patience = { headersMs: 100, requestMs: 200, checkMs: 50 };
    await using door = await startDoor({ services: [empty], patience });
    const halves = [
      "POST / HTTP/1.1\r\nho",
      "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{",
    ];
    for (const half of halves) {
      const socket = await open(door.port, half);
      assert.match(await text(socket), /^HTTP\/1\.1 408 /);
    }
  });

  test("hangs up on a caller that does not take its reply", async () => {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const big = logsWith("DescribeLogGroups", async (_input, { signal }) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
      return { nextToken: "x".repeat(64 << 20) };
    });
    await using door = await startDoor({ services: [big], patience: { replyMs: 200 } });
    const raw = rawRequest({ service: "logs", operation: "DescribeLogGroups" });
    const lines = Object.entries({ ...raw.headers, "content-length": "2" })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
    const socket = await open(door.port, `POST / HTTP/1.1\r\n${lines}\r\n{}`);
    await ended;
    assert.ok((await text(socket).catch(() => "")).length < 64 << 20);
  });

  test("does not grow with malformed calls", async () => {
    const gateway = testGateway({ services: [empty] });
    const garbage = async (): Promise<number> => {
      for (let i = 0; i < 2000; i += 1) {
        const headers = { "x-amz-target": `Nobody${i}.Op${i}`, [`x-amz-${i}`]: "x" };
        const credentials = { ...ROOT_KEY, accessKeyId: `AKIA${i}` };
        await gateway.handle(rawRequest({ headers, body: `{"a${i}":` }));
        await gateway.handle(rawRequest({ credentials }));
      }
      setFlagsFromString("--expose-gc");
      runInNewContext("gc")();
      return process.memoryUsage().heapUsed;
    };
    await garbage();
    const before = await garbage();
    const after = await garbage();
    assert.ok(after - before < 1 << 20, `${after - before} bytes more`);
  });
});

type Event = Partial<StartLiveTailResponseStream>;

function liveTail(events: () => AsyncIterable<Event>): Service {
  return logsWith("StartLiveTail", async () => ({ responseStream: events() }));
}

describe("an event stream", () => {
  const command = new StartLiveTailCommand({ logGroupIdentifiers: ["arn:x"] });
  const update = { sessionUpdate: { sessionResults: [{ message: "é\n" }] } };

  /** A client that does not put `stream-` before the address. */
  function client(url: string): CloudWatchLogsClient {
    const options = { endpoint: url, region: REGION, credentials: ROOT_KEY, maxAttempts: 1 };
    return new CloudWatchLogsClient({ ...options, disableHostPrefix: true });
  }

  async function collect(service: Service, lines: string[] = []): Promise<Event[]> {
    const log = createLog({
      clock: new VirtualClock(),
      level: "info",
      write: (line) => lines.push(line),
    });
    await using door = await startDoor({ services: [service], log });
    const logs = client(door.url);
    try {
      const { responseStream = [] } = await logs.send(command);
      const events: Event[] = [];
      for await (const event of responseStream) events.push(event);
      return events;
    } finally {
      logs.destroy();
    }
  }

  test("arrives event by event", async () => {
    const events = await collect(
      liveTail(async function* () {
        yield { sessionStart: { sessionId: "1" } };
        yield update;
      }),
    );
    assert.deepEqual(
      events.map((event) => Object.keys(event)[0]),
      ["sessionStart", "sessionUpdate"],
    );
    assert.equal(events[1]?.sessionUpdate?.sessionResults?.[0]?.message, "é\n");
  });

  test("ends with the exception that its service throws, as the SDK's own class", async () => {
    const failing = liveTail(async function* () {
      yield update;
      throw new ApiError("SessionTimeoutException", "three hours are over");
    });
    await assert.rejects(collect(failing), {
      name: "SessionTimeoutException",
      message: "three hours are over",
    });
  });

  test("ends with an error, and a line in the log, when something unexpected happens", async () => {
    const lines: string[] = [];
    const broken = liveTail(async function* () {
      yield update;
      throw new Error("swordfish");
    });
    await assert.rejects(collect(broken, lines), (error: Error) => {
      assert.doesNotMatch(error.message, /swordfish/);
      return true;
    });
    assert.match(lines.join(""), /swordfish/);
  });

  test("is over for its handler when the caller goes away", async () => {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const endless = liveTail(async function* () {
      try {
        for (;;) yield update;
      } finally {
        resolve();
      }
    });
    await using door = await startDoor({ services: [endless] });
    const logs = client(door.url);
    const { responseStream } = await logs.send(command);
    assert.ok(responseStream);
    for await (const event of responseStream) {
      assert.ok(event.sessionUpdate);
      break;
    }
    logs.destroy();
    await ended;
  });
});
