/** The roles that callers hand to tasks: whether they can be ones, and whether ECS may act in them. */
import type { PassedRole } from "../../door/service.ts";
import { parseIamArn } from "../../iam/model/arns.ts";
import { ApiError } from "../../lib/errors.ts";
import type { EcsDeps } from "../control/deps.ts";
import { clusterArn } from "../model/arn.ts";
import { TASKS_SERVICE } from "../model/names.ts";
import type { TaskSpec } from "../model/new-task.ts";
import { effectiveRoles, type NamedRoles, roleArnOf } from "../model/role-names.ts";
import { roleFault } from "../model/stop-reason.ts";
import { clientFault } from "./invalid.ts";

/** Throws ClientException for what can be no role, AccessDeniedException for another account's. */
export function checkRoleNames(accountId: string, named: NamedRoles): void {
  for (const text of [named.taskRoleArn, named.executionRoleArn]) {
    if (!text) continue;
    const arn = roleArnOf(accountId, text);
    if (arn === undefined) throw clientFault(`Role is not valid: ${text.slice(0, 200)}`);
    if (parseIamArn(arn)?.accountId === accountId) continue;
    throw new ApiError("AccessDeniedException", "Cross-account pass role is not allowed.");
  }
}

/** For authorisation: the roles that a call hands over. */
export function passedTaskRoles(
  accountId: string,
  document: NamedRoles,
  overrides: NamedRoles = {},
): readonly PassedRole[] {
  const { taskRoleArn, executionRoleArn } = effectiveRoles(accountId, document, overrides);
  return [taskRoleArn, executionRoleArn].flatMap((roleArn) =>
    roleArn ? [{ roleArn, service: TASKS_SERVICE }] : [],
  );
}

/** Throws ClientException, as ECS does, when it cannot act in a role of a task that is to start. */
export function requireTaskRoles({ serviceTrust }: EcsDeps, spec: TaskSpec): void {
  const { accountId, region, clusterName, overrides } = spec;
  const sourceArn = clusterArn(spec, clusterName);
  for (const passed of passedTaskRoles(accountId, spec.definition.document, overrides)) {
    if (serviceTrust({ ...passed, accountId, region, sourceArn }) !== undefined) continue;
    throw clientFault(roleFault(passed.roleArn));
  }
}
