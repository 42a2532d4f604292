import type { IamDeps } from "../deps.ts";
import { attachmentOf } from "../indexes.ts";
import type { Group, Role, User } from "../model/records.ts";

/** Who uses a managed policy: found in the cache's indexes, kept nowhere else. */
export interface PolicyUsage {
  readonly users: readonly User[];
  readonly groups: readonly Group[];
  readonly roles: readonly Role[];
}

type CacheOnly = Pick<IamDeps, "cache">;

/** To whom it is attached. */
export function attachmentsOf({ cache }: CacheOnly, accountId: string, arn: string): PolicyUsage {
  const subject = attachmentOf(accountId, arn);
  return {
    users: cache.lookup("iamUsersByPolicy", subject).map(({ value }) => value as User),
    groups: cache.lookup("iamGroupsByPolicy", subject).map(({ value }) => value as Group),
    roles: cache.lookup("iamRolesByPolicy", subject).map(({ value }) => value as Role),
  };
}

/** Whom it bounds. */
export function boundedBy({ cache }: CacheOnly, accountId: string, arn: string): PolicyUsage {
  const subject = attachmentOf(accountId, arn);
  return {
    users: cache.lookup("iamUsersByBoundary", subject).map(({ value }) => value as User),
    groups: [],
    roles: cache.lookup("iamRolesByBoundary", subject).map(({ value }) => value as Role),
  };
}

export function countOf({ users, groups, roles }: PolicyUsage): number {
  return users.length + groups.length + roles.length;
}
