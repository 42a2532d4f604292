import type { NetworkConfiguration } from "@aws-sdk/client-ecs";
import { type Subnet, subnetKey } from "../../ec2/model.ts";
import type { Cache } from "../../store/cache.ts";
import type { Scope } from "../model/keys.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import { invalid } from "./invalid.ts";

/** ECS: subnets and security groups of one configuration. */
const SUBNETS_MAX = 16;
const SECURITY_GROUPS_MAX = 5;

/**
 * The subnets a task may be in; undefined for a definition that has no interface of its own. Throws
 * InvalidParameterException where configuration and network mode do not go together, and for subnets that are not there.
 */
export function readSubnets(
  cache: Cache,
  scope: Scope,
  { document }: TaskDefinition,
  configuration: NetworkConfiguration | undefined,
): readonly Subnet[] | undefined {
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
  const [group] = securityGroups;
  if (group !== undefined) {
    // No security group can exist before EC2 has operations that make one.
    throw invalid(
      `Error retrieving security group information for [${securityGroups.join(", ")}]: The security group '${group}' does not exist (ErrorCode: InvalidGroup.NotFound)`,
    );
  }
  const subnets = subnetIds.map((id) => requireSubnet(cache, scope, subnetIds, id));
  if (new Set(subnets.map(({ vpcId }) => vpcId)).size > 1) {
    throw invalid("All subnets must belong to one VPC.");
  }
  return subnets;
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
