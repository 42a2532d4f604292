import type {
  AutoScalingGroupProvider as GivenGroup,
  AutoScalingGroupProviderUpdate as GivenGroupUpdate,
  ManagedScaling as GivenScaling,
} from "@aws-sdk/client-ecs";
import type { Tag } from "./cluster.ts";
import type { Scope } from "./keys.ts";

/** A capacity provider that a user made. FARGATE and FARGATE_SPOT are always there and not stored. */
export interface CapacityProvider extends Scope {
  readonly name: string;
  readonly status: "ACTIVE" | "INACTIVE";
  readonly updateStatus: "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "DELETE_COMPLETE";
  readonly autoScalingGroup: AutoScalingGroup;
  readonly tags: readonly Tag[];
  readonly createdAt: number;
}

export interface AutoScalingGroup {
  /** ARN or name, as it was given; it never changes. */
  readonly autoScalingGroupArn: string;
  readonly managedScaling: ManagedScaling;
  readonly managedTerminationProtection: "ENABLED" | "DISABLED";
  readonly managedDraining: "ENABLED" | "DISABLED";
}

export interface ManagedScaling {
  readonly status: "ENABLED" | "DISABLED";
  /** Percent. */
  readonly targetCapacity: number;
  readonly minimumScalingStepSize: number;
  readonly maximumScalingStepSize: number;
  /** Seconds. */
  readonly instanceWarmupPeriod: number;
}

/** The providers that every account has, by the names that nobody else can take. */
export const FARGATE_PROVIDERS: readonly string[] = ["FARGATE", "FARGATE_SPOT"];

/** True for FARGATE and FARGATE_SPOT. */
export function isFargateProvider(name: string): boolean {
  return FARGATE_PROVIDERS.includes(name);
}

/** What is wrong with the name of a new provider, as the message of a ClientException. */
export function findProviderNameViolation(name: string): string | undefined {
  if (!/^[A-Za-z0-9_-]{1,255}$/.test(name)) {
    return "The specified capacity provider name is invalid. Up to 255 characters are allowed, including letters (upper and lowercase), numbers, underscores, and hyphens. Specify a valid name and try again.";
  }
  return /^(aws|ecs|fargate)/i.test(name)
    ? 'The specified capacity provider name is invalid. A name cannot be prefixed with "aws", "ecs", or "fargate". Specify a valid name and try again.'
    : undefined;
}

/** ECS: what a group's settings are where the caller says nothing (`ecs-behaviour` §4.7). */
const INITIAL_SCALING: ManagedScaling = {
  status: "DISABLED",
  targetCapacity: 100,
  minimumScalingStepSize: 1,
  maximumScalingStepSize: 10_000,
  instanceWarmupPeriod: 300,
};

/** A new group, defaults filled in. */
export function newGroup(given: GivenGroup): AutoScalingGroup {
  const initial: AutoScalingGroup = {
    autoScalingGroupArn: given.autoScalingGroupArn ?? "",
    managedScaling: INITIAL_SCALING,
    managedTerminationProtection: "DISABLED",
    managedDraining: "ENABLED",
  };
  return updateGroup(initial, given);
}

/** A group after an update: what the caller does not say stays. */
export function updateGroup(before: AutoScalingGroup, given: GivenGroupUpdate): AutoScalingGroup {
  return {
    autoScalingGroupArn: before.autoScalingGroupArn,
    managedScaling: updateScaling(before.managedScaling, given.managedScaling),
    managedTerminationProtection:
      given.managedTerminationProtection ?? before.managedTerminationProtection,
    managedDraining: given.managedDraining ?? before.managedDraining,
  };
}

function updateScaling(before: ManagedScaling, given: GivenScaling = {}): ManagedScaling {
  return {
    status: given.status ?? before.status,
    targetCapacity: given.targetCapacity ?? before.targetCapacity,
    minimumScalingStepSize: given.minimumScalingStepSize ?? before.minimumScalingStepSize,
    maximumScalingStepSize: given.maximumScalingStepSize ?? before.maximumScalingStepSize,
    instanceWarmupPeriod: given.instanceWarmupPeriod ?? before.instanceWarmupPeriod,
  };
}

/** EC2 Auto Scaling: characters of a group's ARN. */
const GROUP_LENGTH_MAX = 1600;
const BOUNDS = [
  ["targetCapacity", 1, 100],
  ["minimumScalingStepSize", 1, 10_000],
  ["maximumScalingStepSize", 1, 10_000],
  ["instanceWarmupPeriod", 0, 10_000],
] as const;

/** What is wrong with a complete group, as the message of a ClientException. */
export function findGroupViolation(group: AutoScalingGroup): string | undefined {
  const { managedScaling } = group;
  if (!group.autoScalingGroupArn || group.autoScalingGroupArn.length > GROUP_LENGTH_MAX) {
    return "The specified Auto Scaling group ARN is invalid. Specify a valid ARN and try again.";
  }
  for (const [name, min, max] of BOUNDS) {
    const value = managedScaling[name];
    if (!Number.isInteger(value) || value < min || value > max) {
      return `The managed scaling setting for the capacity provider is invalid. ${name} must be between ${min} and ${max}.`;
    }
  }
  if (managedScaling.minimumScalingStepSize > managedScaling.maximumScalingStepSize) {
    return "The managed scaling setting for the capacity provider is invalid. minimumScalingStepSize must not exceed maximumScalingStepSize.";
  }
  return group.managedTerminationProtection === "ENABLED" && managedScaling.status === "DISABLED"
    ? "The managed termination protection setting for the capacity provider is invalid. To enable managed termination protection for a capacity provider, managed scaling must be enabled."
    : undefined;
}
