import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { CommandRunner } from "./commands.ts";
import { namespaceState, observeTask } from "./observe.ts";
import { planSeat, type Seat } from "./router-plan.ts";

/** Gives a task or container its seat at a router, whatever is there of it. Throws DataplaneError. */
export async function takeSeat(runner: CommandRunner, seat: Seat, log: Log): Promise<void> {
  const { link, namespace, router } = seat;
  if ((await namespaceState(namespace)) === "absent" && (await tryNew(runner, seat, log))) return;
  await runner.run(planSeat(seat, await observeTask(runner, namespace, router, link)));
}

/** The usual case, without looking first. False: something of an earlier attempt was in the way. */
async function tryNew(runner: CommandRunner, seat: Seat, log: Log): Promise<boolean> {
  const nothing = { namespace: "absent", hasTaskLink: false, hasRouterLink: false } as const;
  try {
    await runner.run(planSeat(seat, nothing));
    return true;
  } catch (error) {
    log.debug("attaching needs a second look", { reason: messageOf(error) });
    return false;
  }
}
