/** The nouns of a VPC, pure: records and their keys. */

export interface Vpc {
  readonly accountId: string;
  readonly region: string;
  /** `vpc-…` (17 hex). */
  readonly vpcId: string;
  /** e.g. `172.31.0.0/16`. */
  readonly cidr: string;
  readonly isDefault: boolean;
}

export interface Subnet {
  readonly accountId: string;
  readonly region: string;
  /** `subnet-…`. */
  readonly subnetId: string;
  readonly vpcId: string;
  readonly cidr: string;
  readonly availabilityZone: string;
  readonly isDefault: boolean;
}

/** Every VPC has one called `default`, which what names no other is in. Its rules are not enforced yet. */
export interface SecurityGroup {
  readonly accountId: string;
  readonly region: string;
  /** `sg-…`. */
  readonly groupId: string;
  readonly vpcId: string;
  readonly groupName: string;
  readonly description: string;
}

/** Written by ecs/control/network-interfaces for tasks. */
export interface NetworkInterface {
  readonly accountId: string;
  readonly region: string;
  /** `eni-…`. */
  readonly interfaceId: string;
  readonly vpcId: string;
  readonly subnetId: string;
  readonly macAddress: string;
  readonly privateIpv4Address: string;
  readonly privateDnsName: string;
  readonly securityGroups: readonly string[];
  /** The machine it is on. */
  readonly ec2InstanceId: string;
  /** The account that the machine's registration belongs to: the fleet's for FARGATE. Absent in records of older versions. */
  readonly instanceOwnerId?: string;
  /** ARN of the task that owns it. */
  readonly taskArn: string;
  readonly createdAt: number;
}

/** Names the default VPC: creating this record is how the servers agree on one. */
export interface DefaultVpc {
  readonly vpcId: string;
}

export function defaultVpcKey(scope: { accountId: string; region: string }): string {
  return `/${scope.accountId}/${scope.region}/ec2/default-vpc`;
}
export function vpcsPrefix(scope: { accountId: string; region: string }): string {
  return `/${scope.accountId}/${scope.region}/ec2/vpcs/`;
}
export function subnetsPrefix(scope: { accountId: string; region: string }): string {
  return `/${scope.accountId}/${scope.region}/ec2/subnets/`;
}
export function vpcKey(scope: { accountId: string; region: string }, vpcId: string): string {
  return `/${scope.accountId}/${scope.region}/ec2/vpcs/${vpcId}`;
}
export function subnetKey(scope: { accountId: string; region: string }, subnetId: string): string {
  return `/${scope.accountId}/${scope.region}/ec2/subnets/${subnetId}`;
}
export function securityGroupsPrefix(scope: { accountId: string; region: string }): string {
  return `/${scope.accountId}/${scope.region}/ec2/security-groups/`;
}
export function securityGroupKey(
  scope: { accountId: string; region: string },
  groupId: string,
): string {
  return `${securityGroupsPrefix(scope)}${groupId}`;
}
export function interfaceKey(scope: { accountId: string; region: string }, id: string): string {
  return `${interfacesPrefix(scope)}${id}`;
}
export function interfacesPrefix(scope: { accountId: string; region: string }): string {
  return `/${scope.accountId}/${scope.region}/ec2/network-interfaces/`;
}
/** One record per address in use: creating it is how an address is taken, exactly once. */
export function addressKey(
  scope: { accountId: string; region: string },
  subnetId: string,
  address: string,
): string {
  return `/${scope.accountId}/${scope.region}/ec2/addresses/${subnetId}/${address}`;
}
/** All addresses in use of one subnet. */
export function addressesPrefix(
  scope: { accountId: string; region: string },
  subnetId: string,
): string {
  return `/${scope.accountId}/${scope.region}/ec2/addresses/${subnetId}/`;
}

/** An address in use. */
export interface Address {
  readonly interfaceId: string;
}

/** The kind of record a key names (`vpcs`, `network-interfaces`, …) if it is one of ours. */
export function ec2Kind(key: string): string | undefined {
  const parts = key.split("/");
  return parts[3] === "ec2" ? parts[4] : undefined;
}
