import type { Log } from "../lib/log.ts";
import type { GantryNode } from "../node.ts";

/** Tells whoever stops a node what goes on running without it. */
export async function reportWhatStays(node: GantryNode, log: Log): Promise<void> {
  const count = await node.runningContainers();
  if (count === 0) return;
  log.info(
    `${count} ${count === 1 ? "container keeps" : "containers keep"} running; the next start adopts them, 'gantry down' removes them`,
  );
}
