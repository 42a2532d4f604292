import { AWS_ACCOUNT, iamArn, parseIamArn } from "../model/arns.ts";
import { ECS_POLICIES } from "./ecs.ts";
import type { AwsPolicySource } from "./policy.ts";
import type { StatementJson } from "./statements.ts";

/** A managed policy of AWS: everyone may attach it, nobody may change it. */
export interface AwsPolicy {
  readonly arn: string;
  readonly name: string;
  readonly path: string;
  readonly description: string;
  /** The text of its only version, `v1`. */
  readonly document: string;
}

const SOURCES: ReadonlyMap<string, AwsPolicySource> = new Map(
  [...ECS_POLICIES].map((source) => [source.name, source]),
);

/** The policy of that ARN, if it is one of AWS's that are here. */
export function findAwsPolicy(arn: string): AwsPolicy | undefined {
  const parsed = parseIamArn(arn);
  if (parsed?.accountId !== AWS_ACCOUNT || parsed.type !== "policy") return undefined;
  const source = SOURCES.get(parsed.name);
  return source?.path === parsed.path ? present(source) : undefined;
}

/** All of them, in order of name. */
export function listAwsPolicies(): readonly AwsPolicy[] {
  return [...SOURCES.values()].map(present).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function present({ name, path, description, statements }: AwsPolicySource): AwsPolicy {
  return {
    arn: iamArn(AWS_ACCOUNT, "policy", path, name),
    name,
    path,
    description,
    document: format(statements),
  };
}

function format(statements: readonly StatementJson[]): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: statements }, undefined, 4);
}
