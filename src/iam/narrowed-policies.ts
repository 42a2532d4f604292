import { NARROWED_MAX } from "./limits.ts";
import type { PrincipalPolicies } from "./policies-of.ts";
import type { AttachedPolicy } from "./policy/evaluate.ts";
import { narrowPolicy, readAction } from "./policy/policy.ts";

type Narrowed = Pick<PrincipalPolicies, "identity" | "boundary">;

/**
 * What of a principal's policies speaks of an action on a resource. Callers repeat themselves: of two hundred statements
 * some are left, and to find those again costs less than to look at all.
 */
export class NarrowedPolicies {
  readonly #known = new Map<string, Narrowed & { readonly of: PrincipalPolicies }>();

  /** Current as `policies` are: what was found is kept for those very ones. */
  of(policies: PrincipalPolicies, action: string, resource: string): Narrowed {
    const key = `${policies.arn} ${action} ${resource}`;
    const known = this.#known.get(key);
    if (known?.of === policies) return known;
    const requested = readAction(action);
    const narrow = (list: readonly AttachedPolicy[]): readonly AttachedPolicy[] =>
      list
        .map(({ id, policy }) => ({ id, policy: narrowPolicy(policy, requested, resource) }))
        .filter(({ policy }) => policy.statements.length > 0);
    const { identity, boundary } = policies;
    const narrowed = {
      of: policies,
      identity: narrow(identity),
      boundary: boundary && narrow(boundary),
    };
    this.#known.delete(key);
    const [oldest] = this.#known.keys();
    if (this.#known.size >= NARROWED_MAX && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, narrowed);
    return narrowed;
  }
}
