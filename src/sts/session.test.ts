import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import { createCache } from "../store/cache.ts";
import { openMemoryStore } from "../store/memory.ts";
import { assumedRoleArn, SESSION_KEYS_PREFIX, type SessionRequest } from "./model.ts";
import { type SessionDeps, Sessions } from "./session.ts";

const HOUR_MS = 3600_000;
const REQUEST: SessionRequest = {
  principal: {
    accountId: "111111111111",
    arn: "arn:aws:sts::111111111111:assumed-role/exec/task",
    kind: "role-session",
    userId: "AROAEXEC:task",
    session: { issuedAt: 1, roleArn: "arn:aws:iam::111111111111:role/exec" },
  },
  durationSeconds: 6 * 3600,
};

test("a session is what it was minted for, on every server, until it expires", async () => {
  await using deps = await openDeps();
  const session = await new Sessions(deps).mintSession(REQUEST);
  const { accessKeyId, sessionToken, secretAccessKey, expiresAt } = session;
  assert.match(accessKeyId, /^ASIA[A-Z2-7]{16}$/);
  assert.equal(expiresAt, deps.clock.now() + 6 * HOUR_MS);
  const elsewhere = new Sessions(deps);
  assert.deepEqual(elsewhere.openSession(accessKeyId, sessionToken, expiresAt - 1), {
    principal: { ...REQUEST.principal, accessKeyId },
    secretAccessKey,
  });
  assert.equal(elsewhere.openSession(accessKeyId, sessionToken, expiresAt), "expired");
});

test("a token opens with its own key only, and not when a single byte of it is changed", async () => {
  await using deps = await openDeps();
  const sessions = new Sessions(deps);
  const { accessKeyId, sessionToken } = await sessions.mintSession(REQUEST);
  const now = deps.clock.now();
  const other = await sessions.mintSession(REQUEST);
  assert.equal(sessions.openSession(other.accessKeyId, sessionToken, now), undefined);
  const bytes = Buffer.from(sessionToken, "base64");
  for (let at = 0; at < bytes.length; at++) {
    const forged = Buffer.from(bytes);
    forged[at] = (forged[at] ?? 0) ^ 1;
    assert.equal(sessions.openSession(accessKeyId, forged.toString("base64"), now), undefined);
  }
  for (const text of ["", "x", "A".repeat(20_000), await sessions.sealDenial("{}")]) {
    assert.equal(sessions.openSession(accessKeyId, text, now), undefined);
  }
});

test("sealing keys change daily and are dropped when no session can need them any more", async () => {
  await using deps = await openDeps();
  const sessions = new Sessions(deps);
  const first = await sessions.mintSession({ ...REQUEST, durationSeconds: 999_999 });
  assert.equal(first.expiresAt, deps.clock.now() + 36 * HOUR_MS, "36 hours at most");
  await sessions.mintSession(REQUEST);
  assert.equal(deps.cache.list(SESSION_KEYS_PREFIX).length, 1);
  await deps.clock.advance(25 * HOUR_MS);
  await sessions.mintSession(REQUEST);
  assert.equal(deps.cache.list(SESSION_KEYS_PREFIX).length, 2);
  await deps.clock.advance(40 * HOUR_MS);
  await sessions.mintSession(REQUEST);
  assert.equal(deps.cache.list(SESSION_KEYS_PREFIX).length, 2);
});

test("a stable id is the same on every server, another for every subject, and looks like a UUID", async () => {
  await using deps = await openDeps();
  const ids = await Promise.all([
    new Sessions(deps).stableId("a"),
    new Sessions(deps).stableId("a"),
  ]);
  assert.equal(ids[0], ids[1]);
  assert.match(ids[0] ?? "", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.notEqual(await new Sessions(deps).stableId("b"), ids[0]);
});

test("a role's session is of the account that asks, whatever the role's ARN says", () => {
  assert.equal(
    assumedRoleArn("111111111111", "arn:aws:iam::222222222222:role/path/to/exec", "t"),
    "arn:aws:sts::111111111111:assumed-role/exec/t",
  );
});

async function openDeps(): Promise<SessionDeps & AsyncDisposable & { clock: VirtualClock }> {
  const store = openMemoryStore();
  const cache = createCache({ store, indexes: {}, log: silentLog });
  const end = new AbortController();
  const following = cache.run(end.signal);
  await cache.reached(0);
  return {
    store,
    cache,
    clock: new VirtualClock(Date.UTC(2026, 0, 1)),
    random: systemRandom,
    [Symbol.asyncDispose]: async () => {
      end.abort();
      await following;
      await store.close();
    },
  };
}
