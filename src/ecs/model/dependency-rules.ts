import type { ContainerDefinition, RegisterTaskDefinitionRequest } from "@aws-sdk/client-ecs";

/**
 * What is wrong with how the containers of a definition refer to each other (`dependsOn`, `volumesFrom`, `links`), as the
 * message of a ClientException.
 */
export function findDependencyViolation({
  containerDefinitions = [],
}: RegisterTaskDefinitionRequest): string | undefined {
  for (const container of containerDefinitions) {
    const violation =
      findReferenceViolation(container, containerDefinitions) ??
      findConditionViolation(container, containerDefinitions);
    if (violation !== undefined) return violation;
  }
  const inCycle = findCycle(containerDefinitions);
  return inCycle === undefined ? undefined : `Container '${inCycle}' depends on itself.`;
}

function findReferenceViolation(
  container: ContainerDefinition,
  all: readonly ContainerDefinition[],
): string | undefined {
  const referred = [
    ...(container.dependsOn ?? []).map(({ containerName }) => containerName ?? ""),
    ...(container.volumesFrom ?? []).map(({ sourceContainer }) => sourceContainer ?? ""),
    ...(container.links ?? []).map((link) => link.split(":")[0] ?? ""),
  ];
  const unknown = referred.find((name) => !all.some((other) => other.name === name));
  if (unknown !== undefined) {
    return `Invalid setting for container '${container.name}'. It refers to container '${unknown}', which is not in the task definition.`;
  }
  return undefined;
}

function findConditionViolation(
  container: ContainerDefinition,
  all: readonly ContainerDefinition[],
): string | undefined {
  for (const { containerName, condition } of container.dependsOn ?? []) {
    const dependency = all.find(({ name }) => name === containerName);
    const isToExit = condition === "COMPLETE" || condition === "SUCCESS";
    if (isToExit && dependency?.essential !== false) {
      return `Invalid setting for container '${container.name}'. The essential container '${containerName}' cannot be a dependency with condition ${condition}.`;
    }
    if (condition === "HEALTHY" && dependency?.healthCheck === undefined) {
      return `Invalid setting for container '${container.name}'. Container '${containerName}' has no health check to be HEALTHY by.`;
    }
  }
  return undefined;
}

/** A container that can only start after itself. */
function findCycle(all: readonly ContainerDefinition[]): string | undefined {
  const waitsFor = new Map(
    all.map((container) => [
      container.name ?? "",
      (container.dependsOn ?? []).map(({ containerName }) => containerName ?? ""),
    ]),
  );
  const reaches = (from: string, target: string, seen: Set<string>): boolean =>
    (waitsFor.get(from) ?? []).some((name) => {
      if (name === target) return true;
      if (seen.has(name)) return false;
      seen.add(name);
      return reaches(name, target, seen);
    });
  return [...waitsFor.keys()].find((name) => reaches(name, name, new Set()));
}
