import type {
  Subnet as AwsSubnet,
  Vpc as AwsVpc,
  DescribeSubnetsRequest,
  DescribeSubnetsResult,
  DescribeVpcAttributeRequest,
  DescribeVpcAttributeResult,
  DescribeVpcsRequest,
  DescribeVpcsResult,
  VpcAttributeName,
} from "@aws-sdk/client-ec2";
import type { Call } from "../door/service.ts";
import { parseCidr } from "../lib/cidr.ts";
import { ApiError } from "../lib/errors.ts";
import type { Cache } from "../store/cache.ts";
import { assignableCount } from "./model/addresses.ts";
import { zoneIdOf } from "./model/zones.ts";
import { addressesPrefix, type Subnet, subnetsPrefix, type Vpc, vpcsPrefix } from "./model.ts";
import { scopeOf } from "./scope.ts";
import { type Noun, select } from "./select.ts";

const VPC: Noun<Vpc> = {
  idsName: "VpcIds",
  idOf: ({ vpcId }) => vpcId,
  notFound: (id) => new ApiError("InvalidVpcID.NotFound", `The vpc ID '${id}' does not exist`),
  filters: {
    "vpc-id": ({ vpcId }) => [vpcId],
    cidr: ({ cidr }) => [cidr],
    "cidr-block-association.cidr-block": ({ cidr }) => [cidr],
    "dhcp-options-id": () => ["default"],
    "is-default": ({ isDefault }) => [String(isDefault)],
    isDefault: ({ isDefault }) => [String(isDefault)],
    "owner-id": ({ accountId }) => [accountId],
    state: () => ["available"],
  },
};

export function describeVpcs(
  cache: Cache,
  input: DescribeVpcsRequest,
  call: Call,
): DescribeVpcsResult {
  const all = cache.list(vpcsPrefix(scopeOf(call))).map(({ value }) => value as Vpc);
  const { items, ...next } = select(VPC, all, { ...input, ids: input.VpcIds });
  return { Vpcs: items.map(presentVpc), ...next };
}

function presentVpc({ vpcId, cidr, isDefault, accountId }: Vpc): AwsVpc {
  return {
    VpcId: vpcId,
    OwnerId: accountId,
    State: "available",
    CidrBlock: cidr,
    CidrBlockAssociationSet: [
      {
        AssociationId: vpcId.replace(/^vpc-/, "vpc-cidr-assoc-"),
        CidrBlock: cidr,
        CidrBlockState: { State: "associated" },
      },
    ],
    Ipv6CidrBlockAssociationSet: [],
    DhcpOptionsId: "default",
    InstanceTenancy: "default",
    IsDefault: isDefault,
    Tags: [],
  };
}

/** What is true of every VPC here: its resolver answers, and knows the names of its addresses. */
const ATTRIBUTES = {
  enableDnsHostnames: { EnableDnsHostnames: { Value: true } },
  enableDnsSupport: { EnableDnsSupport: { Value: true } },
  enableNetworkAddressUsageMetrics: { EnableNetworkAddressUsageMetrics: { Value: false } },
} as const satisfies Readonly<Record<VpcAttributeName, DescribeVpcAttributeResult>>;

export function describeVpcAttribute(
  cache: Cache,
  { Attribute, DryRun, VpcId = "" }: DescribeVpcAttributeRequest,
  call: Call,
): DescribeVpcAttributeResult {
  const all = cache.list(vpcsPrefix(scopeOf(call))).map(({ value }) => value as Vpc);
  select(VPC, all, { ids: [VpcId], DryRun });
  if (Attribute !== undefined && Object.hasOwn(ATTRIBUTES, Attribute)) {
    return { VpcId, ...ATTRIBUTES[Attribute] };
  }
  throw new ApiError(
    "InvalidParameterValue",
    `Value (${Attribute}) for parameter attribute is invalid. Unknown attribute.`,
  );
}

const SUBNET: Noun<Subnet> = {
  idsName: "SubnetIds",
  idOf: ({ subnetId }) => subnetId,
  notFound: (id) =>
    new ApiError("InvalidSubnetID.NotFound", `The subnet ID '${id}' does not exist`),
  filters: {
    "subnet-id": ({ subnetId }) => [subnetId],
    "subnet-arn": (subnet) => [subnetArn(subnet)],
    "vpc-id": ({ vpcId }) => [vpcId],
    "availability-zone": ({ availabilityZone }) => [availabilityZone],
    availabilityZone: ({ availabilityZone }) => [availabilityZone],
    "availability-zone-id": ({ availabilityZone }) => [zoneIdOf(availabilityZone)],
    availabilityZoneId: ({ availabilityZone }) => [zoneIdOf(availabilityZone)],
    "cidr-block": ({ cidr }) => [cidr],
    cidr: ({ cidr }) => [cidr],
    cidrBlock: ({ cidr }) => [cidr],
    "default-for-az": ({ isDefault }) => [String(isDefault)],
    defaultForAz: ({ isDefault }) => [String(isDefault)],
    "map-public-ip-on-launch": () => ["false"],
    "ipv6-native": () => ["false"],
    "owner-id": ({ accountId }) => [accountId],
    state: () => ["available"],
  },
};

export function describeSubnets(
  cache: Cache,
  input: DescribeSubnetsRequest,
  call: Call,
): DescribeSubnetsResult {
  const all = cache.list(subnetsPrefix(scopeOf(call))).map(({ value }) => value as Subnet);
  const { items, ...next } = select(SUBNET, all, { ...input, ids: input.SubnetIds });
  return { Subnets: items.map((subnet) => presentSubnet(cache, subnet)), ...next };
}

function presentSubnet(cache: Cache, subnet: Subnet): AwsSubnet {
  const { accountId, availabilityZone, cidr, isDefault, subnetId, vpcId } = subnet;
  const usedCount = cache.list(addressesPrefix(subnet, subnetId)).length;
  return {
    SubnetId: subnetId,
    SubnetArn: subnetArn(subnet),
    VpcId: vpcId,
    OwnerId: accountId,
    State: "available",
    AvailabilityZone: availabilityZone,
    AvailabilityZoneId: zoneIdOf(availabilityZone),
    CidrBlock: cidr,
    AvailableIpAddressCount: assignableCount(parseCidr(cidr)) - usedCount,
    DefaultForAz: isDefault,
    // No task has a public address.
    MapPublicIpOnLaunch: false,
    AssignIpv6AddressOnCreation: false,
    Ipv6CidrBlockAssociationSet: [],
    Ipv6Native: false,
    EnableDns64: false,
    Tags: [],
  };
}

function subnetArn({ accountId, region, subnetId }: Subnet): string {
  return `arn:aws:ec2:${region}:${accountId}:subnet/${subnetId}`;
}
