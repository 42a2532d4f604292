import type { TaskOverride } from "@aws-sdk/client-ecs";
import { hasGoodSize } from "../model/container-rules.ts";
import { defined } from "../model/defined.ts";
import { isFargateSize } from "../model/fargate-sizes.ts";
import { hasGoodEnvironment } from "../model/secret-rules.ts";
import type {
  ContainerOverride,
  LaunchType,
  ResourceRequirement,
  TaskOverrides,
} from "../model/task.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import { hasGoodEphemeralStorage } from "../model/task-definition-rules.ts";
import { parseTaskCpu, parseTaskMemory } from "../model/task-size.ts";
import { clientFault, invalid } from "./invalid.ts";
import { checkRoleNames } from "./task-roles.ts";

/** ECS: characters of the overrides as JSON. */
const OVERRIDES_LENGTH_MAX = 8192;

/** The caller's overrides as they are stored, sizes normalised. Throws for what does not fit the definition. */
export function readOverrides(
  given: TaskOverride = {},
  definition: TaskDefinition,
  launchType: LaunchType,
): TaskOverrides {
  if (JSON.stringify(given).length > OVERRIDES_LENGTH_MAX) {
    throw invalid(`Overrides can have up to ${OVERRIDES_LENGTH_MAX} characters.`);
  }
  if (given.inferenceAcceleratorOverrides?.length) {
    throw invalid("Inference accelerators are not available.");
  }
  checkRoleNames(definition.accountId, given);
  const cpu = readSize("cpu", given.cpu, parseTaskCpu);
  const memory = readSize("memory", given.memory, parseTaskMemory);
  requireFargateSize(definition, launchType, { cpu, memory });
  const violation = hasGoodEphemeralStorage(given);
  if (violation !== undefined) throw invalid(violation);
  const sizeInGiB = given.ephemeralStorage?.sizeInGiB;
  return {
    ...defined({
      cpu,
      memory,
      taskRoleArn: given.taskRoleArn,
      executionRoleArn: given.executionRoleArn,
    }),
    ...(sizeInGiB !== undefined && { ephemeralStorage: { sizeInGiB } }),
    containerOverrides: (given.containerOverrides ?? []).map((override) =>
      readContainerOverride(override, definition.document, memory),
    ),
  };
}

function readSize(
  name: "cpu" | "memory",
  text: string | undefined,
  parse: (text: string) => number | undefined,
): string | undefined {
  if (text === undefined) return undefined;
  const size = parse(text);
  if (size === undefined) throw invalid(`Invalid '${name}' setting for task.`);
  return String(size);
}

function requireFargateSize(
  { document }: TaskDefinition,
  launchType: LaunchType,
  {
    cpu = document.cpu,
    memory = document.memory,
  }: { cpu?: string | undefined; memory?: string | undefined },
): void {
  if (launchType !== "FARGATE" || isFargateSize(Number(cpu), Number(memory))) return;
  throw clientFault(
    `No Fargate configuration exists for given values: ${cpu} CPU, ${memory} memory. See the Amazon ECS documentation for the valid values.`,
  );
}

type GivenContainerOverride = NonNullable<TaskOverride["containerOverrides"]>[number];

/** `taskMemory`: the override of the task as a whole. */
function readContainerOverride(
  given: GivenContainerOverride,
  document: TaskDefinition["document"],
  taskMemory: string | undefined,
): ContainerOverride {
  const { name, command, environment, environmentFiles, resourceRequirements } = given;
  const container = document.containerDefinitions?.find((candidate) => candidate.name === name);
  if (!name || container === undefined) {
    throw invalid(
      `Override for container named ${name ?? ""} is not a container in the TaskDefinition.`,
    );
  }
  const files = environmentFiles?.map(({ value = "" }) => ({ value, type: "s3" as const }));
  const { cpu, memory, memoryReservation } = given;
  const overridden = {
    ...container,
    ...defined({ cpu, memory, memoryReservation }),
    environment: environment ?? [],
    environmentFiles: files ?? [],
  };
  const task = { ...document, ...defined({ memory: taskMemory }) };
  const violation = hasGoodSize(overridden, task) ?? hasGoodEnvironment(overridden);
  if (violation !== undefined) throw invalid(violation);
  return {
    name,
    ...defined({
      command,
      cpu,
      memory,
      memoryReservation,
      environmentFiles: files,
      resourceRequirements: resourceRequirements?.map((one) => readRequirement(name, one)),
      environment: environment?.map((pair) => ({ name: pair.name ?? "", value: pair.value ?? "" })),
    }),
  };
}

function readRequirement(
  container: string,
  { type, value, sharingStrategy }: ResourceRequirementGiven,
): ResourceRequirement {
  if (type === "InferenceAccelerator" || type === undefined) {
    throw invalid(`Inference accelerators are no longer available: container ${container}.`);
  }
  // A share of a GPU, and all that a machine has, are no number that could be placed.
  if (sharingStrategy !== undefined || !/^[1-9]\d*$/.test(value ?? "")) {
    throw invalid(`The ${type} value of container ${container} must be a number.`);
  }
  return { type, value: value ?? "" };
}

type ResourceRequirementGiven = NonNullable<GivenContainerOverride["resourceRequirements"]>[number];
