import type { NetworkConfiguration } from "@aws-sdk/client-ecs";
import { defaultGroupOf } from "../../ec2/model/default-group.ts";
import { type SecurityGroup, type Subnet, securityGroupKey, subnetKey } from "../../ec2/model.ts";
import type { Cache } from "../../store/cache.ts";
import type { Scope } from "../model/keys.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import { invalid } from "./invalid.ts";

/** ECS: subnets and security groups of one configuration. */
const SUBNETS_MAX = 16;
const SECURITY_GROUPS_MAX = 5;

/** Where a task's interface may be, and the groups that it is in. */
export interface TaskNetwork {
  readonly subnets: readonly Subnet[];
  readonly securityGroups: readonly string[];
}

/**
 * The network of a task; undefined for a definition that has no interface of its own. Throws InvalidParameterException where
 * configuration and network mode do not go together, and for subnets and groups that are not there.
 */
export function readNetwork(
  cache: Cache,
  scope: Scope,
  { document }: TaskDefinition,
  configuration: NetworkConfiguration | undefined,
): TaskNetwork | undefined {
  const given = configuration?.awsvpcConfiguration;
  if (document.networkMode !== "awsvpc") {
    if (!given) return undefined;
    throw invalid(
      "Network Configuration is not valid for the given networkMode of this task definition.",
    );
  }
  if (!given) {
    throw invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.");
  }
  const { subnets: subnetIds = [], securityGroups = [] } = given;
  if (subnetIds.length === 0) throw invalid("subnets can not be empty.");
  if (subnetIds.length > SUBNETS_MAX) throw invalid(`At most ${SUBNETS_MAX} subnets can be given.`);
  if (securityGroups.length > SECURITY_GROUPS_MAX) {
    throw invalid(`At most ${SECURITY_GROUPS_MAX} security groups can be given.`);
  }
  const subnets = subnetIds.map((id) => requireSubnet(cache, scope, subnetIds, id));
  const [first, ...others] = subnets;
  if (!first || others.some(({ vpcId }) => vpcId !== first.vpcId)) {
    throw invalid("All subnets must belong to one VPC.");
  }
  for (const id of securityGroups) requireGroup(cache, first, securityGroups, id);
  return {
    subnets,
    securityGroups: securityGroups.length > 0 ? securityGroups : defaultGroupsOf(cache, first),
  };
}

/** ECS: who names no group is in the VPC's default one. */
function defaultGroupsOf(cache: Cache, subnet: Subnet): readonly string[] {
  const group = defaultGroupOf(cache, subnet);
  return group ? [group.groupId] : [];
}

function requireGroup(cache: Cache, subnet: Subnet, all: readonly string[], groupId: string): void {
  const group = cache.get(securityGroupKey(subnet, groupId))?.value as SecurityGroup | undefined;
  if (!group) {
    throw invalid(
      `Error retrieving security group information for [${all.join(", ")}]: The security group '${groupId}' does not exist (ErrorCode: InvalidGroup.NotFound)`,
    );
  }
  if (group.vpcId !== subnet.vpcId) {
    throw invalid(
      `Security group ${groupId} and subnet ${subnet.subnetId} belong to different networks.`,
    );
  }
}

function requireSubnet(
  cache: Cache,
  scope: Scope,
  all: readonly string[],
  subnetId: string,
): Subnet {
  const subnet = cache.get(subnetKey(scope, subnetId))?.value as Subnet | undefined;
  if (subnet) return subnet;
  throw invalid(
    `Error retrieving subnet information for [${all.join(", ")}]: The subnet ID '${subnetId}' does not exist (ErrorCode: InvalidSubnetID.NotFound)`,
  );
}
