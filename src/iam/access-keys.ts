import type { Clock } from "../lib/clock.ts";
import { UnavailableError } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";
import type { Cache } from "../store/cache.ts";
import type { Store, StoreRecord, Write } from "../store/store.ts";
import {
  type AccessKey,
  accessKeyKey,
  formatAccessKeyId,
  formatSecretAccessKey,
  type KeyOwner,
  keyOwnerKey,
  nodePrincipalArn,
  rootPrincipalArn,
} from "./model/access-key.ts";

export interface AccessKeyDeps {
  readonly store: Store;
  readonly cache: Cache;
  readonly clock: Clock;
  readonly random: Random;
}

/** Lost races in a row before we call the store unusable. */
const ATTEMPTS_MAX = 5;

/**
 * The root key of an account, made on first use, or the one that the operator has chosen, which takes an older one's
 * place. Any number of servers may ask at once: all get the same key.
 */
export async function ensureRootKey(
  deps: AccessKeyDeps,
  accountId: string,
  chosen?: Pick<AccessKey, "accessKeyId" | "secretAccessKey">,
): Promise<AccessKey> {
  const principalArn = rootPrincipalArn(accountId);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const owner = deps.cache.get(keyOwnerKey(principalArn));
    const existing = owner && keyOf(deps.cache, owner);
    if (existing && (!chosen || isSame(existing, chosen))) return existing;
    const key = { ...buildKey(deps, { accountId, principalArn, kind: "root" }), ...chosen };
    if (await issue(deps, key, owner)) return key;
  }
  throw new UnavailableError(`no root key for account ${accountId}: the store keeps changing`);
}

function isSame(a: AccessKey, b: Pick<AccessKey, "accessKeyId" | "secretAccessKey">): boolean {
  return a.accessKeyId === b.accessKeyId && a.secretAccessKey === b.secretAccessKey;
}

/** A new key for one machine in one account. A machine has one key there: the older one ends with this call. */
export async function createNodeKey(
  deps: AccessKeyDeps,
  machine: { readonly accountId: string; readonly ec2InstanceId: string },
): Promise<AccessKey> {
  const principalArn = nodePrincipalArn(machine.accountId, machine.ec2InstanceId);
  const key = buildKey(deps, { accountId: machine.accountId, principalArn, kind: "node" });
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (await issue(deps, key, deps.cache.get(keyOwnerKey(principalArn)))) return key;
  }
  throw new UnavailableError(
    `no key for machine ${machine.ec2InstanceId}: the store keeps changing`,
  );
}

function keyOf(cache: Cache, owner: StoreRecord): AccessKey | undefined {
  const { accessKeyId } = owner.value as KeyOwner;
  return cache.get(accessKeyKey(accessKeyId))?.value as AccessKey | undefined;
}

/** A new key, not stored yet. */
export function buildKey(
  deps: Pick<AccessKeyDeps, "clock" | "random">,
  owner: Pick<AccessKey, "accountId" | "principalArn" | "kind">,
): AccessKey {
  return {
    accessKeyId: formatAccessKeyId(deps.random.bytes(16)),
    secretAccessKey: formatSecretAccessKey(deps.random.bytes(30)),
    ...owner,
    status: "Active",
    createdAt: deps.clock.now(),
  };
}

/** Puts `key` in the place of what `owner` (as read) named. False when someone else was faster. */
async function issue(
  deps: AccessKeyDeps,
  key: AccessKey,
  owner: StoreRecord | undefined,
): Promise<boolean> {
  const ownerKey = keyOwnerKey(key.principalArn);
  const writes: Write[] = [
    { key: accessKeyKey(key.accessKeyId), value: key },
    { key: ownerKey, value: { accessKeyId: key.accessKeyId } satisfies KeyOwner },
  ];
  const olderId = (owner?.value as KeyOwner | undefined)?.accessKeyId;
  if (olderId !== undefined && olderId !== key.accessKeyId) {
    writes.push({ key: accessKeyKey(olderId), value: undefined });
  }
  const result = await deps.store.txn([{ key: ownerKey, revision: owner?.revision ?? 0 }], writes);
  if (!result.ok) {
    // The cache is behind the winner: wait until it shows what beat us.
    await deps.cache.reached((await deps.store.list(ownerKey)).revision);
    return false;
  }
  await deps.cache.reached(result.revision);
  return true;
}
