import { spawnJournalThread } from "../store/sqlite-spawn.ts";
import type { Invocation } from "./command.ts";
import { aborted, enterForeground } from "./foreground.ts";
import { unit } from "./unit.ts";

/** `gantry server`: the control plane alone, until it is asked to stop. */
export async function server({ settings, switches }: Invocation): Promise<number> {
  if (switches.has("print-unit")) return unit("server", settings);
  const { log, stop } = enterForeground(settings.logLevel);
  const journalThread = spawnJournalThread();
  const { openControlPlane } = await import("./control-plane.ts");
  await using plane = await openControlPlane(settings, { command: "server", journalThread, log });
  if (!stop.aborted) {
    await plane.announce("Gantry's control plane is ready.");
    await Promise.race([aborted(stop), plane.server.failed]);
  }
  log.info("stopping");
  return 0;
}
