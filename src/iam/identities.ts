import type { FindIdentity, Identity } from "../door/authorize.ts";
import type { Principal } from "../door/service.ts";
import type { Task } from "../ecs/model/task.ts";
import type { Clock } from "../lib/clock.ts";
import type { Cache } from "../store/cache.ts";
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
  return (accessKeyId, sessionToken) => {
    const identity =
      sessionToken === undefined
        ? ofKey(deps.cache, accessKeyId)
        : deps.sessions.openSession(accessKeyId, sessionToken, deps.clock.now());
    if (identity === undefined || identity === "expired") return identity;
    if (!isThere(deps.cache, identity.principal)) return undefined;
    return hasEnded(deps, identity.principal) ? "expired" : identity;
  };
}

function ofKey(cache: Cache, accessKeyId: string): Identity | undefined {
  const key = cache.get(accessKeyKey(accessKeyId))?.value as AccessKey | undefined;
  if (key?.status !== "Active") return undefined;
  const { accountId, principalArn: arn, kind, userId, secretAccessKey } = key;
  const named = { accountId, arn, accessKeyId, kind };
  return {
    principal: userId === undefined ? named : { ...named, userId },
    secretAccessKey,
  };
}

function isThere(cache: Cache, { accountId, arn, kind, userId, session }: Principal): boolean {
  if (kind !== "user" && kind !== "role-session") return true;
  const name = parseIamArn(kind === "user" ? arn : (session?.roleArn ?? ""))?.name ?? "";
  if (kind === "user") {
    const user = cache.get(userKey(accountId, name))?.value as User | undefined;
    return user !== undefined && user.userId === userId;
  }
  const role = cache.get(roleKey(accountId, name))?.value as Role | undefined;
  return role !== undefined && userId?.split(":", 1)[0] === role.roleId;
}

/** The sessions of a task's roles end with the task, although their tokens would live on. */
function hasEnded({ cache, clock }: IdentityDeps, { session }: Principal): boolean {
  if (session?.task === undefined) return false;
  const task = cache.get(session.task.key)?.value as Task | undefined;
  if (task === undefined) return true;
  const { lastStatus, stoppedAt = 0 } = task;
  return lastStatus === "STOPPED" && clock.now() >= stoppedAt + session.task.graceMs;
}
