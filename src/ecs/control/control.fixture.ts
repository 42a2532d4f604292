import { createHash } from "node:crypto";
import {
  type SecurityGroup,
  type Subnet,
  securityGroupKey,
  subnetKey,
  type Vpc,
  vpcKey,
} from "../../ec2/model.ts";
import { findRole } from "../../iam/model/find.ts";
import { InvariantError } from "../../lib/errors.ts";
import { silentLog } from "../../lib/log.ts";
import type { MessageSocket } from "../../lib/message-socket.ts";
import type { Random } from "../../lib/random.ts";
import { VirtualClock } from "../../lib/virtual-clock.ts";
import { createCache } from "../../store/cache.ts";
import type { IndexDefinitions } from "../../store/cache-index.ts";
import { openMemoryStore } from "../../store/memory.ts";
import type { StoreRecord, Write } from "../../store/store.ts";
import type { Cluster } from "../model/cluster.ts";
import { buildInstance } from "../model/instance.fixture.ts";
import type { Instance } from "../model/instance.ts";
import { clusterKey, instanceKey, taskDefinitionKey, taskKey } from "../model/keys.ts";
import type { Task } from "../model/task.ts";
import type { TaskDefinition, TaskDefinitionDocument } from "../model/task-definition.ts";
import type { EcsDeps } from "./deps.ts";
import { ecsIndexes } from "./indexes.ts";
import { TelemetryBook } from "./telemetry-book.ts";

