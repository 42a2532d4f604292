import type {
  DeleteRetentionPolicyRequest,
  PutRetentionPolicyRequest,
} from "@aws-sdk/client-cloudwatch-logs";
import type { Call } from "../door/service.ts";
import type { LogsDeps } from "./deps.ts";
import { RETENTION_DAYS } from "./model.ts";
import { changeGroup, scopeOf } from "./records.ts";
import { checkGroupName, constraintViolation } from "./validate.ts";

/** Sets after how many days events expire. Throws ResourceNotFoundException, InvalidParameterException. */
export async function putRetentionPolicy(
  deps: LogsDeps,
  input: PutRetentionPolicyRequest,
  call: Call,
): Promise<Record<never, never>> {
  const name = checkGroupName(input.logGroupName);
  const { retentionInDays } = input;
  if (retentionInDays === undefined || !RETENTION_DAYS.includes(retentionInDays)) {
    const rule = `Member must satisfy enum value set: [${RETENTION_DAYS.join(", ")}]`;
    throw constraintViolation(retentionInDays, "retentionInDays", rule);
  }
  await changeGroup(deps, scopeOf(call), name, (group) => ({ ...group, retentionInDays }));
  return {};
}

/** Lets events live for ever. Throws ResourceNotFoundException. */
export async function deleteRetentionPolicy(
  deps: LogsDeps,
  input: DeleteRetentionPolicyRequest,
  call: Call,
): Promise<Record<never, never>> {
  const name = checkGroupName(input.logGroupName);
  await changeGroup(deps, scopeOf(call), name, ({ retentionInDays: _, ...group }) => group);
  return {};
}
