import type {
  CreateRoleRequest,
  CreateRoleResponse,
  DeleteRoleRequest,
  GetRoleRequest,
  GetRoleResponse,
  ListRolesRequest,
  ListRolesResponse,
  Role as RoleOutput,
  UpdateAssumeRolePolicyRequest,
  UpdateRoleDescriptionRequest,
  UpdateRoleDescriptionResponse,
  UpdateRoleRequest,
} from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import type { IamDeps } from "../deps.ts";
import type { LastUses } from "../last-uses.ts";
import { PER_ACCOUNT_MAX } from "../limits.ts";
import { roleArn } from "../model/arns.ts";
import { lastUsedKey, roleKey, rolesPrefix } from "../model/keys.ts";
import type { Role } from "../model/records.ts";
import { boundaryMember } from "./boundaries.ts";
import { encodeDocument } from "./documents.ts";
import { alreadyExists, deleteConflict, invalidInput, quotaExceeded } from "./errors.ts";
import { find, findAttachable, findModifiable, isServiceLinked, ROLE } from "./holders.ts";
import { byName, pageOf } from "./pages.ts";
import { checkTags, tagsMember } from "./tags.ts";
import { create, transact, update } from "./transact.ts";
import { checkTrustPolicy, showTrustPolicy } from "./trust-policies.ts";
import { newUniqueId } from "./unique-id.ts";
import {
  checkArn,
  checkDescription,
  checkName,
  checkNumber,
  checkPath,
  checkPathPrefix,
} from "./validate.ts";

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html */
const ROLE_NAME_LENGTH_MAX = 64;
const SESSION_SECONDS = { min: 3_600, max: 43_200, byDefault: 3_600 };

/** Throws EntityAlreadyExists, LimitExceeded, MalformedPolicyDocument, NoSuchEntity for the boundary, InvalidInput. */
export async function createRole(
  deps: IamDeps,
  input: CreateRoleRequest,
  { principal: { accountId } }: Call,
): Promise<CreateRoleResponse> {
  const roleName = checkName(input.RoleName, "roleName", ROLE_NAME_LENGTH_MAX);
  const boundary =
    input.PermissionsBoundary && checkArn(input.PermissionsBoundary, "permissionsBoundary");
  const path = checkPath(input.Path);
  if (path.startsWith("/aws-service-role/")) {
    throw invalidInput(`Roles of the path ${path} are made by CreateServiceLinkedRole.`);
  }
  const role: Role = {
    accountId,
    roleName,
    roleId: newUniqueId(deps.random, "role"),
    path,
    trustPolicy: checkTrustPolicy(deps.cache, input.AssumeRolePolicyDocument),
    description: checkDescription(input.Description),
    maxSessionDurationSeconds: checkDuration(input.MaxSessionDuration),
    ...(boundary && { permissionsBoundary: boundary }),
    inlinePolicies: [],
    attachedPolicyArns: [],
    tags: checkTags(input.Tags),
    createdAt: deps.clock.now(),
  };
  await insertRole(deps, role, boundary);
  return { Role: presentRole(deps, role) };
}

/** Stores a new role. Throws EntityAlreadyExists, LimitExceeded, NoSuchEntity for the boundary. */
export function insertRole(deps: IamDeps, role: Role, boundary?: string): Promise<Role> {
  const { accountId, roleName } = role;
  const exists = () => alreadyExists(`Role with name ${roleName} already exists.`);
  return create(deps, roleKey(accountId, roleName), exists, () => {
    const max = PER_ACCOUNT_MAX.RolesPerAccount;
    if (deps.cache.list(rolesPrefix(accountId)).length >= max) {
      throw quotaExceeded("RolesPerAccount", max);
    }
    const policy = boundary && findAttachable(deps, accountId, boundary).record;
    return { value: role, also: policy ? [policy] : [] };
  });
}

/** Throws NoSuchEntity. */
export async function getRole(
  deps: IamDeps & { readonly lastUses: LastUses },
  input: GetRoleRequest,
  { principal: { accountId } }: Call,
): Promise<GetRoleResponse> {
  const { value: role } = find(deps, ROLE, accountId, input.RoleName);
  return { Role: { ...presentRole(deps, role), ...lastUsedMember(deps, role) } };
}

/** In order of name. */
export async function listRoles(
  deps: IamDeps,
  input: ListRolesRequest,
  { principal: { accountId } }: Call,
): Promise<ListRolesResponse> {
  const prefix = checkPathPrefix(input.PathPrefix);
  const roles = deps.cache
    .list(rolesPrefix(accountId))
    .map(({ value }) => value as Role)
    .filter(({ path }) => path.startsWith(prefix));
  const { items, position } = pageOf(roles, input, ({ roleName }) => byName(roleName));
  return { Roles: items.map((role) => presentRoleBriefly(deps, role)), ...position };
}