/** Lets everything run that needs no time to pass. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
}

/** Random bytes that are the same in every run, and never the same twice in one. */
export function countingRandom(): Random {
  let count = 0;
  const bytes = (length: number): Uint8Array => {
    const blocks = Array.from({ length: Math.ceil(length / 32) }, () =>
      createHash("sha256").update(String(count++)).digest(),
    );
    return Buffer.concat(blocks).subarray(0, length);
  };
  const hex = (length: number): string => Buffer.from(bytes(length)).toString("hex");
  return {
    next: () => Buffer.from(bytes(4)).readUInt32BE() / 2 ** 32,
    hex,
    uuid: () => hex(16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5"),
    bytes,
  };
}

/** The orchestrator's surroundings in memory, under a clock that stands still. */
export interface World extends EcsDeps, AsyncDisposable {
  readonly clock: VirtualClock;
  put(...writes: readonly Write[]): Promise<void>;
  /** The value of a record that must be there. */
  value<T>(key: string): T;
  task(task: Task): Task;
  instance(instance: Instance): Instance;
  /** Runs a loop until the world ends. */
  run(loop: (signal: AbortSignal) => Promise<void>): void;
}

/** `indexes`: what the test needs beside the orchestrator's own. */
export async function openWorld(indexes: IndexDefinitions = {}): Promise<World> {
  const store = openMemoryStore();
  const cache = createCache({ store, indexes: { ...ecsIndexes, ...indexes }, log: silentLog });
  const end = new AbortController();
  const loops: Promise<void>[] = [];
  const run = (loop: (signal: AbortSignal) => Promise<void>): void => {
    loops.push(loop(end.signal));
  };
  const following = new AbortController();
  const followed = cache.run(following.signal);
  await cache.reached(0);
  const value = <T>(key: string): T => {
    const record: StoreRecord | undefined = cache.get(key);
    if (!record) throw new InvariantError(`there is no ${key}`);
    return record.value as T;
  };
  return {
    store,
    cache,
    clock: new VirtualClock(Date.UTC(2026, 0, 1)),
    random: countingRandom(),
    log: silentLog,
    telemetry: new TelemetryBook(),
    // Whom a role trusts is IAM's to say, and tested there.
    serviceTrust: ({ roleArn, accountId }) => {
      const role = findRole(cache, roleArn);
      return role?.accountId === accountId ? role : undefined;
    },
    put: async (...writes) => {
      const result = await store.txn([], writes);
      if (result.ok) await cache.reached(result.revision);
      await settle();
    },
    value,
    task: (task) => value(taskKey(task, task.clusterName, task.id)),
    instance: (instance) => value(instanceKey(instance, instance.clusterName, instance.id)),
    run,
    [Symbol.asyncDispose]: async () => {
      end.abort();
      await Promise.all(loops);
      following.abort();
      await followed;
      await store.close();
    },
  };
}

export function writeTask(task: Task): Write {
  return { key: taskKey(task, task.clusterName, task.id), value: task };
}

export function writeInstance(overrides: Partial<Instance> = {}): Write {
  const instance = buildInstance(overrides);
  return { key: instanceKey(instance, instance.clusterName, instance.id), value: instance };
}

export function writeCluster(overrides: Partial<Cluster> = {}): Write {
  const cluster: Cluster = {
    accountId: "111111111111",
    region: "us-east-1",
    name: "demo",
    status: "ACTIVE",
    settings: [],
    tags: [],
    createdAt: 1_000,
    ...overrides,
  };
  return { key: clusterKey(cluster, cluster.name), value: cluster };
}

/** Revision 1 of family `hello`, which `buildTask()` is of. */
export function writeDefinition(document: Partial<TaskDefinitionDocument> = {}): Write {
  const definition: TaskDefinition = {
    accountId: "111111111111",
    region: "us-east-1",
    family: "hello",
    revision: 1,
    status: "ACTIVE",
    document: {
      family: "hello",
      containerDefinitions: [{ name: "web", image: "hello", essential: true }],
      ...document,
    },
    registeredAt: 1_000,
    registeredBy: "arn:aws:iam::111111111111:root",
    tags: [],
  };
  return { key: taskDefinitionKey(definition, "hello", 1), value: definition };
}

/** `vpc-1` with `subnet-1` and its default group `sg-1`. */
export function writeNetwork(subnetCidr = "172.31.0.0/20"): Write[] {
  const scope = { accountId: "111111111111", region: "us-east-1" };
  const vpc: Vpc = { ...scope, vpcId: "vpc-1", cidr: "172.31.0.0/16", isDefault: true };
  const subnet: Subnet = {
    ...scope,
    subnetId: "subnet-1",
    vpcId: "vpc-1",
    cidr: subnetCidr,
    availabilityZone: "us-east-1a",
    isDefault: true,
  };
  const group: SecurityGroup = {
    ...scope,
    groupId: "sg-1",
    vpcId: "vpc-1",
    groupName: "default",
    description: "default VPC security group",
  };
  return [
    { key: vpcKey(scope, "vpc-1"), value: vpc },
    { key: subnetKey(scope, "subnet-1"), value: subnet },
    { key: securityGroupKey(scope, "sg-1"), value: group },
  ];
}

/** The far end of a connection: what a node has received, and its way to answer. */
export interface Peer<Message> {
  /** What the server is given. */
  readonly socket: MessageSocket;
  readonly received: readonly Message[];
  readonly closed: { readonly code: number; readonly reason: string } | undefined;
  send(text: string): void;
  close(code: number): void;
  /** Pretends that the node has stopped reading. */
  stall(bufferedBytes: number): void;
}

export function connectPeer<Message>(): Peer<Message> {
  const received: Message[] = [];
  let closed: { code: number; reason: string } | undefined;
  let bufferedBytes = 0;
  let onMessage: (text: string) => void = () => undefined;
  let onClose: (code: number, reason: string) => void = () => undefined;
  const close = (code: number, reason: string): void => {
    if (closed) return;
    closed = { code, reason };
    queueMicrotask(() => onClose(code, reason));
  };
  return {
    socket: {
      send: (text) => {
        if (!closed) received.push(JSON.parse(text) as Message);
      },
      get bufferedBytes() {
        return bufferedBytes;
      },
      close,
      onMessage: (listener) => {
        onMessage = listener;
      },
      onClose: (listener) => {
        onClose = listener;
      },
    },
    received,
    get closed() {
      return closed;
    },
    send: (text) => queueMicrotask(() => onMessage(text)),
    close: (code) => close(code, ""),
    stall: (bytes) => {
      bufferedBytes = bytes;
    },
  };
}
