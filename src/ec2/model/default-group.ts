import type { Cache } from "../../store/cache.ts";
import { type SecurityGroup, securityGroupsPrefix, type Vpc } from "../model.ts";

/** VPC: the group of whatever names no other. */
export function defaultGroupOf(
  cache: Cache,
  vpc: Pick<Vpc, "accountId" | "region" | "vpcId">,
): SecurityGroup | undefined {
  return cache
    .list(securityGroupsPrefix(vpc))
    .map(({ value }) => value as SecurityGroup)
    .find(({ vpcId, groupName }) => vpcId === vpc.vpcId && groupName === "default");
}
