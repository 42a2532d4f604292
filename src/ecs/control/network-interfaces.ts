import { pickAddress, privateDnsName } from "../../ec2/model/addresses.ts";
import {
  type Address,
  addressKey,
  interfaceKey,
  type NetworkInterface,
  type Subnet,
  subnetKey,
} from "../../ec2/model.ts";
import { formatAddress, parseCidr } from "../../lib/cidr.ts";
import { assert, UnavailableError } from "../../lib/errors.ts";
import type { Cache, CacheChange } from "../../store/cache.ts";
import { commit } from "../../store/commit.ts";
import type { Controller } from "../../store/controller.ts";
import type { StoreRecord, Write } from "../../store/store.ts";
import { advance } from "../model/advance.ts";
import { taskArn } from "../model/arn.ts";
import { ecsKind } from "../model/keys.ts";
import { requestStop } from "../model/request-stop.ts";
import type { InterfaceAttachment, Task } from "../model/task.ts";
import type { EcsDeps } from "./deps.ts";
import { interfaceRemovals } from "./unconfirmed-stops.ts";

/** Lost races over an address or a task before the loop's backoff takes over. */
const ATTEMPTS_MAX = 10;

/**
 * Gives each awsvpc task its network interface before its agent hears of it, and takes it back when it has ended:
 * PROVISIONING → PENDING and DEPROVISIONING → STOPPED. Interface, address and task change in one transaction, so that
 * no address is ever without its task and none is given twice.
 */
export function createNetworkInterfacesController(deps: EcsDeps): Controller {
  return {
    name: "network-interfaces",
    keysFor: ({ key, after }: CacheChange) =>
      ecsKind(key) === "tasks" && after !== undefined && awaitsNetwork(after.value as Task)
        ? [key]
        : [],
    allKeys: (cache: Cache) => cache.lookup("tasksAwaitingNetwork", "all").map(({ key }) => key),
    reconcile: async (key) => {
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const record = deps.cache.get(key);
        if (!record || !awaitsNetwork(record.value as Task)) return undefined;
        if (await step(deps, record)) return undefined;
      }
      throw new UnavailableError(`${key} keeps changing`);
    },
  };
}

/** True for a task whose next step is this loop's. */
export function awaitsNetwork(task: Task): boolean {
  return task.lastStatus === "PROVISIONING" || task.lastStatus === "DEPROVISIONING";
}

/** False when someone else was faster. */
function step(deps: EcsDeps, record: StoreRecord): Promise<boolean> {
  const task = record.value as Task;
  if (task.lastStatus === "DEPROVISIONING") return release(deps, record);
  if (task.desiredStatus === "STOPPED") return abandon(deps, record, task);
  return attach(deps, record);
}

async function attach(deps: EcsDeps, record: StoreRecord): Promise<boolean> {
  const task = record.value as Task;
  const now = deps.clock.now();
  const { subnetId } = task.placement;
  assert(subnetId !== undefined, `task ${task.id} was placed without a subnet`);
  const subnet = deps.cache.get(subnetKey(task, subnetId))?.value as Subnet | undefined;
  const address = subnet && freeAddress(deps, subnet);
  if (!subnet || address === undefined) {
    const error = subnet ? "InsufficientFreeAddressesInSubnet" : "InvalidSubnetID.NotFound";
    const reason = `Unexpected EC2 error while attempting to Create Network Interface in subnet '${subnetId}': ${error}`;
    return abandon(deps, record, requestStop(task, { stopCode: "TaskFailedToStart", reason, now }));
  }
  const networkInterface = buildInterface(deps, task, subnet, address);
  const { interfaceId, macAddress, privateIpv4Address } = networkInterface;
  const attachment: InterfaceAttachment = {
    id: task.attachment?.id ?? deps.random.uuid(),
    status: "ATTACHED",
    subnetId,
    networkInterfaceId: interfaceId,
    macAddress,
    privateDnsName: networkInterface.privateDnsName,
    privateIpv4Address,
  };
  const takenKey = addressKey(task, subnetId, privateIpv4Address);
  return commit(
    deps,
    [
      { key: record.key, revision: record.revision },
      { key: takenKey, revision: 0 },
      // Without this the subnet could be deleted under the interface.
      ...revisionOf(deps.cache, subnetKey(task, subnetId)),
    ],
    [
      { key: record.key, value: advance(task, { event: "interfaceAttached", attachment }, now) },
      { key: takenKey, value: { interfaceId } satisfies Address },
      { key: interfaceKey(task, interfaceId), value: networkInterface },
    ],
  );
}

function freeAddress(deps: EcsDeps, subnet: Subnet): number | undefined {
  const isTaken = (address: number): boolean =>
    deps.cache.get(addressKey(subnet, subnet.subnetId, formatAddress(address))) !== undefined;
  return pickAddress(parseCidr(subnet.cidr), isTaken, deps.random.next());
}

function buildInterface(
  deps: EcsDeps,
  task: Task,
  subnet: Subnet,
  address: number,
): NetworkInterface {
  return {
    accountId: task.accountId,
    region: task.region,
    interfaceId: `eni-${deps.random.hex(9).slice(0, 17)}`,
    vpcId: subnet.vpcId,
    subnetId: subnet.subnetId,
    // 02 marks a locally administered address; 40 random bits do not meet again on one machine.
    macAddress: `02:${(deps.random.hex(5).match(/../g) ?? []).join(":")}`,
    privateIpv4Address: formatAddress(address),
    privateDnsName: privateDnsName(address, task.region),
    securityGroups: task.placement.securityGroups ?? [],
    ec2InstanceId: task.placement.ec2InstanceId,
    instanceOwnerId: task.placement.instance.accountId,
    taskArn: taskArn(task, task.clusterName, task.id),
    createdAt: deps.clock.now(),
  };
}

function revisionOf(cache: Cache, key: string): { key: string; revision: number }[] {
  const record = cache.get(key);
  return record ? [{ key, revision: record.revision }] : [];
}

/** Ends a task that no agent has heard of. It has no interface yet, so there is nothing to take back. */
function abandon(deps: EcsDeps, record: StoreRecord, stopped: Task): Promise<boolean> {
  const now = deps.clock.now();
  const ended = advance(stopped, { event: "abandoned" }, now);
  const value = advance(ended, { event: "interfaceReleased" }, now);
  return commit(
    deps,
    [{ key: record.key, revision: record.revision }],
    [{ key: record.key, value }],
  );
}

function release(deps: EcsDeps, record: StoreRecord): Promise<boolean> {
  const task = record.value as Task;
  const value = advance(task, { event: "interfaceReleased" }, deps.clock.now());
  const writes: Write[] = [{ key: record.key, value }, ...interfaceRemovals(task)];
  return commit(deps, [{ key: record.key, revision: record.revision }], writes);
}
