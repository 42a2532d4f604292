import type {
  DeleteRetentionPolicyRequest,
  PutRetentionPolicyRequest,
} from "@aws-sdk/client-cloudwatch-logs";
import type { Call } from "../door/service.ts";
import type { LogsDeps } from "./deps.ts";
import { type LogGroup, RETENTION_DAYS } from "./model.ts";
import { getGroup, scopeOf, transact } from "./records.ts";
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
  await changeGroup(deps, call, name, (group) => ({ ...group, retentionInDays }));
  return {};
}

/** Lets events live for ever. Throws ResourceNotFoundException. */
export async function deleteRetentionPolicy(
  deps: LogsDeps,
  input: DeleteRetentionPolicyRequest,
  call: Call,
): Promise<Record<never, never>> {
  const name = checkGroupName(input.logGroupName);
  await changeGroup(deps, call, name, ({ retentionInDays: _, ...group }) => group);
  return {};
}

async function changeGroup(
  deps: LogsDeps,
  call: Call,
  name: string,
  change: (group: LogGroup) => LogGroup,
): Promise<void> {
  await transact(deps, () => {
    const { record, value } = getGroup(deps, scopeOf(call), name);
    return { compare: record, write: { key: record.key, value: change(value) } };
  });
}