/** What is absent stays. Throws NoSuchEntity, UnmodifiableEntity for a service-linked role's duration. */
export async function updateRole(
  deps: IamDeps,
  input: UpdateRoleRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const { Description, MaxSessionDuration, RoleName } = input;
  const description = Description === undefined ? undefined : checkDescription(Description);
  const maxSessionDurationSeconds =
    MaxSessionDuration === undefined ? undefined : checkDuration(MaxSessionDuration);
  const look = maxSessionDurationSeconds === undefined ? find<Role> : findModifiable<Role>;
  await update(
    deps,
    () => look(deps, ROLE, accountId, RoleName),
    (role) => ({
      ...role,
      ...(description !== undefined && { description }),
      ...(maxSessionDurationSeconds !== undefined && { maxSessionDurationSeconds }),
    }),
  );
  return {};
}

/** Also of a service-linked role. Throws NoSuchEntity. */
export async function updateRoleDescription(
  deps: IamDeps,
  input: UpdateRoleDescriptionRequest,
  { principal: { accountId } }: Call,
): Promise<UpdateRoleDescriptionResponse> {
  const description = checkDescription(input.Description);
  const role = await update(
    deps,
    () => find(deps, ROLE, accountId, input.RoleName),
    (before) => ({ ...before, description }),
  );
  return { Role: presentRole(deps, role) };
}

/** Throws NoSuchEntity, MalformedPolicyDocument, LimitExceeded, UnmodifiableEntity. */
export async function updateAssumeRolePolicy(
  deps: IamDeps,
  input: UpdateAssumeRolePolicyRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  await update(
    deps,
    () => findModifiable(deps, ROLE, accountId, input.RoleName),
    (role) => ({ ...role, trustPolicy: checkTrustPolicy(deps.cache, input.PolicyDocument) }),
  );
  return {};
}

/** Its sessions have no rights from then on. Throws NoSuchEntity, DeleteConflict while it holds anything, UnmodifiableEntity. */
export async function deleteRole(
  deps: IamDeps,
  input: DeleteRoleRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  return transact(deps, () => {
    const { record, value } = findModifiable(deps, ROLE, accountId, input.RoleName);
    const profiles = deps.cache.lookup("iamProfilesByRole", `${accountId}/${value.roleName}`);
    const inTheWay = [
      [profiles.length, "must remove roles from instance profile first."],
      [value.attachedPolicyArns.length, "must detach all policies first."],
      [value.inlinePolicies.length, "must delete policies first."],
    ] as const;
    const [, hint] = inTheWay.find(([count]) => count > 0) ?? [];
    if (hint !== undefined) throw deleteConflict(`Cannot delete entity, ${hint}`);
    return {
      compare: [record],
      write: [record.key, lastUsedKey(value.roleId)].map((key) => ({ key, value: undefined })),
      result: {},
    };
  });
}

function checkDuration(seconds: number | undefined): number {
  return checkNumber(seconds, "maxSessionDuration", SESSION_SECONDS);
}

export function presentRole(deps: Pick<IamDeps, "cache">, role: Role): RoleOutput {
  return { ...presentRoleBriefly(deps, role), ...boundaryMember(role), ...tagsMember(role.tags) };
}

/** As listings and instance profiles show it. */
export function presentRoleBriefly({ cache }: Pick<IamDeps, "cache">, role: Role): RoleOutput {
  return {
    Path: role.path,
    RoleName: role.roleName,
    RoleId: role.roleId,
    Arn: roleArn(role),
    CreateDate: new Date(role.createdAt),
    AssumeRolePolicyDocument: encodeDocument(showTrustPolicy(cache, role.trustPolicy)),
    ...(role.description !== "" && { Description: role.description }),
    // AWS tells none of a service-linked role: its sessions are the service's own matter.
    ...(!isServiceLinked(role) && { MaxSessionDuration: role.maxSessionDurationSeconds }),
  };
}

/** Empty when the role was never used, as AWS has it. */
export function lastUsedMember(
  { lastUses }: { readonly lastUses: LastUses },
  role: Role,
): Pick<RoleOutput, "RoleLastUsed"> {
  const last = lastUses.ofRole(role);
  return { RoleLastUsed: last ? { LastUsedDate: new Date(last.at), Region: last.region } : {} };
}
