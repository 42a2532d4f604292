import type { AttachedPolicy } from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import { findAwsPolicy } from "../aws-policies/table.ts";
import type { IamDeps } from "../deps.ts";
import { ATTACHED_POLICIES_MAX } from "../limits.ts";
import { AWS_ACCOUNT, parseIamArn } from "../model/arns.ts";
import type { PolicyHolder } from "../model/records.ts";
import { quotaExceeded } from "./errors.ts";
import {
  find,
  findAttachable,
  findModifiable,
  type HolderType,
  policyNotFound,
} from "./holders.ts";
import { byName, type PageInput, pageOf } from "./pages.ts";
import { transact, unchanged, update } from "./transact.ts";
import { checkArn, checkPathPrefix } from "./validate.ts";

/** The managed policies attached to users, groups and roles. */

interface Attachment {
  readonly name: string | undefined;
  readonly arn: string | undefined;
}

/** Attached already: nothing to do. Throws NoSuchEntity, LimitExceeded, InvalidInput, UnmodifiableEntity. */
export async function attachPolicy<T extends PolicyHolder>(
  deps: IamDeps,
  type: HolderType<T>,
  input: Attachment,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const arn = checkArn(input.arn, "policyArn");
  return transact(deps, () => {
    const { record, value } = findModifiable(deps, type, accountId, input.name);
    const policy = findAttachable(deps, accountId, arn);
    if (value.attachedPolicyArns.includes(arn)) return { compare: [], write: [], result: {} };
    if (value.attachedPolicyArns.length >= ATTACHED_POLICIES_MAX) {
      throw quotaExceeded(type.quota, ATTACHED_POLICIES_MAX);
    }
    const attached: T = { ...value, attachedPolicyArns: [...value.attachedPolicyArns, arn] };
    return {
      compare: policy.record ? [record, policy.record] : [record],
      write: [
        { key: record.key, value: attached },
        ...(policy.record ? [unchanged(policy.record)] : []),
      ],
      result: {},
    };
  });
}

/** Throws NoSuchEntity, also when the policy is not attached; UnmodifiableEntity. */
export async function detachPolicy<T extends PolicyHolder>(
  deps: IamDeps,
  type: HolderType<T>,
  input: Attachment,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const arn = checkArn(input.arn, "policyArn");
  await update(
    deps,
    () => findModifiable(deps, type, accountId, input.name),
    (holder) => {
      if (!holder.attachedPolicyArns.includes(arn)) throw policyNotFound(arn);
      return {
        ...holder,
        attachedPolicyArns: holder.attachedPolicyArns.filter((each) => each !== arn),
      };
    },
  );
  return {};
}

/** Throws NoSuchEntity. */
export async function listAttachedPolicies<T extends PolicyHolder>(
  deps: IamDeps,
  type: HolderType<T>,
  input: PageInput & {
    readonly name: string | undefined;
    readonly PathPrefix?: string | undefined;
  },
  { principal: { accountId } }: Call,
): Promise<{ AttachedPolicies: AttachedPolicy[]; IsTruncated: boolean; Marker?: string }> {
  const prefix = checkPathPrefix(input.PathPrefix);
  const { attachedPolicyArns } = find(deps, type, accountId, input.name).value;
  const arns = attachedPolicyArns.filter((arn) => parseIamArn(arn)?.path.startsWith(prefix));
  const { items, position } = pageOf(arns, input, sortKeyOf);
  return { AttachedPolicies: items.map(presentAttached), ...position };
}

/** As answers name an attached policy. */
export function presentAttached(arn: string): AttachedPolicy {
  return { PolicyName: parseIamArn(arn)?.name ?? arn, PolicyArn: arn };
}

/** By name; AWS's policies may have the name of an own one. */
export function sortKeyOf(arn: string): string {
  return `${byName(parseIamArn(arn)?.name ?? "")} ${arn}`;
}

/** Whether a policy is AWS's, by its ARN. */
export function isAwsPolicy(arn: string): boolean {
  return parseIamArn(arn)?.accountId === AWS_ACCOUNT && findAwsPolicy(arn) !== undefined;
}
