import { formatCidr, overlap, parseCidr, sizeOf, subrange } from "../lib/cidr.ts";
import { SetupError, UnavailableError } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";
import type { Cache } from "../store/cache.ts";
import type { Compare, Store, Write } from "../store/store.ts";
import { defaultGroupOf } from "./model/default-group.ts";
import {
  type DefaultVpc,
  defaultVpcKey,
  interfacesPrefix,
  type NetworkInterface,
  type SecurityGroup,
  type Subnet,
  securityGroupKey,
  securityGroupsPrefix,
  subnetKey,
  subnetsPrefix,
  type Vpc,
  vpcKey,
} from "./model.ts";

export interface DefaultVpcDeps {
  readonly store: Store;
  readonly cache: Cache;
  readonly random: Random;
}

export interface DefaultVpcOptions {
  /** The range the VPC must have; a VPC with another one is replaced while nothing uses it. Absent: any. */
  readonly cidr: string | undefined;
  /** Asked for the range of a VPC that is still to be made when `cidr` does not say. */
  readonly chooseCidr: () => Promise<string>;
  readonly availabilityZones: readonly string[];
}

/** AWS: a default VPC has one /20 subnet in each zone. */
const SUBNET_PREFIX_LENGTH = 20;
/** Lost races in a row before we call the store unusable. */
const ATTEMPTS_MAX = 5;

/**
 * The default VPC of an account and region with a default subnet in each zone; what is missing of it is made. Any
 * number of servers may ask at once. Throws SetupError when the VPC has no room for the zones' subnets, or should have
 * another range but is in use.
 */
export async function ensureDefaultVpc(
  deps: DefaultVpcDeps,
  scope: Scope,
  options: DefaultVpcOptions,
): Promise<{ vpc: Vpc; subnets: readonly Subnet[] }> {
  const key = defaultVpcKey(scope);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const record = deps.cache.get(key);
    const found = record && findVpc(deps.cache, scope, record);
    const isOutdated = found && options.cidr !== undefined && found.cidr !== options.cidr;
    if (isOutdated) refuseIfUsed(deps.cache, found, options.cidr);
    const existing = isOutdated ? undefined : found;
    const vpc = existing ?? (await newVpc(deps, scope, options));
    const subnets = existing ? subnetsOf(deps.cache, existing) : [];
    const missing = missingSubnets(vpc, subnets, options.availabilityZones, deps.random);
    const group = existing && defaultGroupOf(deps.cache, existing);
    if (existing && group && missing.length === 0) return { vpc, subnets };
    // Every change to the default VPC rewrites its record, so that two of them cannot use one range.
    const compare: Compare[] = [{ key, revision: record?.revision ?? 0 }];
    const writes: Write[] = [
      ...(isOutdated ? removals(deps.cache, found) : []),
      { key, value: { vpcId: vpc.vpcId } satisfies DefaultVpc },
      { key: vpcKey(scope, vpc.vpcId), value: vpc },
      ...(group ? [] : [newDefaultGroup(deps, vpc)]),
      ...missing.map((subnet) => ({ key: subnetKey(scope, subnet.subnetId), value: subnet })),
    ];
    const { revision } = await deps.store.txn(compare, writes);
    await deps.cache.reached(revision);
  }
  throw new UnavailableError(
    `no default VPC for account ${scope.accountId}: the store keeps changing`,
  );
}

interface Scope {
  readonly accountId: string;
  readonly region: string;
}

function findVpc(cache: Cache, scope: Scope, { value }: { value: unknown }): Vpc | undefined {
  return cache.get(vpcKey(scope, (value as DefaultVpc).vpcId))?.value as Vpc | undefined;
}

async function newVpc(
  { random }: DefaultVpcDeps,
  { accountId, region }: Scope,
  { cidr, chooseCidr }: DefaultVpcOptions,
): Promise<Vpc> {
  const vpcId = `vpc-${random.hex(9).slice(0, 17)}`;
  return { accountId, region, vpcId, cidr: cidr ?? (await chooseCidr()), isDefault: true };
}

function refuseIfUsed(cache: Cache, vpc: Vpc, cidr: string | undefined): void {
  const used = cache
    .list(interfacesPrefix(vpc))
    .filter(({ value }) => (value as NetworkInterface).vpcId === vpc.vpcId);
  if (used.length === 0) return;
  throw new SetupError(
    `the default VPC has the network ${vpc.cidr} and ${used.length} tasks in it, so it cannot become ${cidr}: start without --vpc-cidr (GANTRY_VPC_CIDR), stop those tasks, and start again with it`,
  );
}

function newDefaultGroup({ random }: DefaultVpcDeps, vpc: Vpc): Write {
  const { accountId, region, vpcId } = vpc;
  const groupId = `sg-${random.hex(9).slice(0, 17)}`;
  const description = "default VPC security group";
  const group: SecurityGroup = {
    accountId,
    region,
    groupId,
    vpcId,
    groupName: "default",
    description,
  };
  return { key: securityGroupKey(vpc, groupId), value: group };
}

function removals(cache: Cache, vpc: Vpc): Write[] {
  const subnets = subnetsOf(cache, vpc).map(({ subnetId }) => subnetKey(vpc, subnetId));
  const groups = cache
    .list(securityGroupsPrefix(vpc))
    .filter(({ value }) => (value as SecurityGroup).vpcId === vpc.vpcId)
    .map(({ key }) => key);
  return [vpcKey(vpc, vpc.vpcId), ...subnets, ...groups].map((key) => ({ key, value: undefined }));
}

function subnetsOf(cache: Cache, vpc: Vpc): readonly Subnet[] {
  return cache
    .list(subnetsPrefix(vpc))
    .map(({ value }) => value as Subnet)
    .filter((subnet) => subnet.vpcId === vpc.vpcId && subnet.isDefault)
    .toSorted((a, b) => (a.availabilityZone < b.availabilityZone ? -1 : 1));
}

function missingSubnets(
  vpc: Vpc,
  existing: readonly Subnet[],
  availabilityZones: readonly string[],
  random: Random,
): readonly Subnet[] {
  const range = parseCidr(vpc.cidr);
  const used = existing.map(({ cidr }) => parseCidr(cidr));
  const missing: Subnet[] = [];
  for (const availabilityZone of availabilityZones) {
    if (existing.some((subnet) => subnet.availabilityZone === availabilityZone)) continue;
    const blockCount = sizeOf(range) / 2 ** (32 - SUBNET_PREFIX_LENGTH);
    const block = Array.from({ length: Math.floor(blockCount) }, (_, index) =>
      subrange(range, SUBNET_PREFIX_LENGTH, index),
    ).find((candidate) => candidate && !used.some((other) => overlap(other, candidate)));
    if (!block) {
      throw new SetupError(
        `the VPC range ${vpc.cidr} has no room for a /${SUBNET_PREFIX_LENGTH} subnet in each of ${availabilityZones.join(", ")}: choose a larger one`,
      );
    }
    used.push(block);
    missing.push({
      accountId: vpc.accountId,
      region: vpc.region,
      subnetId: `subnet-${random.hex(9).slice(0, 17)}`,
      vpcId: vpc.vpcId,
      cidr: formatCidr(block),
      availabilityZone,
      isDefault: true,
    });
  }
  return missing;
}
