import type { Dataplane } from "../dataplane/dataplane.ts";
import type { Agent } from "./agent.ts";
import { containerIdOf } from "./container-spec.ts";
import { taskIdOf } from "./task-record.ts";
import { type UntilDoneDeps, untilDone } from "./until-done.ts";

export interface StrayNetworksDeps extends UntilDoneDeps {
  /** All of this machine's: a network that none of them claims is nobody's. */
  readonly agents: readonly Pick<Agent, "recovered" | "tasks">[];
  readonly dataplane: Pick<Dataplane, "namespaces" | "detach" | "detachBridge">;
}

/**
 * Removes, once after the start, the network namespaces that no agent's record claims. An agent that lost its directory when a
 * task had a network and no container yet finds no trace of that task; only the kernel still has one.
 */
export async function removeStrayNetworks(
  deps: StrayNetworksDeps,
  signal: AbortSignal,
): Promise<void> {
  const { agents } = deps;
  for (const agent of agents) await agent.recovered(signal);
  await untilDone(
    deps,
    "cannot remove the networks of unknown tasks yet",
    () => sweep(deps),
    signal,
  );
}

async function sweep({ agents, dataplane, log }: StrayNetworksDeps): Promise<void> {
  const { containerIds, taskIds } = await dataplane.namespaces();
  // Read after the list: whoever took a network meanwhile is known by now. A task that comes after this look waits for its turn
  // with the dataplane, which first removes what was left under its name.
  const records = agents.flatMap((agent) => agent.tasks());
  const tasks = new Set(records.map(({ task }) => taskIdOf(task.arn)));
  const containers = new Set(
    records.flatMap(({ containers, task }) =>
      containers.map(({ name }) => containerIdOf(task.arn, name)),
    ),
  );
  const strayTasks = taskIds.filter((id) => !tasks.has(id));
  const strayContainers = containerIds.filter((id) => !containers.has(id));
  for (const task of strayTasks) log.warn("removing the network of an unknown task", { task });
  for (const id of strayContainers)
    log.warn("removing the network of an unknown container", { id });
  await Promise.all([
    ...strayTasks.map((id) => dataplane.detach(id)),
    ...strayContainers.map((id) => dataplane.detachBridge(id)),
  ]);
}
