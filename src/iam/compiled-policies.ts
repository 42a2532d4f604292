import { assert } from "../lib/errors.ts";
import { COMPILED_POLICIES_MAX } from "./limits.ts";
import { parsePolicy } from "./policy/parse-policy.ts";
import type { Policy } from "./policy/policy.ts";

type Kind = Parameters<typeof parsePolicy>[1];

/** Compiles documents that were checked when they were put, each text once. */
export class CompiledPolicies {
  readonly #byText = new Map<string, Policy>();

  /**
   * Throws InvariantError for a document that is not valid: to leave it out would lift what it denies, so whoever
   * depends on it gets nothing done until it is mended.
   */
  compile(document: string, kind: Kind): Policy {
    const known = this.#byText.get(document);
    if (known !== undefined) return known;
    const result = parsePolicy(document, kind);
    assert(result.ok, `a stored policy document cannot be read: ${result.ok ? "" : result.reason}`);
    this.#forgetOldest();
    this.#byText.set(document, result.policy);
    return result.policy;
  }

  #forgetOldest(): void {
    if (this.#byText.size < COMPILED_POLICIES_MAX) return;
    const [oldest] = this.#byText.keys();
    if (oldest !== undefined) this.#byText.delete(oldest);
  }
}
