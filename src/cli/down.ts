import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Settings } from "../config.ts";
import { systemClock } from "../lib/clock.ts";
import { SetupError } from "../lib/errors.ts";
import { removeNetwork } from "../network-node.ts";
import { removeNode } from "../node.ts";
import { lockStore } from "../server.ts";
import { readIdentity } from "./data-directory.ts";
import { stderrLog } from "./foreground.ts";
import { findProcess } from "./process-file.ts";

/** `gantry down`: removes every container, network and process of a data directory. What the server knows stays. */
export async function down(settings: Settings): Promise<number> {
  const identity = await readIdentity(settings.dataDirectory);
  if (identity === undefined) return 0;
  const log = stderrLog(settings.logLevel);
  await refuseRunningNode(settings.dataDirectory);
  // A running server holds the lock, and would start anew what is removed here.
  const state = join(settings.dataDirectory, "server");
  await using _lock = existsSync(state) ? await lockStore(state, log) : undefined;
  const directory = join(settings.dataDirectory, "node");
  if (existsSync(directory)) await removeNode({ directory, identity, clock: systemClock, log });
  const network = join(settings.dataDirectory, "network");
  if (existsSync(network)) await removeNetwork({ identity, clock: systemClock, log });
  await rm(join(settings.dataDirectory, "client.json"), { force: true });
  return 0;
}

/** A node that works for a server elsewhere has no store, and so no lock. */
async function refuseRunningNode(dataDirectory: string): Promise<void> {
  const running = await findProcess(dataDirectory);
  if (running?.command !== "node") return;
  throw new SetupError(
    `'gantry node' (process ${running.pid}) runs on ${dataDirectory}: stop it first`,
  );
}
