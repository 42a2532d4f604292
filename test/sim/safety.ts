import type { Address, NetworkInterface } from "../../src/ec2/model.ts";
import { addressKey, ec2Kind, interfaceKey } from "../../src/ec2/model.ts";
import { CLUSTER_RETENTION_MS } from "../../src/ecs/control/cluster-reaper.ts";
import { taskArn } from "../../src/ecs/model/arn.ts";
import type { Cluster } from "../../src/ecs/model/cluster.ts";
import type { Instance } from "../../src/ecs/model/instance.ts";
import { ecsKind, instanceKey, unconfirmedStopKey } from "../../src/ecs/model/keys.ts";
import type { Task, UnconfirmedStop } from "../../src/ecs/model/task.ts";
import { rankOf } from "../../src/ecs/model/task-state.ts";
import { ACCESS_KEYS_PREFIX, type AccessKey } from "../../src/iam/model/access-key.ts";
import type { Change } from "../../src/store/store.ts";
import { findOversubscription } from "./host-check.ts";
import { SecretHistory } from "./secret-check.ts";
import type { Trace } from "./trace.ts";
import { Violation } from "./violation.ts";

/** Of a machine in one account: the confirmed one, the one it uses, and the one that is offered. */
const KEYS_MAX = 3;

/** When a task may be deleted, and when it may be given up. */
export interface Limits {
  readonly retentionMs: number;
  readonly lossAfterMs: number;
  /** What the server's clock shows. */
  readonly now: () => number;
  /** What no clock of a machine shows. */
  readonly virtualNow: () => number;
  /** Ids of the keys that machines have on their disks. */
  readonly heldKeys: () => readonly string[];
}

/**
 * Follows every commit and checks what must hold after each of them (`docs/testing.md` has the list). It keeps its own
 * copy of the records, so that it also sees what a commit changed.
 */
export class SafetyChecker {
  readonly #trace: Trace;
  readonly #limits: Limits;
  readonly #records = new Map<string, unknown>();
  /** The same by kind. */
  readonly #byKind = new Map<string, Map<string, unknown>>();
  commitCount = 0;
  /** ARNs of tasks that were deleted when they had been kept long enough. */
  readonly reaped: Set<string> = new Set();
  /** Ids of instances that were out of service at some time: their tasks ended in the books alone. */
  readonly deactivated: Set<string> = new Set();
  /** Ids of tasks that ended in the books when their machine was silent. */
  readonly lost: Set<string> = new Set();
  readonly secrets: SecretHistory;
  /** Since when, in virtual time, each instance is away. */
  readonly #awaySince = new Map<string, number>();

  constructor(trace: Trace, limits: Limits) {
    this.#trace = trace;
    this.#limits = limits;
    this.secrets = new SecretHistory(limits.now);
  }

