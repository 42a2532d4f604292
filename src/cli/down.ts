import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Settings } from "../config.ts";
import { systemClock } from "../lib/clock.ts";
import { removeNode } from "../node.ts";
import { lockStore } from "../server.ts";
import { readIdentity } from "./data-directory.ts";
import { stderrLog } from "./foreground.ts";

/** `gantry down`: removes every container, network and process of a data directory. What the server knows stays. */
export async function down(settings: Settings): Promise<number> {
  const identity = await readIdentity(settings.dataDirectory);
  if (identity === undefined) return 0;
  const log = stderrLog(settings.logLevel);
  // A running Gantry holds the lock, and would start anew what is removed here.
  await using _lock = await lockStore(join(settings.dataDirectory, "server"), log);
  const directory = join(settings.dataDirectory, "node");
  if (existsSync(directory)) await removeNode({ directory, identity, clock: systemClock, log });
  await rm(join(settings.dataDirectory, "client.json"), { force: true });
  return 0;
}
