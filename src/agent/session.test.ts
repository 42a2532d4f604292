import assert from "node:assert/strict";
import { test } from "node:test";
import { UnavailableError } from "../lib/errors.ts";
import { silentLog } from "../lib/log.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import { websocketUrl } from "./connection.ts";
import { runSession, type SessionDeps } from "./session.ts";
import { FakeServer } from "./testing/fake-server.fixture.ts";
import { evenRandom } from "./testing/rig.fixture.ts";
import { pass, passUntil } from "./testing/time.fixture.ts";

/** Runs `body` against a session that answers nothing. */
async function withSession(
  body: (rig: { clock: VirtualClock; server: FakeServer }) => Promise<void>,
  options: Pick<SessionDeps, "comeBack"> = {},
): Promise<void> {
  const clock = new VirtualClock(1_000_000);
  const server = new FakeServer(clock);
  const over = new AbortController();
  const session = runSession(
    {
      endpoint: async () => "http://server:4566/acs",
      dial: server.dial,
      sign: () => ({}),
      onConnected: () => undefined,
      handle: () => [],
      identity: { containerInstanceArn: "arn:i", agentVersion: "1" },
      clock,
      random: evenRandom,
      log: silentLog,
      ...options,
    },
    over.signal,
  );
  try {
    await body({ clock, server });
  } finally {
    over.abort();
    await session;
  }
}

const query = (server: FakeServer, dial: number, name: string): string | null =>
  new URL(server.dialled[dial] ?? "ws://none").searchParams.get(name);

test("websocketUrl() keeps the endpoint's path, makes the scheme a websocket's and sorts the query", () => {
  const { href } = websocketUrl("https://h:7901/acs/", { b: "x y", a: "1" });
  assert.equal(href, "wss://h:7901/acs/ws?a=1&b=x%20y");
  assert.equal(websocketUrl("http://h", {}).href, "ws://h/ws");
});

test("only the first connection of a process asks for credentials", async () => {
  await withSession(async ({ clock, server }) => {
    await passUntil(clock, () => server.socket !== undefined);
    await pass(clock, 1000);
    server.socket?.close(1001, "restarting");
    await passUntil(clock, () => server.dialled.length === 2);
    assert.deepEqual(
      [0, 1].map((dial) => query(server, dial, "sendCredentials")),
      ["true", "false"],
    );
    assert.equal(query(server, 0, "protocolVersion"), "2");
  });
});

test("a connection that brings nothing for 60 to 120 s is closed and made anew", async () => {
  await withSession(async ({ clock, server }) => {
    server.heartbeats = false;
    await passUntil(clock, () => server.dialled.length === 1);
    const since = clock.now();
    await passUntil(clock, () => server.dialled.length === 2);
    const waitedMs = clock.now() - since;
    assert.ok(waitedMs >= 60_000 && waitedMs <= 121_000, `${waitedMs} ms`);
  });
});

test("a connection is renewed after 30 to 35 minutes, at once", async () => {
  await withSession(async ({ clock, server }) => {
    await passUntil(clock, () => server.dialled.length === 1);
    const since = clock.now();
    await passUntil(clock, () => server.dialled.length === 2);
    const minutes = (clock.now() - since) / 60_000;
    assert.ok(minutes >= 30 && minutes <= 35, `${minutes} min`);
  });
});

test("a server that cannot be reached is tried ever more slowly, up to every two minutes", async () => {
  await withSession(async ({ clock, server }) => {
    server.fail = () => new UnavailableError("refused");
    await pass(clock, 1000);
    assert.ok(server.dialled.length >= 3, "quickly at first");
    await pass(clock, 3_600_000);
    const before = server.dialled.length;
    await pass(clock, 240_000);
    assert.ok(server.dialled.length - before <= 3);
    server.fail = () => undefined;
    await passUntil(clock, () => server.socket !== undefined);
  });
});

test("a server that closes each connection at once is not hammered", async () => {
  await withSession(async ({ clock, server }) => {
    server.heartbeats = false;
    await passUntil(clock, () => {
      server.socket?.close(1001, "no");
      return server.dialled.length >= 8;
    });
    assert.ok(clock.now() - 1_000_000 > 2000);
  });
});

test("a deregistered instance waits an hour", async () => {
  await withSession(async ({ clock, server }) => {
    server.fail = () => new Error('{"type":"InactiveInstanceException"}');
    await passUntil(clock, () => server.dialled.length === 2);
    assert.ok(clock.now() - 1_000_000 >= 3_600_000);
  });
});

test("an instance that was silent for too long, and that nobody has deregistered, comes back at once", async () => {
  let registrations = 0;
  const comeBack = async (): Promise<void> => void registrations++;
  await withSession(
    async ({ clock, server }) => {
      const refusals = ["InactiveInstanceException", "InvalidInstanceException"];
      server.fail = () => {
        const type = refusals.shift();
        return type === undefined ? undefined : new Error(`{"type":"${type}"}`);
      };
      await passUntil(clock, () => server.socket !== undefined);
      assert.equal(registrations, 2);
      assert.ok(clock.now() - 1_000_000 < 10_000);
    },
    { comeBack },
  );
});
