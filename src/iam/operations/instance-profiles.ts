import type {
  AddRoleToInstanceProfileRequest,
  CreateInstanceProfileRequest,
  CreateInstanceProfileResponse,
  DeleteInstanceProfileRequest,
  GetInstanceProfileRequest,
  GetInstanceProfileResponse,
  InstanceProfile as InstanceProfileOutput,
  ListInstanceProfilesForRoleRequest,
  ListInstanceProfilesForRoleResponse,
  ListInstanceProfilesRequest,
  ListInstanceProfilesResponse,
  RemoveRoleFromInstanceProfileRequest,
} from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import type { IamDeps } from "../deps.ts";
import { PER_ACCOUNT_MAX, ROLES_PER_INSTANCE_PROFILE_MAX } from "../limits.ts";
import { instanceProfileArn } from "../model/arns.ts";
import { instanceProfileKey, instanceProfilesPrefix, roleKey } from "../model/keys.ts";
import type { InstanceProfile, Role } from "../model/records.ts";
import { alreadyExists, deleteConflict, noSuchEntity, quotaExceeded } from "./errors.ts";
import { find, findModifiable, ROLE } from "./holders.ts";
import { byName, pageOf } from "./pages.ts";
import { presentRoleBriefly } from "./roles.ts";
import { checkTags, tagsMember } from "./tags.ts";
import { create, type Found, transact, unchanged, update } from "./transact.ts";
import { newUniqueId } from "./unique-id.ts";
import { checkName, checkPath, checkPathPrefix } from "./validate.ts";

/** Instance profiles: how a role is handed to a machine. */

/** Throws EntityAlreadyExists, LimitExceeded, InvalidInput. */
export async function createInstanceProfile(
  deps: IamDeps,
  input: CreateInstanceProfileRequest,
  { principal: { accountId } }: Call,
): Promise<CreateInstanceProfileResponse> {
  const instanceProfileName = checkName(input.InstanceProfileName, "instanceProfileName");
  const profile: InstanceProfile = {
    accountId,
    instanceProfileName,
    instanceProfileId: newUniqueId(deps.random, "instance-profile"),
    path: checkPath(input.Path),
    roleNames: [],
    tags: checkTags(input.Tags),
    createdAt: deps.clock.now(),
  };
  const exists = () => alreadyExists(`Instance Profile ${instanceProfileName} already exists.`);
  await create(deps, instanceProfileKey(accountId, instanceProfileName), exists, () => {
    const max = PER_ACCOUNT_MAX.InstanceProfilesPerAccount;
    if (deps.cache.list(instanceProfilesPrefix(accountId)).length >= max) {
      throw quotaExceeded("InstanceProfilesPerAccount", max);
    }
    return { value: profile };
  });
  return { InstanceProfile: { ...presentProfile(deps, profile), ...tagsMember(profile.tags) } };
}

/** Throws NoSuchEntity. */
export async function getInstanceProfile(
  deps: IamDeps,
  input: GetInstanceProfileRequest,
  { principal: { accountId } }: Call,
): Promise<GetInstanceProfileResponse> {
  const { value: profile } = findProfile(deps, accountId, input.InstanceProfileName);
  return { InstanceProfile: { ...presentProfile(deps, profile), ...tagsMember(profile.tags) } };
}

/** In order of name. */
export async function listInstanceProfiles(
  deps: IamDeps,
  input: ListInstanceProfilesRequest,
  { principal: { accountId } }: Call,
): Promise<ListInstanceProfilesResponse> {
  const prefix = checkPathPrefix(input.PathPrefix);
  const profiles = deps.cache
    .list(instanceProfilesPrefix(accountId))
    .map(({ value }) => value as InstanceProfile)
    .filter(({ path }) => path.startsWith(prefix));
  const { items, position } = pageOf(profiles, input, sortKeyOf);
  return { InstanceProfiles: items.map((each) => presentProfile(deps, each)), ...position };
}

