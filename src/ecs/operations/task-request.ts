import type { RunTaskRequest } from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import { ApiError } from "../../lib/errors.ts";
import type { Cache } from "../../store/cache.ts";
import type { Cluster, Tag } from "../model/cluster.ts";
import { uncountedGpus } from "../model/gpus.ts";
import { isStartedBy } from "../model/names.ts";
import type { TaskSpec } from "../model/new-task.ts";
import {
  findTagCountViolation,
  findTagViolation,
  mergeTags,
  normaliseTags,
} from "../model/tags.ts";
import type { LaunchType } from "../model/task.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import type { SubnetChoice } from "../scheduler/snapshot.ts";
import { clientFault, invalid, quoted } from "./invalid.ts";
import { findDefinition, scopeOf } from "./resolve.ts";
import { readNetwork } from "./task-network.ts";
import { readOverrides } from "./task-overrides.ts";

/** What RunTask and StartTask have in common. */
export type TaskRequest = Pick<
  RunTaskRequest,
  | "enableECSManagedTags"
  | "enableExecuteCommand"
  | "group"
  | "networkConfiguration"
  | "overrides"
  | "platformVersion"
  | "propagateTags"
  | "startedBy"
  | "tags"
  | "taskDefinition"
  | "volumeConfigurations"
>;

/** A request that makes sense: what to run, and in which subnets. */
export interface ReadTaskRequest {
  readonly spec: TaskSpec;
  readonly subnets?: readonly SubnetChoice[];
}

/** ECS: longest group name. */
const GROUP_LENGTH_MAX = 255;
/** The one platform there is. */
const PLATFORM_VERSION = "1.4.0";

/** Reads what is to be run. Throws as ECS does for what cannot be. */
export function readTaskRequest(
  cache: Cache,
  cluster: Cluster,
  input: TaskRequest,
  launchType: LaunchType,
  call: Call,
): ReadTaskRequest {
  const definition = requireDefinition(cache, input, launchType, call);
  const network = readNetwork(cache, cluster, definition, input.networkConfiguration);
  if (input.volumeConfigurations?.length) throw invalid("EBS volumes are not available yet.");
  const platformVersion = readPlatformVersion(input, launchType);
  const startedBy = readStartedBy(input);
  return {
    spec: {
      accountId: cluster.accountId,
      region: cluster.region,
      clusterName: cluster.name,
      definition,
      launchType,
      group: readGroup(input, definition),
      enableExecuteCommand: input.enableExecuteCommand ?? false,
      tags: readTags(input, cluster, definition),
      overrides: readOverrides(input.overrides, definition, launchType),
      securityGroups: network?.securityGroups ?? [],
      ...(startedBy !== undefined && { startedBy }),
      ...(platformVersion !== undefined && { platformVersion }),
    },
    ...(network && { subnets: network.subnets }),
  };
}

function requireDefinition(
  cache: Cache,
  { taskDefinition = "" }: TaskRequest,
  launchType: LaunchType,
  call: Call,
): TaskDefinition {
  const definition = findDefinition(cache, scopeOf(call), taskDefinition);
  if (!definition) throw clientFault("TaskDefinition not found.");
  if (definition.status !== "ACTIVE") throw clientFault("TaskDefinition is inactive");
  if (!definition.document.compatibilities?.includes(launchType)) {
    throw invalid(`Task definition does not support launch_type ${launchType}.`);
  }
  const uncounted = uncountedGpus(definition.document);
  if (uncounted !== undefined) {
    throw invalid(`GPUs by ALL or shared are not available yet: container ${uncounted}.`);
  }
  return definition;
}

function readPlatformVersion(
  { platformVersion }: TaskRequest,
  launchType: LaunchType,
): string | undefined {
  if (launchType !== "FARGATE") {
    if (!platformVersion) return undefined;
    throw invalid(
      `The platform version must be null when specifying an ${launchType} launch type.`,
    );
  }
  if (!platformVersion || platformVersion === "LATEST") return PLATFORM_VERSION;
  if (platformVersion === PLATFORM_VERSION) return platformVersion;
  throw new ApiError(
    "PlatformUnknownException",
    `The specified platform version does not exist: ${platformVersion}.`,
  );
}

function readStartedBy({ startedBy }: TaskRequest): string | undefined {
  if (!startedBy) return undefined;
  if (isStartedBy(startedBy)) return startedBy;
  throw invalid(
    `Invalid startedBy ${quoted(startedBy)}: it has up to 128 letters, digits, hyphens, underscores and slashes.`,
  );
}

function readGroup({ group }: TaskRequest, { family }: TaskDefinition): string {
  if (!group) return `family:${family}`;
  if (group.length > GROUP_LENGTH_MAX) {
    throw invalid(`Invalid group ${quoted(group)}: it has up to ${GROUP_LENGTH_MAX} characters.`);
  }
  if (/^(family|service):/.test(group)) {
    throw invalid(`Invalid group ${quoted(group)}: it cannot begin with 'family:' or 'service:'.`);
  }
  return group;
}

function readTags(
  input: TaskRequest,
  cluster: Cluster,
  definition: TaskDefinition,
): readonly Tag[] {
  const violation = findTagViolation(input.tags);
  if (violation !== undefined) throw invalid(violation);
  if (input.propagateTags === "SERVICE") {
    throw invalid("Tags can only be propagated from a service to the tasks that it starts.");
  }
  const base = input.propagateTags === "TASK_DEFINITION" ? definition.tags : [];
  const managed = input.enableECSManagedTags
    ? [{ key: "aws:ecs:clusterName", value: cluster.name }]
    : [];
  const tags = mergeTags(base, normaliseTags(input.tags));
  const countViolation = findTagCountViolation(tags);
  if (countViolation !== undefined) throw invalid(countViolation);
  return [...tags, ...managed];
}
