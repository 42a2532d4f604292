import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import { createCache } from "../store/cache.ts";
import { openMemoryStore } from "../store/memory.ts";
import { type AccessKeyDeps, createNodeKey, ensureRootKey } from "./access-keys.ts";
import { createFindIdentity } from "./identities.ts";
import { machineOf } from "./model/access-key.ts";

const ACCOUNT = "111111111111";

test("an account has one root key, whoever asks first", async () => {
  await using deps = await openDeps();
  const keys = await Promise.all(Array.from({ length: 4 }, () => ensureRootKey(deps, ACCOUNT)));
  assert.equal(new Set(keys.map(({ accessKeyId }) => accessKeyId)).size, 1);
  assert.match(keys[0]?.accessKeyId ?? "", /^AKIA[A-Z2-7]{16}$/);
  assert.match(keys[0]?.secretAccessKey ?? "", /^[A-Za-z0-9+/]{40}$/);
});

test("a root key that the operator chooses takes the place of the one that was made", async () => {
  await using deps = await openDeps();
  const made = await ensureRootKey(deps, ACCOUNT);
  const chosen = { accessKeyId: "AKIACHOSENCHOSEN0000", secretAccessKey: "a-secret-of-my-own" };
  const key = await ensureRootKey(deps, ACCOUNT, chosen);
  assert.equal(key.accessKeyId, chosen.accessKeyId);
  assert.deepEqual(await ensureRootKey(deps, ACCOUNT), key);
  assert.equal(deps.findIdentity(made.accessKeyId, undefined), undefined);
  assert.deepEqual(deps.findIdentity(chosen.accessKeyId, undefined), {
    principal: {
      accountId: ACCOUNT,
      arn: `arn:aws:iam::${ACCOUNT}:root`,
      accessKeyId: chosen.accessKeyId,
      kind: "root",
    },
    secretAccessKey: chosen.secretAccessKey,
  });
});

test("a machine's new key ends its older one in that account, and no other", async () => {
  await using deps = await openDeps();
  const machine = { accountId: ACCOUNT, ec2InstanceId: "i-1" };
  const older = await createNodeKey(deps, machine);
  const elsewhere = await createNodeKey(deps, { ...machine, accountId: "999999999999" });
  const newer = await createNodeKey(deps, machine);
  assert.equal(deps.findIdentity(older.accessKeyId, undefined), undefined);
  for (const { accessKeyId } of [elsewhere, newer]) {
    const identity = deps.findIdentity(accessKeyId, undefined);
    assert.ok(typeof identity === "object");
    assert.equal(machineOf(identity.principal), "i-1");
  }
});

test("an unknown key belongs to nobody, and a lasting key takes no session token", async () => {
  await using deps = await openDeps();
  const { accessKeyId } = await ensureRootKey(deps, ACCOUNT);
  assert.equal(deps.findIdentity("AKIANOBODY", undefined), undefined);
  assert.equal(deps.findIdentity(accessKeyId, "token"), undefined);
});

async function openDeps(): Promise<
  AccessKeyDeps & AsyncDisposable & { findIdentity: ReturnType<typeof createFindIdentity> }
> {
  const store = openMemoryStore();
  const cache = createCache({ store, indexes: {}, log: silentLog });
  const end = new AbortController();
  const following = cache.run(end.signal);
  await cache.reached(0);
  const clock = new VirtualClock(1_000);
  const sessions = { openSession: () => undefined };
  return {
    store,
    cache,
    clock,
    random: systemRandom,
    findIdentity: createFindIdentity({ cache, sessions, clock }),
    [Symbol.asyncDispose]: async () => {
      end.abort();
      await following;
      await store.close();
    },
  };
}
