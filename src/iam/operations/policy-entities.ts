import type {
  ListEntitiesForPolicyRequest,
  ListEntitiesForPolicyResponse,
} from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import { findAwsPolicy } from "../aws-policies/table.ts";
import type { IamDeps } from "../deps.ts";
import { findOwnPolicy } from "./holders.ts";
import { byName, pageOf } from "./pages.ts";
import { attachmentsOf, boundedBy } from "./policy-usage.ts";
import { checkArn, checkPathPrefix } from "./validate.ts";

/** Someone who has the policy. */
interface Entity {
  readonly type: "Group" | "Role" | "User";
  readonly name: string;
  readonly id: string;
  readonly path: string;
}

/** Whom a managed policy is attached to, or whom it bounds. Throws NoSuchEntity. */
export async function listEntitiesForPolicy(
  deps: IamDeps,
  input: ListEntitiesForPolicyRequest,
  { principal: { accountId } }: Call,
): Promise<ListEntitiesForPolicyResponse> {
  const arn = checkArn(input.PolicyArn, "policyArn");
  const prefix = checkPathPrefix(input.PathPrefix);
  const { EntityFilter: filter, PolicyUsageFilter: usage = "PermissionsPolicy" } = input;
  if (findAwsPolicy(arn) === undefined) findOwnPolicy(deps, accountId, arn);
  const find = usage === "PermissionsBoundary" ? boundedBy : attachmentsOf;
  const { users, groups, roles } = find(deps, accountId, arn);
  const entities: Entity[] = [
    ...users.map(({ userName, userId, path }) => entity("User", userName, userId, path)),
    ...groups.map(({ groupName, groupId, path }) => entity("Group", groupName, groupId, path)),
    ...roles.map(({ roleName, roleId, path }) => entity("Role", roleName, roleId, path)),
  ];
  const asked = entities.filter(
    ({ type, path }) => path.startsWith(prefix) && (filter === undefined || filter === type),
  );
  const { items, position } = pageOf(asked, input, ({ type, name }) => `${type} ${byName(name)}`);
  const of = (type: Entity["type"]): readonly Entity[] =>
    items.filter((each) => each.type === type);
  return {
    PolicyGroups: of("Group").map(({ name, id }) => ({ GroupName: name, GroupId: id })),
    PolicyUsers: of("User").map(({ name, id }) => ({ UserName: name, UserId: id })),
    PolicyRoles: of("Role").map(({ name, id }) => ({ RoleName: name, RoleId: id })),
    ...position,
  };
}

function entity(type: Entity["type"], name: string, id: string, path: string): Entity {
  return { type, name, id, path };
}
