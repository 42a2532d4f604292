import type { Authorize, FindIdentity } from "../door/authorize.ts";
import type { Clock } from "../lib/clock.ts";
import type { Cache } from "../store/cache.ts";
import { type AuthorizeDeps, createAuthorize } from "./authorize.ts";
import { CompiledPolicies } from "./compiled-policies.ts";
import { createFindIdentity, type IdentityDeps } from "./identities.ts";
import { findManagedPolicy } from "./managed-policy.ts";
import { AWS_ACCOUNT, parseIamArn } from "./model/arns.ts";
import type { ServiceTrust, WebIdentityTrust } from "./model/trust.ts";
import { createPoliciesOf, type PoliciesOf } from "./policies-of.ts";
import { createServiceTrust, createTrustPolicyOf, createWebIdentityTrust } from "./trust.ts";

export interface AccessDeps {
  /** With the indexes of `indexes.ts`. */
  readonly cache: Cache;
  readonly clock: Clock;
  readonly sessions: IdentityDeps["sessions"];
  readonly mayNode: AuthorizeDeps["mayNode"];
}

/** Who calls and what they may: all that the door and other services ask of IAM. */
export interface Access {
  readonly findIdentity: FindIdentity;
  readonly authorize: Authorize;
  readonly serviceTrust: ServiceTrust;
  readonly webIdentityTrust: WebIdentityTrust;
  readonly policiesOf: PoliciesOf;
  /** Whether an account can use the managed policy of that ARN: one of its own, or of AWS. */
  readonly canUsePolicy: (accountId: string, arn: string) => boolean;
}

/** Puts IAM's decisions together, over one cache of compiled policies. */
export function createAccess(deps: AccessDeps): Access {
  const compiled = new CompiledPolicies();
  const policiesOf = createPoliciesOf(deps.cache, compiled);
  const resourcePolicyOf = createTrustPolicyOf({ ...deps, compiled });
  return {
    findIdentity: createFindIdentity(deps),
    authorize: createAuthorize({ ...deps, compiled, policiesOf, resourcePolicyOf }),
    serviceTrust: createServiceTrust({ ...deps, compiled }),
    webIdentityTrust: createWebIdentityTrust({ ...deps, compiled }),
    policiesOf,
    canUsePolicy: (accountId, arn) =>
      [accountId, AWS_ACCOUNT].includes(parseIamArn(arn)?.accountId ?? "") &&
      findManagedPolicy(deps.cache, arn) !== undefined,
  };
}
