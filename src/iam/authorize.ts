import type { AccessDecision, AccessRequest, Authorize } from "../door/authorize.ts";
import type { Principal, PrincipalKind } from "../door/service.ts";
import type { Clock } from "../lib/clock.ts";
import type { Cache } from "../store/cache.ts";
import { type BuiltInRole, builtInPolicies } from "./built-in-roles.ts";
import { callerOf } from "./callers.ts";
import type { CompiledPolicies } from "./compiled-policies.ts";
import { denialOf } from "./denial.ts";
import { findManagedPolicy } from "./managed-policy.ts";
import type { Tags } from "./model/records.ts";
import { NarrowedPolicies } from "./narrowed-policies.ts";
import type { PoliciesOf } from "./policies-of.ts";
import type { Context } from "./policy/context.ts";
import {
  type AttachedPolicy,
  evaluate,
  type Policies,
  type ResourcePolicies,
} from "./policy/evaluate.ts";
import { type CallFacts, callKeys } from "./policy/global-keys.ts";
import type { Caller } from "./policy/principals.ts";
import { factsOf, withResource } from "./request-context.ts";

/** The policies of resources that have their own; undefined: it has none. */
export type ResourcePolicyOf = (action: string, resource: string) => ResourcePolicies | undefined;

export interface AuthorizeDeps {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly compiled: CompiledPolicies;
  readonly policiesOf: PoliciesOf;
  readonly resourcePolicyOf: ResourcePolicyOf;
  /** Whether something is a machine's own, beyond what its role's policy says. */
  readonly mayNode: (principal: Principal, action: string, resource: string) => boolean;
}

const ALLOWED: AccessDecision = { allowed: true };
const NO_CONTEXT: Context = {};
const NO_TAGS: Tags = {};

/** Makes the function that decides every call, by the policies that the cache holds at that moment. */
export function createAuthorize(deps: AuthorizeDeps): Authorize {
  return new Authorizer(deps).authorize;
}

/** What has a say in a call. */
interface Standing {
  readonly caller: Caller;
  readonly policiesFor: (action: string, resource: string) => Omit<Policies, "resource">;
  readonly tags: Tags;
}

class Authorizer {
  readonly #deps: AuthorizeDeps;
  readonly #builtIn = builtInPolicies();
  readonly #narrowed = new NarrowedPolicies();

  constructor(deps: AuthorizeDeps) {
    this.#deps = deps;
  }

  readonly authorize: Authorize = (request) => {
    const { principal, resources } = request;
    const caller = callerOf(principal);
    // The operations that take unsigned calls decide for themselves: nothing else is open to nobody.
    if (caller === undefined) return refused(request);
    if (isBeyondSession(request)) return refused(request);
    if (principal.kind === "root" && resources.every((arn) => isOwn(arn, principal.accountId))) {
      return ALLOWED;
    }
    const standing = this.#standingOf(principal, caller);
    let facts: CallFacts | undefined;
    const factsOnce = (): CallFacts => {
      facts ??= factsOf({ ...request, ...standing, now: this.#deps.clock.now() });
      return facts;
    };
    // A list that names nothing must not be a way in.
    for (const resource of resources.length === 0 ? ["*"] : resources) {
      const decision = this.#decide(request, standing, resource, factsOnce);
      if (!decision.allowed) return decision;
    }
    return ALLOWED;
  };

  #decide(
    request: AccessRequest,
    { caller, policiesFor }: Standing,
    resource: string,
    factsOnce: () => CallFacts,
  ): AccessDecision {
    const { action, principal } = request;
    const resourcePolicies = this.#deps.resourcePolicyOf(action, resource);
    const all: Policies = { ...policiesFor(action, resource), resource: resourcePolicies };
    const contextFor = (wanted?: readonly string[]): Context =>
      withResource(callKeys(factsOnce(), wanted), resource, request.conditionsOf(resource));
    const wanted = contextKeysOf(all);
    const context = wanted.length > 0 ? contextFor(wanted) : NO_CONTEXT;
    const asked = { caller, action, resource, context };
    const isNode = principal.kind === "node";
    const decision = evaluate(
      // The role of machines is the one that reaches into other accounts, as far as `mayNode` lets it.
      isNode ? { ...asked, resourceAccountId: principal.accountId } : asked,
      isNode && !this.#deps.mayNode(principal, action, resource) ? NO_POLICIES : all,
    );
    if (decision.outcome === "allowed") return ALLOWED;
    return denialOf({ ...asked, context: contextFor() }, decision, principal.userId) ?? ALLOWED;
  }

  #standingOf(principal: Principal, caller: Caller): Standing {
    const found = isBuiltIn(principal.kind)
      ? this.#builtIn[principal.kind]
      : this.#deps.policiesOf(principal);
    if (found === undefined) return { caller, policiesFor: () => NO_POLICIES, tags: NO_TAGS };
    const session = this.#sessionPolicies(principal);
    const policiesFor: Standing["policiesFor"] = (action, resource) => {
      const { identity, boundary } = this.#narrowed.of(found, action, resource);
      return { identity, boundary, session };
    };
    return { caller, policiesFor, tags: found.tags };
  }

  #sessionPolicies({ session }: Principal): readonly AttachedPolicy[] | undefined {
    const { policies, policyArns } = session ?? {};
    if (policies === undefined && policyArns === undefined) return undefined;
    const { cache, compiled } = this.#deps;
    return [
      ...(policies ?? []).map((document) => ({
        id: "session",
        policy: compiled.compile(document, "inline"),
      })),
      ...(policyArns ?? []).flatMap((arn) => {
        // One that has been deleted since allows nothing.
        const managed = findManagedPolicy(cache, arn);
        if (managed === undefined) return [];
        return [{ id: managed.name, policy: compiled.compile(managed.document, "managed") }];
      }),
    ];
  }
}

function isBuiltIn(kind: PrincipalKind): kind is BuiltInRole {
  return kind === "node" || kind === "join";
}

const NO_POLICIES: Omit<Policies, "resource"> = { identity: [] };

/** The keys that the policies ask for, in lower case: making them all costs more than evaluating most policies. */
function contextKeysOf({ identity, boundary, session, resource }: Policies): readonly string[] {
  const keys: string[] = [];
  for (const list of [identity, boundary, session, resource?.policies]) {
    for (const { policy } of list ?? []) {
      for (const key of policy.contextKeys) keys.push(key.toLowerCase());
    }
  }
  return keys;
}

function isOwn(arn: string, accountId: string): boolean {
  const owner = arn.split(":", 5)[4] ?? "";
  return owner === accountId || !/^\d{12}$/.test(owner);
}

/** STS: a session of a user or of root, made without MFA, calls nothing of IAM, and of STS only what follows. */
function isBeyondSession({ principal: { kind, session }, action }: AccessRequest): boolean {
  if (session === undefined || (kind !== "user" && kind !== "root")) return false;
  return action.startsWith("iam:")
    ? action !== "iam:PassRole"
    : action.startsWith("sts:") && !SESSION_STS_ACTIONS.has(action);
}

const SESSION_STS_ACTIONS: ReadonlySet<string> = new Set([
  "sts:AssumeRole",
  "sts:SetSourceIdentity",
  "sts:TagSession",
]);

/** What no policy could allow. */
function refused({ principal, action, resources }: AccessRequest): AccessDecision {
  return {
    allowed: false,
    message: `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resources[0] ?? "*"}`,
    details: () => JSON.stringify({ allowed: false, explicitDeny: false }),
  };
}
