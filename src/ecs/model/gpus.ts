import type { ContainerDefinition } from "@aws-sdk/client-ecs";
import type { TaskOverrides } from "./task.ts";
import type { TaskDefinitionDocument } from "./task-definition.ts";

/** How many GPUs each container of a task has for itself, in the order of the definition; overrides replace what it says. */
export function gpuCountsOf(
  { containerDefinitions = [] }: TaskDefinitionDocument,
  { containerOverrides }: TaskOverrides,
): readonly number[] {
  return containerDefinitions.map((container) => {
    const override = containerOverrides.find(({ name }) => name === container.name);
    return gpuCountOf(override?.resourceRequirements ?? container.resourceRequirements);
  });
}

/** The container whose GPUs are no number that could be placed: all that a machine has, or a share of one. */
export function uncountedGpus({
  containerDefinitions = [],
}: TaskDefinitionDocument): string | undefined {
  return containerDefinitions.find(({ resourceRequirements = [] }) =>
    resourceRequirements.some(({ type, value }) => type === "GPU" && !/^\d+$/.test(value ?? "")),
  )?.name;
}

function gpuCountOf(
  requirements: ContainerDefinition["resourceRequirements"] | readonly Given[] = [],
): number {
  return requirements
    .filter(({ type }) => type === "GPU")
    .reduce((sum, { value }) => sum + Number(value), 0);
}

interface Given {
  readonly type: string;
  readonly value: string;
}
