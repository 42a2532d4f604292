import type { Principal } from "../door/service.ts";
import { ROLE_NAMES } from "./built-in-roles.ts";
import { parseIamArn } from "./model/arns.ts";
import type { Caller } from "./policy/principals.ts";

/** Who calls, as policies see it; undefined for those who have not signed. */
export function callerOf(principal: Principal): Caller | undefined {
  const { accountId, arn, kind, userId } = principal;
  switch (kind) {
    case "root":
      return { kind, accountId };
    case "user":
      return { kind, accountId, arn, ...(userId !== undefined && { uniqueId: userId }) };
    case "role-session": {
      const uniqueId = userId?.split(":", 1)[0];
      const roleArn = principal.session?.roleArn ?? arn;
      return { kind, accountId, arn, roleArn, ...(uniqueId !== undefined && { uniqueId }) };
    }
    case "node":
    case "join": {
      const roleArn = `arn:aws:iam::${accountId}:role/${ROLE_NAMES[kind]}`;
      return { kind: "role-session", accountId, arn, roleArn };
    }
    case "anonymous":
      return undefined;
  }
}

/** The name in a user's ARN; sessions of roles have none. */
export function userNameOf({ kind, arn }: Principal): string | undefined {
  return kind === "user" ? parseIamArn(arn)?.name : undefined;
}
