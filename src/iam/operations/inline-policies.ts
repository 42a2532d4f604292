import type { Call } from "../../door/service.ts";
import type { IamDeps } from "../deps.ts";
import { INLINE_POLICIES_SIZE_MAX } from "../limits.ts";
import type { InlinePolicy, PolicyHolder } from "../model/records.ts";
import { policySizeOf } from "../policy/parse-policy.ts";
import { checkDocument, encodeDocument } from "./documents.ts";
import { limitExceeded, noSuchEntity } from "./errors.ts";
import { find, findModifiable, type HolderType } from "./holders.ts";
import { byName, type PageInput, pageOf } from "./pages.ts";
import { update } from "./transact.ts";
import { checkName } from "./validate.ts";

/** The policies embedded in users, groups and roles. */

/** Makes the policy, or puts another document in its place. Throws NoSuchEntity, MalformedPolicyDocument, LimitExceeded, UnmodifiableEntity. */
export async function putInlinePolicy<T extends PolicyHolder>(
  deps: IamDeps,
  type: HolderType<T>,
  input: { name: string | undefined; policyName: string | undefined; document: string | undefined },
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const policyName = checkName(input.policyName, "policyName");
  const document = checkDocument(input.document, "inline");
  await update(
    deps,
    () => findModifiable(deps, type, accountId, input.name),
    (holder) => {
      const others = holder.inlinePolicies.filter((each) => each.policyName !== policyName);
      const inlinePolicies = [...others, { policyName, document }].sort((a, b) =>
        a.policyName < b.policyName ? -1 : 1,
      );
      checkSize(type, holder, inlinePolicies);
      return { ...holder, inlinePolicies };
    },
  );
  return {};
}

function checkSize<T extends PolicyHolder>(
  type: HolderType<T>,
  holder: T,
  policies: readonly InlinePolicy[],
): void {
  const max = INLINE_POLICIES_SIZE_MAX[type.name];
  const size = policies.reduce((sum, { document }) => sum + policySizeOf(document), 0);
  if (size <= max) return;
  throw limitExceeded(
    `Maximum policy size of ${max} bytes exceeded for ${type.name} ${type.nameOf(holder)}`,
  );
}

/** Throws NoSuchEntity. */
export function getInlinePolicy<T extends PolicyHolder>(
  deps: IamDeps,
  type: HolderType<T>,
  input: { name: string | undefined; policyName: string | undefined },
  { principal: { accountId } }: Call,
): { readonly holderName: string; readonly PolicyName: string; readonly PolicyDocument: string } {
  const policyName = checkName(input.policyName, "policyName");
  const { value: holder } = find(deps, type, accountId, input.name);
  const policy = holder.inlinePolicies.find((each) => each.policyName === policyName);
  if (policy === undefined) throw notFound(type, policyName);
  return {
    holderName: type.nameOf(holder),
    PolicyName: policyName,
    PolicyDocument: encodeDocument(policy.document),
  };
}

/** Throws NoSuchEntity, UnmodifiableEntity. */
export async function deleteInlinePolicy<T extends PolicyHolder>(
  deps: IamDeps,
  type: HolderType<T>,
  input: { name: string | undefined; policyName: string | undefined },
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const policyName = checkName(input.policyName, "policyName");
  await update(
    deps,
    () => findModifiable(deps, type, accountId, input.name),
    (holder) => {
      const inlinePolicies = holder.inlinePolicies.filter((each) => each.policyName !== policyName);
      if (inlinePolicies.length === holder.inlinePolicies.length) throw notFound(type, policyName);
      return { ...holder, inlinePolicies };
    },
  );
  return {};
}

/** Names, in order. Throws NoSuchEntity. */
export async function listInlinePolicies<T extends PolicyHolder>(
  deps: IamDeps,
  type: HolderType<T>,
  input: PageInput & { readonly name: string | undefined },
  { principal: { accountId } }: Call,
): Promise<{ PolicyNames: string[]; IsTruncated: boolean; Marker?: string }> {
  const { inlinePolicies } = find(deps, type, accountId, input.name).value;
  const names = inlinePolicies.map(({ policyName }) => policyName);
  // Inline policies differ by case too.
  const { items, position } = pageOf(names, input, (name) => `${byName(name)} ${name}`);
  return { PolicyNames: [...items], ...position };
}

function notFound<T extends PolicyHolder>({ name }: HolderType<T>, policyName: string): Error {
  return noSuchEntity(`The ${name} policy with name ${policyName} cannot be found.`);
}
