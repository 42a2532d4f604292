import type {
  SecurityGroup as AwsSecurityGroup,
  DescribeSecurityGroupsRequest,
  DescribeSecurityGroupsResult,
} from "@aws-sdk/client-ec2";
import type { Call } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import type { Cache } from "../store/cache.ts";
import { type SecurityGroup, securityGroupsPrefix } from "./model.ts";
import { scopeOf } from "./scope.ts";
import { type Noun, select } from "./select.ts";

const SECURITY_GROUP: Noun<SecurityGroup> = {
  idsName: "GroupIds",
  idOf: ({ groupId }) => groupId,
  notFound,
  filters: {
    "group-id": ({ groupId }) => [groupId],
    "group-name": ({ groupName }) => [groupName],
    description: ({ description }) => [description],
    "owner-id": ({ accountId }) => [accountId],
    "vpc-id": ({ vpcId }) => [vpcId],
    "egress.ip-permission.cidr": () => ["0.0.0.0/0"],
    "egress.ip-permission.protocol": () => ["-1"],
    "ip-permission.group-id": ({ groupId }) => [groupId],
    "ip-permission.protocol": () => ["-1"],
  },
};

function notFound(groupId: string): ApiError {
  return new ApiError("InvalidGroup.NotFound", `The security group '${groupId}' does not exist`);
}

export function describeSecurityGroups(
  cache: Cache,
  input: DescribeSecurityGroupsRequest,
  call: Call,
): DescribeSecurityGroupsResult {
  const all = cache
    .list(securityGroupsPrefix(scopeOf(call)))
    .map(({ value }) => value as SecurityGroup);
  const { GroupNames = [] } = input;
  const lost = GroupNames.find((name) => !all.some(({ groupName }) => groupName === name));
  if (lost !== undefined) throw notFound(lost);
  const named = all.filter(
    ({ groupName }) => GroupNames.length === 0 || GroupNames.includes(groupName),
  );
  const { items, ...next } = select(SECURITY_GROUP, named, { ...input, ids: input.GroupIds });
  return { SecurityGroups: items.map(present), ...next };
}

/** VPC: the rules of a default group let its members reach each other, and everything be reached from them. */
function present(group: SecurityGroup): AwsSecurityGroup {
  const { accountId, region, groupId, vpcId, groupName, description } = group;
  return {
    GroupId: groupId,
    GroupName: groupName,
    Description: description,
    OwnerId: accountId,
    VpcId: vpcId,
    SecurityGroupArn: `arn:aws:ec2:${region}:${accountId}:security-group/${groupId}`,
    IpPermissions: [
      {
        IpProtocol: "-1",
        IpRanges: [],
        Ipv6Ranges: [],
        PrefixListIds: [],
        UserIdGroupPairs: [{ GroupId: groupId, UserId: accountId }],
      },
    ],
    IpPermissionsEgress: [
      {
        IpProtocol: "-1",
        IpRanges: [{ CidrIp: "0.0.0.0/0" }],
        Ipv6Ranges: [],
        PrefixListIds: [],
        UserIdGroupPairs: [],
      },
    ],
    Tags: [],
  };
}
