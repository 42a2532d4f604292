import { parseIamArn } from "../../iam/model/arns.ts";

/** The two roles that a task may have, as a task definition or the overrides of a task name them. */
export interface NamedRoles {
  readonly taskRoleArn?: string | undefined;
  readonly executionRoleArn?: string | undefined;
}

/** IAM: what a role's name is made of. */
const ROLE_NAME = /^[\w+=,.@-]{1,64}$/;

/** The ARN of a role that a caller names, by its ARN or its short name; undefined for what can be neither. */
export function roleArnOf(accountId: string, text: string): string | undefined {
  if (!text.startsWith("arn:")) {
    return ROLE_NAME.test(text) ? `arn:aws:iam::${accountId}:role/${text}` : undefined;
  }
  return parseIamArn(text)?.type === "role" ? text : undefined;
}

/** The ARNs of the roles that a task has: overrides win over the definition. */
export function effectiveRoles(
  accountId: string,
  document: NamedRoles,
  overrides: NamedRoles,
): NamedRoles {
  const named = (text: string | undefined): string | undefined =>
    text === undefined ? undefined : (roleArnOf(accountId, text) ?? text);
  return {
    taskRoleArn: named(overrides.taskRoleArn ?? document.taskRoleArn),
    executionRoleArn: named(overrides.executionRoleArn ?? document.executionRoleArn),
  };
}
