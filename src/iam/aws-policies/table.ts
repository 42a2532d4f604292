import { createHash } from "node:crypto";
import { AWS_ACCOUNT, iamArn } from "../model/arns.ts";
import { formatUniqueId } from "../model/ids.ts";
import { DISCOVERY_POLICIES } from "./discovery.ts";
import { ECS_POLICIES } from "./ecs.ts";
import { NETWORK_POLICIES } from "./network.ts";
import { OBSERVABILITY_POLICIES } from "./observability.ts";
import { PEOPLE_POLICIES } from "./people.ts";
import type { AwsPolicySource } from "./policy.ts";
import { RESOURCE_POLICIES } from "./resources.ts";
import { SERVICE_LINKED_POLICIES } from "./service-linked.ts";

/** A managed policy of AWS: everyone may attach it, nobody may change it. */
export interface AwsPolicy {
  readonly arn: string;
  readonly name: string;
  readonly path: string;
  readonly description: string;
  /** `ANPA…`: made from the name, since AWS's own are not known for all. */
  readonly policyId: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  /** The text of its only version, `v1`. */
  readonly document: string;
}

/** The day from which their texts here are. */
const CREATED_AT = Date.UTC(2025, 0, 1);

const POLICIES: ReadonlyMap<string, AwsPolicy> = new Map(
  [
    ...DISCOVERY_POLICIES,
    ...ECS_POLICIES,
    ...NETWORK_POLICIES,
    ...OBSERVABILITY_POLICIES,
    ...PEOPLE_POLICIES,
    ...RESOURCE_POLICIES,
    ...SERVICE_LINKED_POLICIES,
  ]
    .map(build)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((policy) => [policy.arn, policy]),
);

/** The policy of that ARN, if it is one of AWS's that are here. */
export function findAwsPolicy(arn: string): AwsPolicy | undefined {
  return POLICIES.get(arn);
}

/** All of them, in order of name. */
export function listAwsPolicies(): readonly AwsPolicy[] {
  return [...POLICIES.values()];
}

function build({ name, path, description, statements }: AwsPolicySource): AwsPolicy {
  return {
    arn: iamArn(AWS_ACCOUNT, "policy", path, name),
    name,
    path,
    description,
    policyId: formatUniqueId("policy", createHash("sha256").update(name).digest()),
    createdAt: CREATED_AT,
    document: JSON.stringify({ Version: "2012-10-17", Statement: statements }, undefined, 4),
  };
}
