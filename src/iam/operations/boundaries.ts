import type { Call } from "../../door/service.ts";
import type { IamDeps } from "../deps.ts";
import type { Role, User } from "../model/records.ts";
import { noSuchEntity } from "./errors.ts";
import { findAttachable, findModifiable, type HolderType } from "./holders.ts";
import { transact, unchanged } from "./transact.ts";
import { checkArn } from "./validate.ts";

/** Permissions boundaries of users and roles. */

type Bounded = User | Role;

/** Throws NoSuchEntity, InvalidInput, UnmodifiableEntity. */
export async function putBoundary<T extends Bounded>(
  deps: IamDeps,
  type: HolderType<T>,
  { name, boundary }: { name: string | undefined; boundary: string | undefined },
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const arn = checkArn(boundary, "permissionsBoundary");
  return transact(deps, () => {
    const { record, value } = findModifiable(deps, type, accountId, name);
    const policy = findAttachable(deps, accountId, arn).record;
    const after: T = { ...value, permissionsBoundary: arn };
    return {
      compare: policy ? [record, policy] : [record],
      write: [{ key: record.key, value: after }, ...(policy ? [unchanged(policy)] : [])],
      result: {},
    };
  });
}

/** Throws NoSuchEntity, also when there is none. */
export async function deleteBoundary<T extends Bounded>(
  deps: IamDeps,
  type: HolderType<T>,
  name: string | undefined,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  return transact(deps, () => {
    const { record, value } = findModifiable(deps, type, accountId, name);
    if (value.permissionsBoundary === undefined) {
      throw noSuchEntity(
        `The ${type.name} with name ${type.nameOf(value)} has no permissions boundary.`,
      );
    }
    const { permissionsBoundary: _, ...after } = value;
    return { compare: [record], write: [{ key: record.key, value: after }], result: {} };
  });
}

/** As it stands in answers. */
export function boundaryMember({ permissionsBoundary }: Bounded): {
  PermissionsBoundary?: {
    PermissionsBoundaryType: "PermissionsBoundaryPolicy";
    PermissionsBoundaryArn: string;
  };
} {
  if (permissionsBoundary === undefined) return {};
  return {
    PermissionsBoundary: {
      PermissionsBoundaryType: "PermissionsBoundaryPolicy",
      PermissionsBoundaryArn: permissionsBoundary,
    },
  };
}