/** Throws NoSuchEntity. */
export async function listInstanceProfilesForRole(
  deps: IamDeps,
  input: ListInstanceProfilesForRoleRequest,
  { principal: { accountId } }: Call,
): Promise<ListInstanceProfilesForRoleResponse> {
  const profiles = profilesOf(deps, find(deps, ROLE, accountId, input.RoleName).value);
  const { items, position } = pageOf(profiles, input, sortKeyOf);
  return { InstanceProfiles: items.map((each) => presentProfile(deps, each)), ...position };
}

/** Throws NoSuchEntity, DeleteConflict while it holds a role. */
export async function deleteInstanceProfile(
  deps: IamDeps,
  input: DeleteInstanceProfileRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  return transact(deps, () => {
    const { record, value } = findProfile(deps, accountId, input.InstanceProfileName);
    if (value.roleNames.length > 0) {
      throw deleteConflict("Cannot delete entity, must remove roles from instance profile first.");
    }
    return { compare: [record], write: [{ key: record.key, value: undefined }], result: {} };
  });
}

/** Throws NoSuchEntity, EntityAlreadyExists, LimitExceeded, UnmodifiableEntity. */
export async function addRoleToInstanceProfile(
  deps: IamDeps,
  input: AddRoleToInstanceProfileRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  return transact(deps, () => {
    const { record, value } = findProfile(deps, accountId, input.InstanceProfileName);
    const role = findModifiable(deps, ROLE, accountId, input.RoleName);
    if (value.roleNames.length >= ROLES_PER_INSTANCE_PROFILE_MAX) {
      throw quotaExceeded("InstanceSessionsPerInstanceProfile", ROLES_PER_INSTANCE_PROFILE_MAX);
    }
    const roleNames = [...value.roleNames, role.value.roleName];
    return {
      compare: [record, role.record],
      write: [{ key: record.key, value: { ...value, roleNames } }, unchanged(role.record)],
      result: {},
    };
  });
}

/** Throws NoSuchEntity. */
export async function removeRoleFromInstanceProfile(
  deps: IamDeps,
  input: RemoveRoleFromInstanceProfileRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const roleName = checkName(input.RoleName, "roleName");
  await update(
    deps,
    () => findProfile(deps, accountId, input.InstanceProfileName),
    (profile) => {
      const roleNames = profile.roleNames.filter((name) => byName(name) !== byName(roleName));
      if (roleNames.length === profile.roleNames.length) {
        throw noSuchEntity(`The role with name ${roleName} cannot be found.`);
      }
      return { ...profile, roleNames };
    },
  );
  return {};
}

/** Throws NoSuchEntity, ValidationError. */
export function findProfile(
  { cache }: Pick<IamDeps, "cache">,
  accountId: string,
  name: string | undefined,
): Found<InstanceProfile> {
  const checked = checkName(name, "instanceProfileName");
  const record = cache.get(instanceProfileKey(accountId, checked));
  if (record !== undefined) return { record, value: record.value as InstanceProfile };
  throw noSuchEntity(`Instance Profile ${checked} cannot be found.`);
}

/** The profiles that hold a role. */
export function profilesOf(
  { cache }: Pick<IamDeps, "cache">,
  { accountId, roleName }: Role,
): readonly InstanceProfile[] {
  return cache
    .lookup("iamProfilesByRole", `${accountId}/${roleName}`)
    .map(({ value }) => value as InstanceProfile);
}

export function presentProfile(
  deps: Pick<IamDeps, "cache">,
  profile: InstanceProfile,
): InstanceProfileOutput {
  const { accountId, roleNames } = profile;
  const roles = roleNames.flatMap((name) => {
    const role = deps.cache.get(roleKey(accountId, name))?.value as Role | undefined;
    return role === undefined ? [] : [presentRoleBriefly(deps, role)];
  });
  return {
    Path: profile.path,
    InstanceProfileName: profile.instanceProfileName,
    InstanceProfileId: profile.instanceProfileId,
    Arn: instanceProfileArn(profile),
    CreateDate: new Date(profile.createdAt),
    Roles: roles,
  };
}

function sortKeyOf({ instanceProfileName }: InstanceProfile): string {
  return byName(instanceProfileName);
}
