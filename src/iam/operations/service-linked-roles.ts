import type {
  CreateServiceLinkedRoleRequest,
  CreateServiceLinkedRoleResponse,
  DeleteServiceLinkedRoleRequest,
  DeleteServiceLinkedRoleResponse,
  GetServiceLinkedRoleDeletionStatusRequest,
  GetServiceLinkedRoleDeletionStatusResponse,
} from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import { ApiError } from "../../lib/errors.ts";
import type { IamDeps } from "../deps.ts";
import { ROLE_DELETION_KEPT_MS, ROLE_DELETIONS_DROPPED_MAX } from "../limits.ts";
import { AWS_ACCOUNT, iamArn } from "../model/arns.ts";
import { lastUsedKey, roleDeletionKey, roleDeletionsPrefix, roleKey } from "../model/keys.ts";
import type { Role, RoleDeletion } from "../model/records.ts";
import {
  findServiceLinkedRole,
  type RoleUsage,
  type ServiceLinkedRole,
} from "../model/service-linked-roles.ts";
import { invalidInput, noSuchEntity } from "./errors.ts";
import { find, isServiceLinked, ROLE } from "./holders.ts";
import { insertRole, presentRole } from "./roles.ts";
import { transact } from "./transact.ts";
import { newUniqueId } from "./unique-id.ts";
import { checkDescription, checkLength, checkName } from "./validate.ts";

/** Roles that belong to a service: only it assumes them, and they go when it has nothing left that needs them. */

/** What in an account still needs the role of a service. */
export type UsageOf = (accountId: string, serviceName: string) => readonly RoleUsage[];

/** Throws InvalidInput for services that have no such role, and when it is there already. */
export async function createServiceLinkedRole(
  deps: IamDeps,
  input: CreateServiceLinkedRoleRequest,
  { principal: { accountId } }: Call,
): Promise<CreateServiceLinkedRoleResponse> {
  const serviceName = checkLength(input.AWSServiceName ?? "", "aWSServiceName", 1, 128);
  const known = findServiceLinkedRole(serviceName);
  if (known === undefined) {
    throw invalidInput(`Service linked roles are not supported for ${serviceName}`);
  }
  const { CustomSuffix: suffix } = input;
  if (suffix !== undefined && !known.takesSuffix) {
    throw invalidInput(`Custom suffix is not allowed for ${serviceName}`);
  }
  const ending = suffix === undefined ? "" : `_${checkName(suffix, "customSuffix", 64)}`;
  const description = checkDescription(input.Description ?? known.description);
  const roleName = `${known.roleName}${ending}`;
  const role = buildRole(deps, { accountId, serviceName, known, roleName, description });
  try {
    await insertRole(deps, role);
  } catch (error) {
    if (!isTaken(error)) throw error;
    throw invalidInput(
      `Service role name ${roleName} has been taken in this account, please try a different suffix.`,
    );
  }
  return { Role: presentRole(deps, role) };
}

/** What other services call when they first need their role. */
export async function ensureServiceLinkedRole(
  deps: IamDeps,
  accountId: string,
  serviceName: string,
): Promise<void> {
  const known = findServiceLinkedRole(serviceName);
  if (known === undefined) return;
  const { roleName, description } = known;
  if (deps.cache.get(roleKey(accountId, roleName)) !== undefined) return;
  const role = buildRole(deps, { accountId, serviceName, known, roleName, description });
  try {
    await insertRole(deps, role);
  } catch (error) {
    // Another server was faster.
    if (!isTaken(error)) throw error;
  }
}

/** The role goes at once, or stays because it is needed: the task's status says which. Throws NoSuchEntity. */
export async function deleteServiceLinkedRole(
  deps: IamDeps & { readonly usageOf: UsageOf },
  input: DeleteServiceLinkedRoleRequest,
  { principal: { accountId } }: Call,
): Promise<DeleteServiceLinkedRoleResponse> {
  const id = deps.random.uuid();
  return transact(deps, () => {
    const { record, value: role } = find(deps, ROLE, accountId, input.RoleName);
    if (!isServiceLinked(role)) {
      throw noSuchEntity(`The role with name ${role.roleName} is not a service-linked role.`);
    }
    const serviceName = role.path.split("/")[2] ?? "";
    const usage = deps.usageOf(accountId, serviceName);
    const taskId = `task${role.path}${role.roleName}/${id}`;
    const endedAt = deps.clock.now();
    const deletion: RoleDeletion =
      usage.length === 0
        ? { accountId, taskId, status: "SUCCEEDED", endedAt }
        : {
            accountId,
            taskId,
            status: "FAILED",
            reason: `The service-linked role ${role.roleName} is used by resources of ${serviceName}. Delete them first.`,
            usage,
            endedAt,
          };
    const gone = usage.length === 0 ? [record.key, lastUsedKey(role.roleId)] : [];
    return {
      compare: [record],
      write: [
        ...[...gone, ...forgotten(deps, accountId)].map((key) => ({ key, value: undefined })),
        { key: roleDeletionKey(accountId, taskId), value: deletion },
      ],
      result: { DeletionTaskId: taskId },
    };
  });
}

/** Throws NoSuchEntity for tasks that are not known any more. */
export async function getDeletionStatus(
  { cache }: IamDeps,
  input: GetServiceLinkedRoleDeletionStatusRequest,
  { principal: { accountId } }: Call,
): Promise<GetServiceLinkedRoleDeletionStatusResponse> {
  const taskId = checkLength(input.DeletionTaskId ?? "", "deletionTaskId", 1, 1000);
  const record = cache.get(roleDeletionKey(accountId, taskId));
  if (record === undefined) throw noSuchEntity(`Deletion task ${taskId} cannot be found.`);
  const { status, reason, usage = [] } = record.value as RoleDeletion;
  if (reason === undefined) return { Status: status };
  const list = usage.map(({ region, resources }) => ({
    Region: region,
    Resources: [...resources],
  }));
  return { Status: status, Reason: { Reason: reason, RoleUsageList: list } };
}

/** The oldest outcomes, which nobody will ask for any more. */
function forgotten({ cache, clock }: IamDeps, accountId: string): readonly string[] {
  const before = clock.now() - ROLE_DELETION_KEPT_MS;
  return cache
    .list(roleDeletionsPrefix(accountId))
    .filter(({ value }) => (value as RoleDeletion).endedAt < before)
    .slice(0, ROLE_DELETIONS_DROPPED_MAX)
    .map(({ key }) => key);
}

function buildRole(
  { random, clock }: IamDeps,
  {
    accountId,
    serviceName,
    known,
    roleName,
    description,
  }: {
    readonly accountId: string;
    readonly serviceName: string;
    readonly known: ServiceLinkedRole;
    readonly roleName: string;
    readonly description: string;
  },
): Role {
  return {
    accountId,
    roleName,
    roleId: newUniqueId(random, "role"),
    path: `/aws-service-role/${serviceName}/`,
    trustPolicy: JSON.stringify({
      Version: "2012-10-17",
      Statement: [
        { Effect: "Allow", Principal: { Service: serviceName }, Action: "sts:AssumeRole" },
      ],
    }),
    description,
    maxSessionDurationSeconds: 3_600,
    inlinePolicies: [],
    attachedPolicyArns: [iamArn(AWS_ACCOUNT, "policy", "/aws-service-role/", known.policyName)],
    tags: {},
    createdAt: clock.now(),
  };
}

function isTaken(error: unknown): boolean {
  return error instanceof ApiError && error.code === "EntityAlreadyExistsException";
}
