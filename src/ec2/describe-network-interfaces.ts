import type {
  NetworkInterface as AwsNetworkInterface,
  DescribeNetworkInterfacesRequest,
  DescribeNetworkInterfacesResult,
} from "@aws-sdk/client-ec2";
import type { Call } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import type { Cache } from "../store/cache.ts";
import {
  interfaceKey,
  interfacesPrefix,
  type NetworkInterface,
  type SecurityGroup,
  type Subnet,
  securityGroupKey,
  subnetKey,
} from "./model.ts";
import { scopeOf } from "./scope.ts";
import { type Noun, select } from "./select.ts";

/** An interface with what its own record does not say. */
interface View {
  readonly record: NetworkInterface;
  readonly availabilityZone: string;
  readonly groups: readonly SecurityGroup[];
}

const INTERFACE: Noun<View> = {
  idsName: "NetworkInterfaceIds",
  idOf: ({ record }) => record.interfaceId,
  notFound: (id) =>
    new ApiError(
      "InvalidNetworkInterfaceID.NotFound",
      `The networkInterface ID '${id}' does not exist`,
    ),
  filters: {
    "network-interface-id": ({ record }) => [record.interfaceId],
    "addresses.private-ip-address": ({ record }) => [record.privateIpv4Address],
    "addresses.primary": () => ["true"],
    "private-ip-address": ({ record }) => [record.privateIpv4Address],
    "private-dns-name": ({ record }) => [record.privateDnsName],
    "attachment.instance-id": ({ record }) => [instanceIdOf(record)],
    "attachment.instance-owner-id": ({ record }) => [record.instanceOwnerId ?? record.accountId],
    "attachment.status": () => ["attached"],
    "availability-zone": ({ availabilityZone }) => [availabilityZone],
    description: ({ record }) => [record.taskArn],
    "group-id": ({ groups }) => groups.map(({ groupId }) => groupId),
    "group-name": ({ groups }) => groups.map(({ groupName }) => groupName),
    "interface-type": () => ["interface"],
    "mac-address": ({ record }) => [record.macAddress],
    "owner-id": ({ record }) => [record.accountId],
    "source-dest-check": () => ["true"],
    status: () => ["in-use"],
    "subnet-id": ({ record }) => [record.subnetId],
    "vpc-id": ({ record }) => [record.vpcId],
  },
};

export function describeNetworkInterfaces(
  cache: Cache,
  input: DescribeNetworkInterfacesRequest,
  call: Call,
): DescribeNetworkInterfacesResult {
  const scope = scopeOf(call);
  const ids = input.NetworkInterfaceIds ?? [];
  // There is one for every task, and scripts ask for that of the task they have just started.
  const records =
    ids.length > 0
      ? ids.flatMap((id) => cache.get(interfaceKey(scope, id)) ?? [])
      : cache.list(interfacesPrefix(scope));
  const views = records.map(({ value }) => viewOf(cache, value as NetworkInterface));
  const { items, ...next } = select(INTERFACE, views, { ...input, ids });
  return { NetworkInterfaces: items.map(present), ...next };
}

function viewOf(cache: Cache, record: NetworkInterface): View {
  const subnet = cache.get(subnetKey(record, record.subnetId))?.value as Subnet | undefined;
  const groups = record.securityGroups.flatMap(
    (id) => (cache.get(securityGroupKey(record, id))?.value as SecurityGroup | undefined) ?? [],
  );
  return { record, availabilityZone: subnet?.availabilityZone ?? "", groups };
}

/** Machines of the fleet are nobody's to see. */
function instanceIdOf(record: NetworkInterface): string | undefined {
  const { accountId, ec2InstanceId, instanceOwnerId } = record;
  return instanceOwnerId === accountId && ec2InstanceId.startsWith("i-")
    ? ec2InstanceId
    : undefined;
}

function present({ record, availabilityZone, groups }: View): AwsNetworkInterface {
  const { accountId, interfaceId, privateDnsName, privateIpv4Address } = record;
  const instanceId = instanceIdOf(record);
  return {
    NetworkInterfaceId: interfaceId,
    InterfaceType: "interface",
    Status: "in-use",
    // The task that owns it.
    Description: record.taskArn,
    OwnerId: accountId,
    RequesterManaged: true,
    VpcId: record.vpcId,
    SubnetId: record.subnetId,
    AvailabilityZone: availabilityZone,
    MacAddress: record.macAddress,
    PrivateDnsName: privateDnsName,
    PrivateIpAddress: privateIpv4Address,
    PrivateIpAddresses: [
      { Primary: true, PrivateDnsName: privateDnsName, PrivateIpAddress: privateIpv4Address },
    ],
    Ipv6Addresses: [],
    SourceDestCheck: true,
    Groups: groups.map(({ groupId, groupName }) => ({ GroupId: groupId, GroupName: groupName })),
    Attachment: {
      AttachmentId: interfaceId.replace(/^eni-/, "eni-attach-"),
      AttachTime: new Date(record.createdAt),
      DeleteOnTermination: true,
      DeviceIndex: 1,
      InstanceOwnerId: record.instanceOwnerId ?? accountId,
      Status: "attached",
      ...(instanceId !== undefined && { InstanceId: instanceId }),
    },
    TagSet: [],
  };
}
