/** What a machine's dataplane should be told of the network, by the records. */
import {
  type NetworkInterface,
  type Subnet,
  subnetKey,
  subnetsPrefix,
  type Vpc,
  vpcKey,
} from "../../ec2/model.ts";
import { contains, parseCidr, readAddress } from "../../lib/cidr.ts";
import type {
  FeedInterface,
  FeedMessage,
  FeedPeer,
  FeedRemoteInterface,
  FeedVpc,
} from "../../protocol/node-feed.ts";
import type { Cache } from "../../store/cache.ts";
import type { Instance } from "../model/instance.ts";

/** A machine in its region. */
export interface Machine {
  readonly region: string;
  readonly ec2InstanceId: string;
}

/** The interfaces on a machine with their VPCs, and every default VPC, so that it is there before its first task. */
export function ownNetworkOf(
  cache: Cache,
  { ec2InstanceId, region }: Machine,
): Pick<Lists, "vpcs" | "interfaces"> {
  const vpcs = new Map<string, FeedVpc>();
  for (const { value } of cache.lookup("defaultVpcs", region)) {
    const vpc = value as Vpc;
    vpcs.set(vpc.vpcId, toFeedVpc(cache, vpc));
  }
  const interfaces = new Map<string, FeedInterface>();
  for (const { value } of cache.lookup("interfacesByHost", `${region}/${ec2InstanceId}`)) {
    const record = value as NetworkInterface;
    const { interfaceId, vpcId, subnetId, macAddress, privateIpv4Address } = record;
    const vpc = cache.get(vpcKey(record, vpcId))?.value as Vpc | undefined;
    const subnet = cache.get(subnetKey(record, subnetId))?.value as Subnet | undefined;
    if (!vpc || !subnet) continue;
    if (!vpcs.has(vpcId)) vpcs.set(vpcId, toFeedVpc(cache, vpc));
    const place = { interfaceId, vpcId, subnetId, subnetCidr: subnet.cidr };
    interfaces.set(interfaceId, { ...place, macAddress, privateIpv4Address });
  }
  return { vpcs, interfaces };
}

function toFeedVpc(cache: Cache, { accountId, cidr, isDefault, region, vpcId }: Vpc): FeedVpc {
  if (!isDefault) return { vpcId, cidr };
  const subnetIds = cache
    .list(subnetsPrefix({ accountId, region }))
    .map(({ value }) => value as Subnet)
    .filter((subnet) => subnet.vpcId === vpcId && subnet.isDefault)
    .map(({ availabilityZone, subnetId }) => [availabilityZone, subnetId]);
  return { vpcId, cidr, defaultOf: { accountId, subnetIds: Object.fromEntries(subnetIds) } };
}

const LOOPBACK = parseCidr("127.0.0.0/8");

/** The other machines of the region that have said by which address they are reached. */
export function peersOf(
  cache: Cache,
  { ec2InstanceId: own, region }: Machine,
): ReadonlyMap<string, FeedPeer> {
  const peers = new Map<string, FeedPeer>();
  for (const { value } of cache.lookup("instancesByRegion", region)) {
    const { ec2InstanceId, privateIpAddress = "" } = value as Instance;
    const address = readAddress(privateIpAddress);
    // A machine that was told no other has its loopback on record.
    const isReachable = address !== undefined && !contains(LOOPBACK, address);
    if (isReachable && ec2InstanceId !== own)
      peers.set(ec2InstanceId, { ec2InstanceId, address: privateIpAddress });
  }
  return peers;
}

/** All interfaces in these VPCs that are on other machines. */
export function remoteInterfacesOf(
  cache: Cache,
  machine: Machine,
  vpcIds: Iterable<string>,
): Map<string, FeedRemoteInterface> {
  const remotes = new Map<string, FeedRemoteInterface>();
  for (const vpcId of vpcIds)
    for (const { value } of cache.lookup("interfacesByVpc", vpcId)) {
      const remote = toRemoteInterface(value as NetworkInterface, machine);
      if (remote !== undefined) remotes.set(remote.interfaceId, remote);
    }
  return remotes;
}

/** An interface as machines see it that it is not on; undefined for the one that it is on, and for other regions. */
export function toRemoteInterface(
  { ec2InstanceId, interfaceId, privateIpv4Address, region, vpcId }: NetworkInterface,
  machine: Machine,
): FeedRemoteInterface | undefined {
  if (region !== machine.region || ec2InstanceId === machine.ec2InstanceId) return undefined;
  return { interfaceId, vpcId, privateIpv4Address, ec2InstanceId };
}

/** The lists of a {@link NodeNetwork}, by id. */
export interface Lists {
  readonly vpcs: ReadonlyMap<string, FeedVpc>;
  readonly interfaces: ReadonlyMap<string, FeedInterface>;
  readonly peers: ReadonlyMap<string, FeedPeer>;
  readonly remoteInterfaces: ReadonlyMap<string, FeedRemoteInterface>;
}

/** What has changed in some lists of a network: of each its new items, and the ids of those that are gone. */
export type ListChange = Omit<Extract<FeedMessage, { type: "change" }>, "type">;

/** The change of one list. */
export function listChange<K extends keyof Lists>(
  list: K,
  told: Lists[K],
  wanted: Lists[K],
): ListChange {
  const put = [...wanted].flatMap(([id, value]) => (isSame(told.get(id), value) ? [] : [value]));
  const deleted = [...told.keys()].filter((id) => !wanted.has(id));
  return {
    put: put.length === 0 ? {} : { [list]: put },
    deleted: deleted.length === 0 ? {} : { [list]: deleted },
  };
}

/** The message for changes of different lists; undefined when there are none. */
export function toMessage(changes: readonly ListChange[]): FeedMessage | undefined {
  const put = Object.assign({}, ...changes.map((change) => change.put)) as ListChange["put"];
  const deleted = Object.assign(
    {},
    ...changes.map((change) => change.deleted),
  ) as ListChange["deleted"];
  const isEmpty = Object.keys(put).length === 0 && Object.keys(deleted).length === 0;
  return isEmpty ? undefined : { type: "change", put, deleted };
}

/** Whether two records of the feed, whose members keep their order, say the same. */
export function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
