/** The nouns of a VPC, pure: records, keys, addresses. The EC2 operations that show them come with their own issue. */

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
  /** ARN of the task that owns it. */
  readonly taskArn: string;
  readonly createdAt: number;
}

export function vpcKey(scope: { accountId: string; region: string }, vpcId: string): string {
  return `/${scope.accountId}/${scope.region}/ec2/vpcs/${vpcId}`;
}
export function subnetKey(scope: { accountId: string; region: string }, subnetId: string): string {
  return `/${scope.accountId}/${scope.region}/ec2/subnets/${subnetId}`;
}
export function interfaceKey(scope: { accountId: string; region: string }, id: string): string {
  return `/${scope.accountId}/${scope.region}/ec2/network-interfaces/${id}`;
}
/** One record per address in use: creating it is how an address is taken, exactly once. */
export function addressKey(
  scope: { accountId: string; region: string },
  subnetId: string,
  address: string,
): string {
  return `/${scope.accountId}/${scope.region}/ec2/addresses/${subnetId}/${address}`;
}
