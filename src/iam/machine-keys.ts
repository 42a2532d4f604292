/**
 * The keys of a machine that is not the server's own: handed out in two steps, so that a machine never stands there with a key
 * it does not know. A key that was offered works already; the older one works until the offer is confirmed.
 */
import { UnavailableError } from "../lib/errors.ts";
import type { Compare, Write } from "../store/store.ts";
import { type AccessKeyDeps, buildKey } from "./access-keys.ts";
import {
  ACCESS_KEYS_PREFIX,
  type AccessKey,
  accessKeyKey,
  type KeyOwner,
  keyOwnerKey,
  nodePrincipalArn,
} from "./model/access-key.ts";

/** A machine, and the accounts in which it has a key. */
export interface Machine {
  readonly ec2InstanceId: string;
  readonly accountIds: readonly string[];
}

/**
 * First keys of a machine nobody has heard of; undefined when it has keys already, since whoever holds a join token could
 * else take the place of any machine.
 */
export async function offerFirstKeys(
  deps: AccessKeyDeps,
  machine: Machine,
): Promise<readonly AccessKey[] | undefined> {
  const keys = keysFor(deps, machine);
  const result = await deps.store.txn(
    keys.map(({ principalArn }) => ({ key: keyOwnerKey(principalArn), revision: 0 })),
    keys.flatMap((key) => [recordOf(key), ownerOf(key)]),
  );
  if (!result.ok) return undefined;
  await deps.cache.reached(result.revision);
  return keys;
}

/**
 * Further keys of a machine, valid beside `used` (the id of the key it asks with) and the confirmed ones. What else was offered
 * before, and never used, ends: asking again and again piles nothing up. Throws UnavailableError.
 */
export async function offerNextKeys(
  deps: AccessKeyDeps,
  machine: Machine,
  used: string,
): Promise<readonly AccessKey[]> {
  const keys = keysFor(deps, machine);
  const present = presentKeys(deps, keys);
  // The keys of one offer are made together.
  const usedAt = present.find(({ accessKeyId }) => accessKeyId === used)?.createdAt;
  const unused = present.filter(
    (key) => key.createdAt !== usedAt && !isOwner(deps, key) && key.accessKeyId !== used,
  );
  await write(deps, [...unused.map(withoutRecord), ...keys.map(recordOf)]);
  return keys;
}

/**
 * The machine has written the offered keys down: they are its only ones from here on. Throws UnavailableError, also when a later
 * exchange has withdrawn them: a machine that lost its power can have gone further than the last word of its former process.
 */
export async function confirmKeys(deps: AccessKeyDeps, keys: readonly AccessKey[]): Promise<void> {
  const kept = new Set(keys.map(({ accessKeyId }) => accessKeyId));
  const older = presentKeys(deps, keys).filter(({ accessKeyId }) => !kept.has(accessKeyId));
  const areStillThere = keys.map(({ accessKeyId }) => {
    const key = accessKeyKey(accessKeyId);
    const record = deps.cache.get(key);
    if (record === undefined) throw new UnavailableError("the offered keys have been withdrawn");
    return { key, revision: record.revision };
  });
  await write(deps, [...keys.map(ownerOf), ...older.map(withoutRecord)], areStillThere);
}

/** All keys of the principals that `keys` belong to. */
function presentKeys({ cache }: AccessKeyDeps, keys: readonly AccessKey[]): readonly AccessKey[] {
  const principals = new Set(keys.map(({ principalArn }) => principalArn));
  return cache
    .list(ACCESS_KEYS_PREFIX)
    .map(({ value }) => value as AccessKey)
    .filter(({ principalArn }) => principals.has(principalArn));
}

function isOwner({ cache }: AccessKeyDeps, { principalArn, accessKeyId }: AccessKey): boolean {
  const owner = cache.get(keyOwnerKey(principalArn))?.value as KeyOwner | undefined;
  return owner?.accessKeyId === accessKeyId;
}

function keysFor(deps: AccessKeyDeps, { accountIds, ec2InstanceId }: Machine): AccessKey[] {
  return accountIds.map((accountId) => {
    const principalArn = nodePrincipalArn(accountId, ec2InstanceId);
    return buildKey(deps, { accountId, principalArn, kind: "node" });
  });
}

function recordOf(key: AccessKey): Write {
  return { key: accessKeyKey(key.accessKeyId), value: key };
}

function withoutRecord({ accessKeyId }: AccessKey): Write {
  return { key: accessKeyKey(accessKeyId), value: undefined };
}

function ownerOf({ principalArn, accessKeyId }: AccessKey): Write {
  return { key: keyOwnerKey(principalArn), value: { accessKeyId } satisfies KeyOwner };
}

async function write(
  { store, cache }: AccessKeyDeps,
  writes: readonly Write[],
  compares: readonly Compare[] = [],
): Promise<void> {
  const result = await store.txn(compares, writes);
  if (!result.ok) throw new UnavailableError("a machine's keys could not be stored");
  await cache.reached(result.revision);
}
