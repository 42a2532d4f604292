import type { AccessDecision, CallOrigin } from "../door/authorize.ts";
import type { Clock } from "../lib/clock.ts";
import type { Cache } from "../store/cache.ts";
import type { ResourcePolicyOf } from "./authorize.ts";
import type { CompiledPolicies } from "./compiled-policies.ts";
import { denialOf } from "./denial.ts";
import { roleArn as arnOf } from "./model/arns.ts";
import { findRole } from "./model/find.ts";
import type { Role } from "./model/records.ts";
import type { ServiceTrust, WebIdentityTrust } from "./model/trust.ts";
import type { Context } from "./policy/context.ts";
import { evaluate, type ResourcePolicies } from "./policy/evaluate.ts";
import { callKeys } from "./policy/global-keys.ts";
import type { Caller } from "./policy/principals.ts";
import { withResource } from "./request-context.ts";

export interface TrustDeps {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly compiled: CompiledPolicies;
}

/** The actions that a role's trust policy has to allow. */
const TRUST_ACTIONS: ReadonlySet<string> = new Set([
  "sts:AssumeRole",
  "sts:AssumeRoleWithWebIdentity",
  "sts:SetSourceIdentity",
  "sts:TagSession",
]);

/** The trust policies of roles, as policies of those resources. A role that is not there trusts nobody. */
export function createTrustPolicyOf({ cache, compiled }: TrustDeps): ResourcePolicyOf {
  return (action, resource) => {
    if (!TRUST_ACTIONS.has(action)) return undefined;
    const role = findRole(cache, resource);
    return role === undefined ? { kind: "trust", policies: [] } : trustOf(compiled, role);
  };
}

function trustOf(compiled: CompiledPolicies, role: Role): ResourcePolicies {
  const policy = compiled.compile(role.trustPolicy, "trust");
  return { kind: "trust", policies: [{ id: role.roleName, policy }] };
}

/** Decides whether a service of ours may act in a role. */
export function createServiceTrust(deps: TrustDeps): ServiceTrust {
  return ({ roleArn, accountId, service, region, sourceArn }) => {
    const role = findRole(deps.cache, roleArn);
    // Services act in roles of the account that they act for, whomever else those trust.
    if (role?.accountId !== accountId) return undefined;
    const caller: Caller = { kind: "service", name: service };
    const context = callKeys({ caller, now: deps.clock.now(), region, sourceArn, isSecure: true });
    const decision = evaluate(
      { caller, action: "sts:AssumeRole", resource: arnOf(role), context },
      { identity: [], resource: trustOf(deps.compiled, role) },
    );
    return decision.outcome === "allowed" ? role : undefined;
  };
}

/** Decides whether a token of an identity provider opens a role. */
export function createWebIdentityTrust(deps: TrustDeps): WebIdentityTrust {
  return ({ role, providerArn, conditions, origin }) => {
    const caller: Caller = { kind: "web-identity", providerArn };
    const resource = arnOf(role);
    const call = contextOfOrigin(caller, origin, deps.clock.now());
    const context = withResource(call, resource, conditions);
    const request = { caller, action: "sts:AssumeRoleWithWebIdentity", resource, context };
    const decision = evaluate(request, {
      identity: [],
      resource: trustOf(deps.compiled, role),
    });
    const allowed: AccessDecision = { allowed: true };
    return denialOf(request, decision, undefined) ?? allowed;
  };
}

function contextOfOrigin(caller: Caller, origin: CallOrigin, now: number): Context {
  const { region, sourceIp, userAgent, isSecure } = origin;
  return callKeys({ caller, now, region, sourceIp, userAgent, isSecure });
}
