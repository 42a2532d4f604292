import type { PayloadContainer } from "../protocol/acs.ts";
import { parseLink } from "./links.ts";

type Dependencies = NonNullable<PayloadContainer["dependsOn"]>;

/**
 * What must have happened before a container starts: what it depends on, and the start of what it links to and of what it
 * takes volumes from. (ECS waits for the latter to be created only; a container of ours is created when it starts.)
 */
export function dependenciesOf(container: PayloadContainer): Dependencies {
  const started = [
    ...(container.links ?? []).map((text) => parseLink(text).name),
    ...(container.volumesFrom ?? []).map(({ sourceContainer }) => sourceContainer),
  ];
  return [
    ...(container.dependsOn ?? []),
    ...started.map((containerName) => ({ containerName, condition: "START" as const })),
  ];
}
