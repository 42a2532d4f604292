import type { ContainerDefinition, RegisterTaskDefinitionRequest } from "@aws-sdk/client-ecs";

/** One thing that can be wrong with a container of a definition: the message of a ClientException, or undefined. */
export type ContainerRule = (
  container: ContainerDefinition,
  task: RegisterTaskDefinitionRequest,
) => string | undefined;

/** The beginning of what ECS says about one container. */
export function about({ name }: ContainerDefinition, what: string): string {
  return `Invalid setting for container '${name}'. ${what}`;
}

/** The first value that was there before; undefined when all differ. */
export function firstDuplicate<T>(values: readonly T[]): T | undefined {
  const seen = new Set<T>();
  return values.find((value) => seen.size === seen.add(value).size);
}
