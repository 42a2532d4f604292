import { formatCidr, overlap, parseCidr, sizeOf, subrange } from "../lib/cidr.ts";
import { SetupError, UnavailableError } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";
import type { Cache } from "../store/cache.ts";
import type { Compare, Store, Write } from "../store/store.ts";
import {
  type DefaultVpc,
  defaultVpcKey,
  type Subnet,
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
  /** Asked for the range of a VPC that is still to be made; one that exists keeps its own. */
  readonly chooseCidr: () => Promise<string>;
  readonly availabilityZones: readonly string[];
}

/** AWS: a default VPC has one /20 subnet in each zone. */
const SUBNET_PREFIX_LENGTH = 20;
/** Lost races in a row before we call the store unusable. */
const ATTEMPTS_MAX = 5;

/**
 * The default VPC of an account and region with a default subnet in each zone; what is missing of it is made. Any
 * number of servers may ask at once. Throws SetupError when the VPC has no room for the zones' subnets.
 */
export async function ensureDefaultVpc(
  deps: DefaultVpcDeps,
  scope: { readonly accountId: string; readonly region: string },
  options: DefaultVpcOptions,
): Promise<{ vpc: Vpc; subnets: readonly Subnet[] }> {
  const { accountId, region } = scope;
  const key = defaultVpcKey(scope);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const record = deps.cache.get(key);
    const existing =
      record && deps.cache.get(vpcKey(scope, (record.value as DefaultVpc).vpcId))?.value;
    const vpc = (existing as Vpc | undefined) ?? {
      accountId,
      region,
      vpcId: `vpc-${deps.random.hex(9).slice(0, 17)}`,
      cidr: await options.chooseCidr(),
      isDefault: true,
    };
    const subnets = subnetsOf(deps.cache, vpc);
    const missing = missingSubnets(vpc, subnets, options.availabilityZones, deps.random);
    if (existing && missing.length === 0) return { vpc, subnets };
    // Every change to the default VPC rewrites its record, so that two of them cannot use one range.
    const compare: Compare[] = [{ key, revision: record?.revision ?? 0 }];
    const writes: Write[] = [
      { key, value: { vpcId: vpc.vpcId } satisfies DefaultVpc },
      { key: vpcKey(scope, vpc.vpcId), value: vpc },
      ...missing.map((subnet) => ({ key: subnetKey(scope, subnet.subnetId), value: subnet })),
    ];
    const result = await deps.store.txn(compare, writes);
    await deps.cache.reached((result.ok ? result : await deps.store.list(key)).revision);
  }
  throw new UnavailableError(`no default VPC for account ${accountId}: the store keeps changing`);
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
