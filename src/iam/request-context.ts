import type { CallOrigin } from "../door/authorize.ts";
import type { ConditionKeys, Principal } from "../door/service.ts";
import { userNameOf } from "./callers.ts";
import type { Tags } from "./model/records.ts";
import type { Context } from "./policy/context.ts";
import { type CallFacts, resourceKeys } from "./policy/global-keys.ts";
import type { Caller } from "./policy/principals.ts";

/** What the keys that every call has are made of. */
export interface ContextSource {
  readonly principal: Principal;
  readonly caller: Caller;
  readonly origin: CallOrigin;
  /** Of the user or the role. */
  readonly tags: Tags;
  readonly now: number;
}

/** What is the same for every resource of a call. */
export function factsOf({ principal, caller, origin, tags, now }: ContextSource): CallFacts {
  const { session, userId } = principal;
  return {
    caller,
    userName: userNameOf(principal),
    userId,
    principalTags: session?.tags === undefined ? tags : { ...tags, ...session.tags },
    tokenIssuedAt: session?.issuedAt,
    sourceIdentity: session?.sourceIdentity,
    now,
    region: origin.region,
    sourceIp: origin.sourceIp,
    userAgent: origin.userAgent,
    isSecure: origin.isSecure,
  };
}

/** Adds the keys of one resource, and those of the operation. */
export function withResource(call: Context, resource: string, keys: ConditionKeys): Context {
  const accountId = resource.split(":", 5)[4] ?? "";
  return {
    ...call,
    ...(accountId === "" ? {} : resourceKeys({ accountId })),
    ...normalised(keys),
  };
}

/** Names of condition keys have no case; what is undefined is absent. */
export function normalised(keys: ConditionKeys): Context {
  const context: Record<string, string | readonly string[]> = {};
  for (const name of Object.keys(keys)) {
    const value = keys[name];
    if (value !== undefined) context[name.toLowerCase()] = value;
  }
  return context;
}
