import type { Call, ConditionKeys } from "../../door/service.ts";
import type { IamDeps } from "../deps.ts";
import { iamArn, instanceProfileArn, oidcProviderArn, parseIamArn } from "../model/arns.ts";
import { instanceProfileKey, oidcProviderKey, policyKey, roleKey, userKey } from "../model/keys.ts";
import type { InstanceProfile, PolicyHolder, Tags } from "../model/records.ts";
import { GROUP, type HolderType, ROLE, USER } from "./holders.ts";

/**
 * The ARNs that IAM's operations are about, and what policies may ask of what is there. An operation names its object
 * without the path, a policy with it: what exists is looked up, what does not stands below `/`.
 */
export class Arns {
  readonly #deps: Pick<IamDeps, "cache">;

  constructor(deps: Pick<IamDeps, "cache">) {
    this.#deps = deps;
  }

  /** The named user, or the caller itself. */
  user(name: string | undefined, call: Call): string {
    return name === undefined ? call.principal.arn : this.#holder(USER, name, call);
  }
  group(name: string | undefined, call: Call): string {
    return this.#holder(GROUP, name ?? "", call);
  }
  role(name: string | undefined, call: Call): string {
    return this.#holder(ROLE, name ?? "", call);
  }
  instanceProfile(name = "", { principal: { accountId } }: Call): string {
    const record = this.#deps.cache.get(instanceProfileKey(accountId, name));
    const profile = record?.value as InstanceProfile | undefined;
    return profile ? instanceProfileArn(profile) : iamArn(accountId, "instance-profile", "/", name);
  }

  /** What policies may ask of the thing of that ARN: its tags, and its boundary. */
  conditionsOf(arn: string): ConditionKeys {
    const parsed = parseIamArn(arn);
    if (parsed === undefined) return {};
    const { accountId, type, path, name } = parsed;
    const key =
      type === "oidc-provider"
        ? oidcProviderKey(accountId, `${path}${name}`.slice(1))
        : KEYS.get(type)?.(accountId, name);
    const value = key && this.#deps.cache.get(key)?.value;
    if (!value) return {};
    const { tags = {}, permissionsBoundary } = value as {
      readonly tags?: Tags;
      readonly permissionsBoundary?: string;
    };
    const keys: Record<string, string | undefined> = {
      "iam:PermissionsBoundary": permissionsBoundary,
    };
    for (const [tag, tagValue] of Object.entries(tags)) {
      keys[`aws:ResourceTag/${tag}`] = tagValue;
      keys[`iam:ResourceTag/${tag}`] = tagValue;
    }
    return keys;
  }

  #holder<T extends PolicyHolder>(type: HolderType<T>, name: string, call: Call): string {
    const { accountId } = call.principal;
    const holder = this.#deps.cache.get(type.key(accountId, name))?.value as T | undefined;
    return holder ? type.arn(holder) : iamArn(accountId, type.name, "/", name);
  }
}

const KEYS: ReadonlyMap<string, (accountId: string, name: string) => string> = new Map([
  ["user", userKey],
  ["role", roleKey],
  ["policy", policyKey],
  ["instance-profile", instanceProfileKey],
]);

/** The ARN of something that is about to be made. */
export function newArn(type: string, path: string | undefined, name = "", call: Call): string {
  return iamArn(call.principal.accountId, type, path ?? "/", name);
}

/** How AWS names what a listing is about: `arn:aws:iam::111111111111:user/`. */
export function listingArn(
  type: string,
): (input: { PathPrefix?: string | undefined }, call: Call) => string {
  return ({ PathPrefix = "/" }, call) => iamArn(call.principal.accountId, type, PathPrefix, "");
}

export function newOidcProviderArn(url = "", { principal: { accountId } }: Call): string {
  return oidcProviderArn({ accountId, url: url.replace(/^https:\/\//, "") });
}
