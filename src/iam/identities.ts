import type { FindIdentity, Identity } from "../door/authorize.ts";
import type { Clock } from "../lib/clock.ts";
import type { Cache } from "../store/cache.ts";
import { type AccessKey, accessKeyKey } from "./model/access-key.ts";

export interface IdentityDeps {
  readonly cache: Cache;
  /** Opens the session tokens that `sts` seals. */
  readonly sessions: {
    openSession(accessKeyId: string, token: string, now: number): Identity | "expired" | undefined;
  };
  readonly clock: Clock;
}

/** Finds whose key signed a request: a session by its token alone, a lasting key by its record. */
export function createFindIdentity(deps: IdentityDeps): FindIdentity {
  return (accessKeyId, sessionToken) => {
    if (sessionToken !== undefined) {
      return deps.sessions.openSession(accessKeyId, sessionToken, deps.clock.now());
    }
    const key = deps.cache.get(accessKeyKey(accessKeyId))?.value as AccessKey | undefined;
    if (key?.status !== "Active") return undefined;
    const { accountId, principalArn, kind, secretAccessKey } = key;
    return { principal: { accountId, arn: principalArn, accessKeyId, kind }, secretAccessKey };
  };
}
