import type { Call } from "../../../door/service.ts";
import { iamArn } from "../../model/arns.ts";
import { findServiceLinkedRole } from "../../model/service-linked-roles.ts";
import { listingArn, newArn } from "../arns.ts";
import { deleteBoundary, putBoundary } from "../boundaries.ts";
import { ROLE } from "../holders.ts";
import {
  addRoleToInstanceProfile,
  createInstanceProfile,
  deleteInstanceProfile,
  getInstanceProfile,
  listInstanceProfiles,
  listInstanceProfilesForRole,
  removeRoleFromInstanceProfile,
} from "../instance-profiles.ts";
import {
  createRole,
  deleteRole,
  getRole,
  listRoles,
  updateAssumeRolePolicy,
  updateRole,
  updateRoleDescription,
} from "../roles.ts";
import {
  createServiceLinkedRole,
  deleteServiceLinkedRole,
  getDeletionStatus,
} from "../service-linked-roles.ts";
import { boundaryKey, type IamOperations, type Rows } from "./row.ts";

interface Named {
  readonly RoleName?: string | undefined;
}

/** Roles, service-linked ones too. */
export function roleOperations(rows: Rows): IamOperations {
  const role = ({ RoleName }: Named, call: Call): string => rows.arns.role(RoleName, call);
  return {
    CreateRole: rows.full(
      "CreateRole",
      ({ Path, RoleName }, call) => newArn("role", Path, RoleName, call),
      createRole,
      { keys: boundaryKey, tagAction: "iam:TagRole" },
    ),
    GetRole: rows.full("GetRole", role, getRole),
    ListRoles: rows.full("ListRoles", listingArn("role"), listRoles),
    UpdateRole: rows.full("UpdateRole", role, updateRole),
    UpdateRoleDescription: rows.full("UpdateRoleDescription", role, updateRoleDescription),
    UpdateAssumeRolePolicy: rows.full("UpdateAssumeRolePolicy", role, updateAssumeRolePolicy),
    DeleteRole: rows.full("DeleteRole", role, deleteRole),
    PutRolePermissionsBoundary: rows.full(
      "PutRolePermissionsBoundary",
      role,
      (deps, { RoleName: name, PermissionsBoundary: boundary }, call) =>
        putBoundary(deps, ROLE, { name, boundary }, call),
      { keys: boundaryKey },
    ),
    DeleteRolePermissionsBoundary: rows.full(
      "DeleteRolePermissionsBoundary",
      role,
      (deps, { RoleName }, call) => deleteBoundary(deps, ROLE, RoleName, call),
    ),
    CreateServiceLinkedRole: rows.full(
      "CreateServiceLinkedRole",
      ({ AWSServiceName: service = "" }, call) => serviceRoleArn(service, call),
      createServiceLinkedRole,
      { keys: ({ AWSServiceName }) => ({ "iam:AWSServiceName": AWSServiceName }) },
    ),
    DeleteServiceLinkedRole: rows.full("DeleteServiceLinkedRole", role, deleteServiceLinkedRole),
    GetServiceLinkedRoleDeletionStatus: rows.full(
      "GetServiceLinkedRoleDeletionStatus",
      ({ DeletionTaskId: id = "" }, call) =>
        // task/aws-service-role/<service>/<role>/<uuid>
        iamArn(call.principal.accountId, "role", "/", id.split("/").slice(1, -1).join("/")),
      getDeletionStatus,
    ),
  };
}

function serviceRoleArn(service: string, { principal: { accountId } }: Call): string {
  const { roleName = "*" } = findServiceLinkedRole(service) ?? {};
  return iamArn(accountId, "role", `/aws-service-role/${service}/`, roleName);
}

/** How roles are handed to machines. */
export function instanceProfileOperations(rows: Rows): IamOperations {
  const profile = (
    { InstanceProfileName: name }: { InstanceProfileName?: string | undefined },
    call: Call,
  ): string => rows.arns.instanceProfile(name, call);
  return {
    CreateInstanceProfile: rows.full(
      "CreateInstanceProfile",
      ({ Path, InstanceProfileName }, call) =>
        newArn("instance-profile", Path, InstanceProfileName, call),
      createInstanceProfile,
      { tagAction: "iam:TagInstanceProfile" },
    ),
    GetInstanceProfile: rows.full("GetInstanceProfile", profile, getInstanceProfile),
    ListInstanceProfiles: rows.full(
      "ListInstanceProfiles",
      listingArn("instance-profile"),
      listInstanceProfiles,
    ),
    ListInstanceProfilesForRole: rows.full(
      "ListInstanceProfilesForRole",
      ({ RoleName }, call) => rows.arns.role(RoleName, call),
      listInstanceProfilesForRole,
    ),
    DeleteInstanceProfile: rows.full("DeleteInstanceProfile", profile, deleteInstanceProfile),
    AddRoleToInstanceProfile: {
      ...rows.full("AddRoleToInstanceProfile", profile, addRoleToInstanceProfile),
      passedRoles: ({ RoleName }, call) => [
        { roleArn: rows.arns.role(RoleName, call), service: "ec2.amazonaws.com" },
      ],
    },
    RemoveRoleFromInstanceProfile: rows.full(
      "RemoveRoleFromInstanceProfile",
      profile,
      removeRoleFromInstanceProfile,
    ),
  };
}
