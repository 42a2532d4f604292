import type { ContainerDefinition, RegisterTaskDefinitionRequest } from "@aws-sdk/client-ecs";
import { about } from "./rule.ts";

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
  const unknown = (names: readonly string[] = []): string | undefined =>
    names.find((name) => !all.some((other) => other.name === name));
  const waitsFor = unknown(container.dependsOn?.map(({ containerName = "" }) => containerName));
  if (waitsFor !== undefined) {
    return `Cannot depend on container ${waitsFor} because it does not exist.`;
  }
  const source = unknown(container.volumesFrom?.map(({ sourceContainer = "" }) => sourceContainer));
  if (source !== undefined) return `Invalid 'volumesFrom' setting. Unknown container: '${source}'.`;
  const linked = unknown(container.links?.map((link) => link.split(":")[0] ?? ""));
  return linked === undefined
    ? undefined
    : about(container, `It links to container '${linked}', which is not in the task definition.`);
}

function findConditionViolation(
  container: ContainerDefinition,
  all: readonly ContainerDefinition[],
): string | undefined {
  for (const { containerName, condition } of container.dependsOn ?? []) {
    const dependency = all.find(({ name }) => name === containerName);
    const isToExit = condition === "COMPLETE" || condition === "SUCCESS";
    if (isToExit && dependency?.essential !== false) {
      return "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container.";
    }
    if (condition === "HEALTHY" && dependency?.healthCheck === undefined) {
      return "A dependency container with HEALTHY condition must have health check configured.";
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