  /** All records of one kind: `tasks`, `instances`, `network-interfaces`, `addresses`. */
  list<T>(kind: string): readonly T[] {
    return [...this.#kind(kind).values()] as T[];
  }

  count(kind: string): number {
    return this.#kind(kind).size;
  }

  /** The first cluster whose time has come and that is still there. */
  findOverdueCluster(): Cluster | undefined {
    return this.list<Cluster>("clusters").find((one) => isOverdue(one, this.#limits.now()));
  }

  get(key: string): unknown {
    return this.#records.get(key);
  }

  /** Takes one commit. Throws Violation. */
  commit(changes: readonly Change[]): void {
    this.commitCount++;
    const before = changes.map(({ key }) => this.#records.get(key));
    for (const { key, record } of changes) {
      const kind = this.#kind(ecsKind(key) ?? ec2Kind(key) ?? "");
      for (const records of [this.#records, kind]) {
        if (record === undefined) records.delete(key);
        else records.set(key, record.value);
      }
    }
    for (const [index, change] of changes.entries()) this.#record(change, before[index]);
    for (const [index, change] of changes.entries()) this.#check(change, before[index]);
    this.#checkHosts(changes, before);
    this.secrets.commit(changes);
  }

  #kind(kind: string): Map<string, unknown> {
    const known = this.#byKind.get(kind) ?? new Map<string, unknown>();
    this.#byKind.set(kind, known);
    return known;
  }

  #record({ key, record, revision }: Change, before: unknown): void {
    const kind = ecsKind(key);
    if (kind === "tasks" && record !== undefined) {
      const task = record.value as Task;
      const was = before as Task | undefined;
      const what = `${task.lastStatus}${task.desiredStatus === "STOPPED" ? " (to stop)" : ""}`;
      const why = task.stopCode === undefined ? "" : ` ${task.stopCode}: ${task.stoppedReason}`;
      const from = was ? `${was.lastStatus} →` : `new on ${task.placement.ec2InstanceId},`;
      this.#trace.transition(`task ${task.id.slice(0, 8)} ${from} ${what}${why}`);
    } else if (kind === "instances" && record !== undefined) {
      const { id, status, agentConnected, ec2InstanceId } = record.value as Instance;
      if (status === "INACTIVE") this.deactivated.add(id);
      const connected = agentConnected ? "connected" : "not connected";
      if (agentConnected) this.#awaySince.delete(id);
      else if ((before as Instance | undefined)?.agentConnected !== false) {
        this.#awaySince.set(id, this.#limits.virtualNow());
      }
      const where = `${id.slice(0, 8)} on ${ec2InstanceId}`;
      this.#trace.transition(`instance ${where} ${status} ${connected}`);
    } else if (kind === "unconfirmed-stops") {
      const { id } = (record?.value ?? before) as UnconfirmedStop;
      this.lost.add(id);
      this.#trace.transition(
        `task ${id.slice(0, 8)} ${record === undefined ? "is confirmed to have ended" : "is lost with its machine"}`,
      );
    } else this.#trace.event(`${revision} ${key} ${record === undefined ? "deleted" : "written"}`);
  }

  #check({ key, record }: Change, before: unknown): void {
    if (key.startsWith(ACCESS_KEYS_PREFIX))
      this.#checkKeys(record?.value as AccessKey | undefined, before as AccessKey | undefined);
    if (ecsKind(key) === "tasks") {
      this.#checkTask(before as Task | undefined, record?.value as Task | undefined);
    }
    if (ecsKind(key) === "clusters" && record === undefined) {
      this.#checkGone(before as Cluster | undefined);
    }
    if (ecsKind(key) === "unconfirmed-stops") {
      this.#checkLoss(before as UnconfirmedStop | undefined, record?.value as UnconfirmedStop);
    }
    if (ec2Kind(key) === "network-interfaces") {
      this.#checkInterface(record?.value as NetworkInterface | undefined);
    }
    if (ec2Kind(key) === "addresses" && record !== undefined) {
      const { interfaceId } = record.value as Address;
      const owner = this.list<NetworkInterface>("network-interfaces").find(
        (candidate) => candidate.interfaceId === interfaceId,
      );
      if (!owner) throw new Violation("S5", `address ${key} is taken by no interface`);
    }
  }

  /** A machine is never left with keys that nobody knows, and asking again and again piles none up. */
  #checkKeys(after: AccessKey | undefined, before: AccessKey | undefined): void {
    const isGone = before !== undefined && after === undefined;
    if (isGone && this.#limits.heldKeys().includes(before.accessKeyId))
      throw new Violation("S12", `${before.principalArn} has lost its key`);
    if (after?.kind !== "node") return;
    const count = [...this.#records]
      .filter(([key]) => key.startsWith(ACCESS_KEYS_PREFIX))
      .filter(([, value]) => (value as AccessKey).principalArn === after.principalArn).length;
    if (count > KEYS_MAX) throw new Violation("S12", `${after.principalArn} has ${count} keys`);
  }

  #checkTask(before: Task | undefined, after: Task | undefined): void {
    if (after === undefined) {
      if (before !== undefined) this.#checkReaped(before);
      return;
    }
    const name = `task ${after.id}`;
    if (after.lastStatus === "STOPPED") {
      const { stopCode, stoppedReason, stoppedAt, desiredStatus } = after;
      if (!stopCode || !stoppedReason || stoppedAt === undefined || desiredStatus !== "STOPPED") {
        throw new Violation("S2", `${name} is STOPPED without saying why and when`);
      }
    }
    this.#checkAttachment(after);
    if (before === undefined) this.#checkPlacement(after);
    else this.#checkChange(before, after);
  }

  #checkChange(before: Task, after: Task): void {
    const name = `task ${after.id}`;
    if (rankOf(after.lastStatus) < rankOf(before.lastStatus)) {
      throw new Violation("S2", `${name} went from ${before.lastStatus} to ${after.lastStatus}`);
    }
    if (before.desiredStatus === "STOPPED" && after.desiredStatus !== "STOPPED") {
      throw new Violation("S2", `${name} is wanted again`);
    }
    if (before.stopCode !== undefined && reasonOf(before) !== reasonOf(after)) {
      throw new Violation(
        "S2",
        `${name} changed its reason: ${reasonOf(before)}, ${reasonOf(after)}`,
      );
    }
    if (before.lastStatus === "STOPPED" && !isEqual(lastingOf(before), lastingOf(after))) {
      throw new Violation("S2", `${name} changed after its end`);
    }
    if (!isEqual(before.placement, after.placement)) {
      throw new Violation("S3", `${name} was placed again`);
    }
    if (
      after.version <= before.version &&
      !isEqual({ ...before, tags: [] }, { ...after, tags: [] })
    ) {
      throw new Violation("S2", `${name} changed without a new version`);
    }
  }

