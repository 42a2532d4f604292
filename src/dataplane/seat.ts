import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { CommandRunner } from "./commands.ts";
import { namespaceState, observeTask } from "./observe.ts";
import { type NamespaceState, planSeat, type Seat } from "./router-plan.ts";

/**
 * Gives a task or container its seat at a router, whatever is there of it. `isEmpty`: if its namespace is there, nothing is in
 * it. Throws DataplaneError.
 */
export async function takeSeat(
  runner: CommandRunner,
  seat: Seat,
  log: Log,
  isEmpty = false,
): Promise<void> {
  const { link, namespace, router } = seat;
  const state = await namespaceState(namespace);
  const isNew = state === "absent" || (state === "mounted" && isEmpty);
  if (isNew && (await tryNew(runner, seat, state, log))) return;
  await runner.run(planSeat(seat, await observeTask(runner, namespace, router, link)));
}

/** The usual case, without looking first. False: something of an earlier attempt was in the way. */
async function tryNew(
  runner: CommandRunner,
  seat: Seat,
  namespace: NamespaceState,
  log: Log,
): Promise<boolean> {
  const nothing = { namespace, hasTaskLink: false, hasRouterLink: false };
  try {
    await runner.run(planSeat(seat, nothing));
    return true;
  } catch (error) {
    log.debug("attaching needs a second look", { reason: messageOf(error) });
    return false;
  }
}
