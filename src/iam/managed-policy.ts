import type { Cache } from "../store/cache.ts";
import type { StoreRecord } from "../store/store.ts";
import { findAwsPolicy } from "./aws-policies/table.ts";
import { parseIamArn } from "./model/arns.ts";
import { policyKey } from "./model/keys.ts";
import { defaultDocument, type ManagedPolicy } from "./model/records.ts";

/** What a managed policy says now. */
export interface ManagedDocument {
  readonly name: string;
  readonly document: string;
  /** Where it was read; AWS's own policies are no records. */
  readonly record: StoreRecord | undefined;
}

/** The managed policy of that ARN, of AWS or of an account. */
export function findManagedPolicy(cache: Cache, arn: string): ManagedDocument | undefined {
  const awsPolicy = findAwsPolicy(arn);
  if (awsPolicy !== undefined) {
    return { name: awsPolicy.name, document: awsPolicy.document, record: undefined };
  }
  const parsed = parseIamArn(arn);
  if (parsed?.type !== "policy") return undefined;
  const record = cache.get(policyKey(parsed.accountId, parsed.name));
  if (record === undefined) return undefined;
  const policy = record.value as ManagedPolicy;
  return { name: policy.policyName, document: defaultDocument(policy), record };
}
