import type { Tag } from "./cluster.ts";
import type { Scope } from "./keys.ts";
import type { StopCode } from "./task.ts";

/** A container instance: one agent's registration of one machine into one cluster. */
export interface Instance extends Scope {
  readonly clusterName: string;
  /** 32 lowercase hex. */
  readonly id: string;
  /**
   * The machine, from the instance identity document (`i-…`); the instance id itself for agents without one. Several
   * instances with the same value are one machine: they share its CPU, memory and ports.
   */
  readonly ec2InstanceId: string;
  /** From the identity document. */
  readonly privateIpAddress?: string;
  readonly status: "ACTIVE" | "DRAINING" | "INACTIVE";
  /** True while its ACS websocket is open. Only control/dispatcher writes it. */
  readonly agentConnected: boolean;
  readonly registered: HostResources;
  readonly attributes: readonly Attribute[];
  readonly versionInfo: {
    readonly agentVersion?: string;
    readonly agentHash?: string;
    readonly dockerVersion?: string;
  };
  readonly registeredAt: number;
  readonly tags: readonly Tag[];
  /** The newest registration that counted: what tells repeated and belated ones. */
  readonly registration?: {
    /** The agent's, drawn once for each start of its process. */
    readonly clientToken?: string;
    /** By the machine's clock. */
    readonly signedAt: number;
  };
  /** Since when its agent is away; absent while it is connected. Written with `agentConnected`. */
  readonly disconnectedAt?: number;
  /** INACTIVE only. */
  readonly retired?: Retirement;
}

/** Why an instance is out of service: how the tasks that it had end. */
export interface Retirement {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly stopCode: StopCode;
  readonly reason: string;
}

/** What a machine has to give, or what a task takes of it. */
export interface HostResources {
  /** 1024 is one vCPU. */
  readonly cpuUnits: number;
  readonly memoryMiB: number;
  /** TCP host ports in use. */
  readonly ports: readonly number[];
  readonly portsUdp: readonly number[];
  /** Ids. Absent: none. */
  readonly gpus?: readonly string[];
}

/** Name-only for most capabilities. */
export interface Attribute {
  readonly name: string;
  readonly value?: string;
}

/**
 * The record that every placement on a machine compares and rewrites, so that two placements cannot both take the last MiB; and
 * every new instance of it, so that a registration which comes twice makes one.
 */
export interface Host {
  readonly ec2InstanceId: string;
  /** Placements so far. */
  readonly placements: number;
}

/** The instance out of service: no task can be placed on it any more, and those that it has end as `retired` says. */
export function retire(instance: Instance, retired: Retirement): Instance {
  const { disconnectedAt: _, ...rest } = instance;
  return { ...rest, status: "INACTIVE", agentConnected: false, retired };
}

/** The value of an attribute; empty for one that is a name only, undefined where the instance has none. */
export function attributeOf(instance: Instance, name: string): string | undefined {
  const attribute = instance.attributes.find((candidate) => candidate.name === name);
  return attribute && (attribute.value ?? "");
}

/** ECS: the built-in attribute that says where an instance is. */
export function availabilityZoneOf(instance: Instance): string | undefined {
  return attributeOf(instance, "ecs.availability-zone");
}

/** What instances outside of EC2 say, and the tasks that are for them ask for. */
export const EXTERNAL_ATTRIBUTE = "ecs.capability.external";

/** ECS: whether an instance is outside of EC2. */
export function isExternal(instance: Instance): boolean {
  return attributeOf(instance, EXTERNAL_ATTRIBUTE) !== undefined;
}
