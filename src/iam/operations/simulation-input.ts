import type { ContextEntry, SimulateCustomPolicyRequest } from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import { parseIamArn } from "../model/arns.ts";
import type { Context } from "../policy/context.ts";
import type { AttachedPolicy, ResourcePolicies } from "../policy/evaluate.ts";
import { parsePolicy } from "../policy/parse-policy.ts";
import type { Caller } from "../policy/principals.ts";
import { invalidInput } from "./errors.ts";
import { checkDocumentLength } from "./validate.ts";

/** Reading what the two simulations have in common. All throw InvalidInput, naming the value. */

const ACTION = /^[a-z0-9-]+:[A-Za-z0-9]+$/;

export function readActions(names: readonly string[] | undefined): readonly string[] {
  if (names === undefined || names.length === 0) throw invalidInput("ActionNames cannot be empty.");
  for (const name of names) {
    if (!ACTION.test(name)) throw invalidInput(`Invalid action name: ${name.slice(0, 200)}`);
  }
  return names;
}

/** `*` when none are given. */
export function readResources(arns: readonly string[] = []): readonly string[] {
  for (const arn of arns) {
    const isArn = arn === "*" || /^arn:[^:]+:[^:]+:[^:]*:[^:]*:.+$/s.test(arn);
    if (!isArn) throw invalidInput(`Invalid Resource Arn Format: ${arn.slice(0, 200)}`);
  }
  return arns.length === 0 ? ["*"] : arns;
}

/** The policies of an input list, named `PolicyInputList.1`, …, as AWS does. */
export function readPolicies(
  list: readonly string[] | undefined,
  name: string,
): readonly AttachedPolicy[] {
  return (list ?? []).map((document, index) => {
    const id = `${name}.${index + 1}`;
    const result = parsePolicy(checkDocumentLength(document, name), "inline");
    if (!result.ok) throw invalidInput(`${id}: ${result.reason}`);
    return { id, policy: result.policy };
  });
}

export function readResourcePolicy(document: string | undefined): ResourcePolicies | undefined {
  if (document === undefined) return undefined;
  const result = parsePolicy(checkDocumentLength(document, "resourcePolicy"), "resource");
  if (!result.ok) throw invalidInput(`ResourcePolicy: ${result.reason}`);
  return { kind: "resource", policies: [{ id: "ResourcePolicy", policy: result.policy }] };
}

/** The account of `ResourceOwner`, which is an account or the ARN of one. */
export function readOwner(owner: string | undefined): string | undefined {
  if (owner === undefined) return undefined;
  const accountId = /^(?:arn:aws:iam::)?(\d{12})(?::root)?$/.exec(owner)?.[1];
  if (accountId !== undefined) return accountId;
  throw invalidInput(`Invalid ResourceOwner: ${owner.slice(0, 200)}`);
}

/** Who is taken for the caller. Of roles it is a session without a name. */
export function readCaller(arn: string | undefined, { principal }: Call): Caller {
  if (arn === undefined) return { kind: "root", accountId: principal.accountId };
  const parsed = parseIamArn(arn);
  const isRoot = /^arn:aws:iam::(\d{12}):root$/.exec(arn)?.[1];
  if (isRoot !== undefined) return { kind: "root", accountId: isRoot };
  if (parsed?.type === "user") return { kind: "user", accountId: parsed.accountId, arn };
  if (parsed?.type === "role") {
    return { kind: "role-session", accountId: parsed.accountId, arn, roleArn: arn };
  }
  throw invalidInput(`Invalid CallerArn: ${arn.slice(0, 200)}`);
}

/** The condition keys of an input, by name in lower case. */
export function readContext(entries: readonly ContextEntry[] = []): Context {
  const context: Record<string, string | readonly string[]> = Object.create(null);
  for (const {
    ContextKeyName: name = "",
    ContextKeyValues: values = [],
    ContextKeyType: type,
  } of entries) {
    if (name === "") throw invalidInput("ContextKeyName cannot be empty.");
    if (type === undefined) throw invalidInput(`The context key ${name} has no type.`);
    const [single, ...more] = values;
    if (type.endsWith("List")) context[name.toLowerCase()] = values;
    else if (single !== undefined && more.length === 0) context[name.toLowerCase()] = single;
    else throw invalidInput(`The context key ${name} of type ${type} must have exactly one value.`);
  }
  return context;
}

/** What a simulation here cannot take into account is refused, not overlooked. */
export function refuseUnknownInputs(
  input: Pick<SimulateCustomPolicyRequest, "OrderedOrganizationPolicyInputList"> & {
    readonly PolicyExclusionList?: readonly unknown[] | undefined;
  },
): void {
  if ((input.OrderedOrganizationPolicyInputList ?? []).length > 0) {
    throw invalidInput(
      "OrderedOrganizationPolicyInputList is not supported: there are no organizations.",
    );
  }
  if ((input.PolicyExclusionList ?? []).length > 0) {
    throw invalidInput("PolicyExclusionList is not supported.");
  }
}

/** The account that a caller's rights come from. */
export function accountIdOf(caller: Caller): string {
  return "accountId" in caller ? caller.accountId : "";
}
