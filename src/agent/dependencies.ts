import type { PayloadContainer } from "../protocol/acs.ts";
import { parseLink } from "./links.ts";

/** `CREATE`: it has run. The ECS agent's name for what `volumesFrom` waits for. */
export interface Dependency {
  readonly containerName: string;
  readonly condition: NonNullable<PayloadContainer["dependsOn"]>[number]["condition"] | "CREATE";
}

/**
 * What must have happened before a container starts: what it depends on, and the start of what it links to and of what it
 * takes volumes from. (ECS waits for the latter to be created only; a container of ours is created when it starts.)
 */
export function dependenciesOf(container: PayloadContainer): readonly Dependency[] {
  const created = [
    ...(container.links ?? []).map((text) => parseLink(text).name),
    ...(container.volumesFrom ?? []).map(({ sourceContainer }) => sourceContainer),
  ];
  return [
    ...(container.dependsOn ?? []),
    ...created.map((containerName) => ({ containerName, condition: "CREATE" as const })),
  ];
}
