import type { Cache } from "../store/cache.ts";
import type { StoreRecord } from "../store/store.ts";
import { CompiledPolicies } from "./compiled-policies.ts";
import { PRINCIPALS_MAX } from "./limits.ts";
import { findManagedPolicy } from "./managed-policy.ts";
import { groupArn, parseIamArn, parseSessionArn, roleArn, userArn } from "./model/arns.ts";
import { groupKey, roleKey, userKey } from "./model/keys.ts";
import type { Group, PolicyHolder, Role, Tags, User } from "./model/records.ts";
import type { AttachedPolicy } from "./policy/evaluate.ts";

/**
 * A user (`arn:aws:iam::…:user/…`), a role (`…:role/…`) or a role's session (`arn:aws:sts::…:assumed-role/…`); a group too,
 * which never calls, for those who want to know what it would allow.
 */
export interface PrincipalName {
  readonly arn: string;
  /**
   * `AIDA…`, `AROA…`, or `AROA…:<session>`. When given, only the user or role of that id will do, not another one that
   * was made later under its name.
   */
  readonly userId?: string | undefined;
}

/** All that IAM keeps of a principal and that has a say in its calls. */
export interface PrincipalPolicies {
  /** A user's own, then those of its groups; a role's own. Inline ones before attached ones. */
  readonly identity: readonly AttachedPolicy[];
  /** Undefined: none is set. */
  readonly boundary: readonly AttachedPolicy[] | undefined;
  /** `AIDA…` or `AROA…`. */
  readonly id: string;
  /** Of the user or the role: `aws:PrincipalTag/…`, without those of the session. */
  readonly tags: Tags;
  /** Of the user, or of the role whose session it is. */
  readonly arn: string;
}

/** Finds a principal's policies, compiled; undefined when there is no such user or role (any more). */
export type PoliciesOf = (principal: PrincipalName) => PrincipalPolicies | undefined;

/**
 * Reads policies from the cache (with the indexes of `indexes.ts`). What was found for a principal is kept until one of
 * the records it came from is another one: a change counts from the next call, and a call without changes costs a
 * comparison of its records.
 */
export function createPoliciesOf(
  cache: Cache,
  compiled: CompiledPolicies = new CompiledPolicies(),
): PoliciesOf {
  const known = new Map<string, Gathered>();
  const isCurrent = ({ key, record }: Source): boolean => cache.get(key) === record;
  const keys = new WeakMap<PrincipalName, string>();
  return (principal) => {
    const { arn, userId } = principal;
    let key = keys.get(principal);
    if (key === undefined) {
      key = keyOf(arn);
      if (key === undefined) return undefined;
      keys.set(principal, key);
    }
    let gathered = known.get(key);
    // Nothing at all has changed since the last look: no need to look again.
    const isSame = gathered?.seenAt === cache.revision;
    if (gathered === undefined || !(isSame || gathered.sources.every(isCurrent))) {
      known.delete(key);
      gathered = new Gathering(cache, compiled).gather(key);
      if (gathered === undefined) return undefined;
      if (known.size >= PRINCIPALS_MAX) forgetOldest(known);
      known.set(key, gathered);
    }
    gathered.seenAt = cache.revision;
    const { policies } = gathered;
    const isMeant =
      (arn === policies.arn || arn.startsWith("arn:aws:sts:")) &&
      (userId === undefined || userId.split(":", 1)[0] === policies.id);
    return isMeant ? policies : undefined;
  };
}

const KEYS = new Map([
  ["user", userKey],
  ["role", roleKey],
  ["group", groupKey],
]);

function keyOf(arn: string): string | undefined {
  const session = parseSessionArn(arn);
  if (session !== undefined) return roleKey(session.accountId, session.roleName);
  const parsed = parseIamArn(arn);
  const makeKey = KEYS.get(parsed?.type ?? "");
  return parsed && makeKey?.(parsed.accountId, parsed.name);
}

function forgetOldest(known: Map<string, Gathered>): void {
  const [oldest] = known.keys();
  if (oldest !== undefined) known.delete(oldest);
}

/** A record that policies came from. */
interface Source {
  readonly key: string;
  readonly record: StoreRecord;
}

interface Gathered {
  readonly policies: PrincipalPolicies;
  readonly sources: readonly Source[];
  /** The cache's revision when the sources were last found to be current. */
  seenAt?: number;
}

/** Collects one principal's policies, and notes from where. */
class Gathering {
  readonly #cache: Cache;
  readonly #compiled: CompiledPolicies;
  readonly #sources: Source[] = [];

  constructor(cache: Cache, compiled: CompiledPolicies) {
    this.#cache = cache;
    this.#compiled = compiled;
  }

  gather(key: string): Gathered | undefined {
    const principal = this.#read<User | Role | Group>(this.#cache.get(key));
    if (principal === undefined) return undefined;
    const policies: PrincipalPolicies =
      "groupName" in principal
        ? { ...this.#named(principal), boundary: undefined, tags: {} }
        : {
            ...this.#named(principal),
            boundary: this.#boundary(principal),
            tags: principal.tags,
          };
    return { policies, sources: this.#sources };
  }

  #named(principal: User | Role | Group): Pick<PrincipalPolicies, "id" | "arn" | "identity"> {
    if ("userName" in principal) {
      const { userId: id } = principal;
      return { id, arn: userArn(principal), identity: this.#ofUser(principal) };
    }
    if ("roleName" in principal) {
      const { roleId: id, roleName } = principal;
      return { id, arn: roleArn(principal), identity: this.#held(principal, `role_${roleName}`) };
    }
    const { groupId: id, groupName } = principal;
    return { id, arn: groupArn(principal), identity: this.#held(principal, `group_${groupName}`) };
  }

  #boundary({ permissionsBoundary }: User | Role): readonly AttachedPolicy[] | undefined {
    return permissionsBoundary === undefined ? undefined : this.#managed(permissionsBoundary);
  }

  #ofUser(user: User): readonly AttachedPolicy[] {
    const groups = user.groupIds.flatMap((id) => this.#cache.lookup("iamGroupsById", id));
    return [
      ...this.#held(user, `user_${user.userName}`),
      ...groups.flatMap((record) => {
        const group = this.#read<Group>(record);
        return group === undefined ? [] : this.#held(group, `group_${group.groupName}`);
      }),
    ];
  }

  #held(
    { inlinePolicies, attachedPolicyArns }: PolicyHolder,
    idPrefix: string,
  ): readonly AttachedPolicy[] {
    return [
      ...inlinePolicies.map(({ policyName, document }) => ({
        id: `${idPrefix}_${policyName}`,
        policy: this.#compiled.compile(document, "inline"),
      })),
      ...attachedPolicyArns.flatMap((arn) => this.#managed(arn)),
    ];
  }

  /** Empty for a policy that is not there, which no deletion brings about; as a boundary that allows nothing. */
  #managed(arn: string): readonly AttachedPolicy[] {
    const managed = findManagedPolicy(this.#cache, arn);
    if (managed === undefined) return [];
    this.#read(managed.record);
    return [{ id: managed.name, policy: this.#compiled.compile(managed.document, "managed") }];
  }

  #read<T>(record: StoreRecord | undefined): T | undefined {
    if (record === undefined) return undefined;
    this.#sources.push({ key: record.key, record });
    return record.value as T;
  }
}
