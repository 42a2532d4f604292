import type { FindIdentity, Identity } from "../door/authorize.ts";
import type { Principal } from "../door/service.ts";
import { doneAt, type Task } from "../ecs/model/task.ts";
import type { Clock } from "../lib/clock.ts";
import type { Cache } from "../store/cache.ts";
import type { StoreRecord } from "../store/store.ts";
import { type AccessKey, accessKeyKey } from "./model/access-key.ts";
import { parseIamArn } from "./model/arns.ts";
import { roleKey, userKey } from "./model/keys.ts";
import type { Role, User } from "./model/records.ts";

export interface IdentityDeps {
  readonly cache: Cache;
  /** Opens the session tokens that `sts` seals. */
  readonly sessions: {
    openSession(accessKeyId: string, token: string, now: number): Identity | "expired" | undefined;
  };
  readonly clock: Clock;
}

/**
 * Finds whose key signed a request: a session by its token alone, a lasting key by its record. Keys and sessions of a
 * user or role that is gone belong to nobody, whoever has got the name since.
 */
export function createFindIdentity(deps: IdentityDeps): FindIdentity {
  const ofKey = createKeyReader(deps.cache);
  const recordKeys = new WeakMap<Principal, string>();
  const isThere = (principal: Principal): boolean => {
    if (principal.kind !== "user" && principal.kind !== "role-session") return true;
    let key = recordKeys.get(principal);
    if (key === undefined) {
      key = recordKeyOf(principal);
      recordKeys.set(principal, key);
    }
    return isRecordOf(principal, deps.cache.get(key));
  };
  return (accessKeyId, sessionToken) => {
    const identity =
      sessionToken === undefined
        ? ofKey(accessKeyId)
        : deps.sessions.openSession(accessKeyId, sessionToken, deps.clock.now());
    if (identity === undefined || identity === "expired") return identity;
    if (!isThere(identity.principal)) return undefined;
    return hasEnded(deps, identity.principal) ? "expired" : identity;
  };
}

/** Whose a lasting key is: the same object as long as its record stands, so that others can keep what they find of it. */
function createKeyReader(cache: Cache): (accessKeyId: string) => Identity | undefined {
  const known = new WeakMap<StoreRecord, Identity>();
  return (accessKeyId) => {
    const record = cache.get(accessKeyKey(accessKeyId));
    const key = record?.value as AccessKey | undefined;
    if (record === undefined || key?.status !== "Active") return undefined;
    let identity = known.get(record);
    if (identity === undefined) {
      identity = identityOf(key);
      known.set(record, identity);
    }
    return identity;
  };
}

function identityOf(key: AccessKey): Identity {
  const { accessKeyId, accountId, principalArn: arn, kind, userId, secretAccessKey } = key;
  const named = { accountId, arn, accessKeyId, kind };
  return {
    principal: userId === undefined ? named : { ...named, userId },
    secretAccessKey,
  };
}

/** Where the user or the role is on record. */
function recordKeyOf({ accountId, arn, kind, session }: Principal): string {
  const name = parseIamArn(kind === "user" ? arn : (session?.roleArn ?? ""))?.name ?? "";
  return kind === "user" ? userKey(accountId, name) : roleKey(accountId, name);
}

function isRecordOf({ kind, userId }: Principal, record: StoreRecord | undefined): boolean {
  if (record === undefined) return false;
  if (kind === "user") return (record.value as User).userId === userId;
  return userId?.startsWith(`${(record.value as Role).roleId}:`) === true;
}

/** The sessions of a task's roles end with the task, although their tokens would live on. */
function hasEnded({ cache, clock }: IdentityDeps, { session }: Principal): boolean {
  if (session?.task === undefined) return false;
  const task = cache.get(session.task.key)?.value as Task | undefined;
  if (task === undefined) return true;
  const { graceMs } = session.task;
  const { lastStatus, stoppedAt = 0 } = task;
  if (graceMs === 0) return lastStatus === "STOPPED" && clock.now() >= stoppedAt;
  // A lost task's last output is shipped when its machine is back.
  return clock.now() >= doneAt(task) + graceMs;
}