  #checkReaped(task: Task): void {
    const { now, retentionMs } = this.#limits;
    if (task.lastStatus !== "STOPPED" || now() - (task.stoppedAt ?? now()) < retentionMs) {
      throw new Violation("S8", `task ${task.id} is deleted before its time`);
    }
    this.reaped.add(arnOf(task));
  }

  #checkGone(cluster: Cluster | undefined): void {
    if (cluster === undefined || isOverdue(cluster, this.#limits.now())) return;
    throw new Violation("S8", `cluster ${cluster.name} is deleted before its time`);
  }

  /** An attached task has its interface and its address; one that has ended has neither. */
  #checkAttachment(task: Task): void {
    const { networkInterfaceId, privateIpv4Address, subnetId, status } = task.attachment ?? {};
    if (!networkInterfaceId || !privateIpv4Address || !subnetId) return;
    const eni = this.#records.get(interfaceKey(task, networkInterfaceId));
    const address = this.#records.get(addressKey(task, subnetId, privateIpv4Address)) as
      | Address
      | undefined;
    const isHeld = eni !== undefined && address?.interfaceId === networkInterfaceId;
    if (task.lastStatus !== "STOPPED" && !(isHeld && status === "ATTACHED")) {
      throw new Violation("S5", `task ${task.id} lost its interface while ${task.lastStatus}`);
    }
    const keeps = eni !== undefined || address?.interfaceId === networkInterfaceId;
    if (task.lastStatus !== "STOPPED" || keeps === this.#isUnconfirmed(task)) return;
    throw new Violation(
      "S5",
      `task ${task.id} is STOPPED and ${keeps ? "keeps" : "lost"} its interface`,
    );
  }

  #isUnconfirmed(task: Pick<Task, "accountId" | "region" | "clusterName" | "id">): boolean {
    return this.#records.has(unconfirmedStopKey(task, task.clusterName, task.id));
  }

  /** A task is given up only when its machine has been silent for long enough; its interface goes with the confirmation. */
  #checkLoss(before: UnconfirmedStop | undefined, after: UnconfirmedStop | undefined): void {
    const stop = after ?? before;
    if (stop === undefined) return;
    const { attachment, id, placement } = stop;
    const { networkInterfaceId } = attachment ?? {};
    const isHeld =
      networkInterfaceId !== undefined && this.#records.has(interfaceKey(stop, networkInterfaceId));
    if (networkInterfaceId !== undefined && isHeld !== (after !== undefined)) {
      throw new Violation("S5", `lost task ${id}: its interface is ${isHeld ? "kept" : "gone"}`);
    }
    if (after === undefined || before !== undefined) return;
    const { lossAfterMs, virtualNow } = this.#limits;
    const since = this.#awaySince.get(placement.instance.id);
    // Each jump of a clock may count for a look's time.
    if (since === undefined || virtualNow() - since < lossAfterMs / 2) {
      throw new Violation("S10", `task ${id} is given up though its machine was there`);
    }
  }

  #checkInterface(eni: NetworkInterface | undefined): void {
    if (eni === undefined) return;
    const key = addressKey(eni, eni.subnetId, eni.privateIpv4Address);
    const address = this.#records.get(key) as Address | undefined;
    if (address?.interfaceId !== eni.interfaceId) {
      throw new Violation("S5", `interface ${eni.interfaceId} does not hold its address`);
    }
    const twin = this.list<NetworkInterface>("network-interfaces").find(
      (other) =>
        other.interfaceId !== eni.interfaceId &&
        other.vpcId === eni.vpcId &&
        other.privateIpv4Address === eni.privateIpv4Address,
    );
    if (twin)
      throw new Violation("S5", `${eni.interfaceId} and ${twin.interfaceId} share an address`);
  }

  /** Those that are asked for more: a task keeps what it needs and where it is (S2, S3), so only new ones count. */
  #checkHosts(changes: readonly Change[], before: readonly unknown[]): void {
    const hosts = new Set(
      changes.flatMap(({ key, record }, index) => {
        if (record === undefined) return [];
        if (ecsKind(key) === "instances") return [(record.value as Instance).ec2InstanceId];
        const isNewTask = ecsKind(key) === "tasks" && before[index] === undefined;
        return isNewTask ? [(record.value as Task).placement.ec2InstanceId] : [];
      }),
    );
    for (const host of hosts) this.#checkHost(host);
  }

  /** Both registrations of a machine together take no more than it has. */
  #checkHost(host: string): void {
    const instances = this.list<Instance>("instances").filter(
      ({ ec2InstanceId }) => ec2InstanceId === host,
    );
    const tasks = this.list<Task>("tasks").filter(
      (task) => task.placement.ec2InstanceId === host && task.lastStatus !== "STOPPED",
    );
    const excess = findOversubscription(instances, tasks);
    if (excess !== undefined) throw new Violation("S1", `${host} gives ${excess}`);
  }

  /** Only machines that are in service and connected are given tasks. */
  #checkPlacement({ id, placement: { ec2InstanceId, instance } }: Task): void {
    const unconfirmed = this.list<UnconfirmedStop>("unconfirmed-stops").find(
      ({ placement }) => placement.ec2InstanceId === ec2InstanceId,
    );
    if (unconfirmed) {
      throw new Violation("S3", `task ${id} is placed where ${unconfirmed.id} may still run`);
    }
    const key = instanceKey(instance, instance.clusterName, instance.id);
    const { agentConnected, status } = this.#records.get(key) as Instance;
    if (status !== "ACTIVE" || !agentConnected) {
      const state = agentConnected ? status : `${status} and not connected`;
      throw new Violation("S3", `task ${id} is placed on ${instance.id}, which is ${state}`);
    }
  }
}

/** The ARN of a task record. */
export function arnOf(task: Task): string {
  return taskArn(task, task.clusterName, task.id);
}

function reasonOf({ stopCode, stoppedReason }: Task): string {
  return `${stopCode}: ${stoppedReason}`;
}

/** Records are JSON documents whose members keep their order. */
/** What of a task that has stopped may not change any more: of a lost one its machine has yet to confirm the end. */
function lastingOf({ isUnconfirmed: _, confirmedAt: __, version: ___, ...task }: Task): object {
  return { ...task, tags: [] };
}

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Whether a cluster was deleted so long ago that its record must go. */
function isOverdue({ status, inactiveSince }: Cluster, now: number): boolean {
  return status === "INACTIVE" && now - (inactiveSince ?? now) >= CLUSTER_RETENTION_MS;
}
