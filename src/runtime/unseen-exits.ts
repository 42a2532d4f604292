/**
 * Containers that end while containerd is away. From 1.7 on, a containerd that starts takes a shim without processes for
 * one whose container was never made, and deletes it, exit code and all. So the shims are asked before it starts, and those
 * whose containers still run are listened to until it answers.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { type CgroupMounts, findCgroupMounts } from "./cgroups.ts";
import { exitStateOf } from "./container-states.ts";
import type { ProcessExit } from "./containerd/messages.ts";
import {
  createShimConnector,
  type ShimAddress,
  type ShimClient,
} from "./containerd/shim-client.ts";
import { type ExitRecords, exitsDirectory, openExitRecords } from "./exit-records.ts";
import type { OciSpec } from "./oci.ts";

export interface UnseenExitsOptions {
  /** containerd's `state` directory, whose bundles say where the shims listen. */
  readonly containerdState: string;
  /** containerd's namespace of the containers. */
  readonly namespace: string;
  /** The runtime's: where the exit records lie. */
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly log: Log;
}

interface Witness {
  readonly exits: ExitRecords;
  readonly cgroups: CgroupMounts;
  readonly log: Log;
  readonly dial: (address: ShimAddress) => Promise<ShimClient>;
}

/** A container as containerd's files show it. */
interface Bundle {
  readonly id: string;
  readonly path: string;
}

/** A shim that hangs must not keep a machine from starting. */
const ANSWER_MS_MAX = 5_000;

/**
 * Writes down the end of every container that ended unseen. To be called while no containerd runs; disposing the result,
 * once one does, ends the listening.
 */
export async function watchUnseenExits(options: UnseenExitsOptions): Promise<Disposable> {
  const { clock, containerdState, log, namespace, stateDirectory } = options;
  const bundles = join(containerdState, "io.containerd.runtime.v2.task", namespace);
  const ids = await readdir(bundles).catch(() => []);
  const connect = createShimConnector();
  const open: ShimClient[] = [];
  const witness: Witness = {
    exits: await openExitRecords(exitsDirectory(stateDirectory), "unseen"),
    cgroups: await findCgroupMounts(),
    log,
    dial: async (address) => {
      const shim = await connect(address);
      open.push(shim);
      return shim;
    },
  };
  const asked = ids.map((id) =>
    watchOne(witness, { id, path: join(bundles, id) }).catch((error) =>
      log.debug("a shim does not answer", { id, error: messageOf(error) }),
    ),
  );
  const answered = new AbortController();
  await Promise.race([Promise.all(asked), clock.sleep(ANSWER_MS_MAX, answered.signal)]);
  answered.abort();
  return {
    [Symbol.dispose]: () => {
      for (const shim of open) shim.close();
    },
  };
}

async function watchOne(witness: Witness, bundle: Bundle): Promise<void> {
  const { id } = bundle;
  const { dial, exits } = witness;
  // What was never started has not ended either: it is made again.
  if ((await exits.get(id)) || !(await exits.wasStarted(id))) return;
  const address = await shimOf(bundle.path);
  if (address === undefined) return;
  const shim = await dial(address);
  const state = await shim.state(id);
  if (state.status === "STOPPED") return note(witness, bundle, state);
  void shim.wait(id).then(
    (exit) => note(witness, bundle, exit),
    () => undefined,
  );
}

async function note(
  { cgroups, exits, log }: Witness,
  { id, path }: Bundle,
  exit: ProcessExit,
): Promise<void> {
  try {
    const { linux } = JSON.parse(await readFile(join(path, "config.json"), "utf8")) as OciSpec;
    await exits.put(id, await exitStateOf(cgroups, linux.cgroupsPath, exit));
  } catch (error) {
    log.warn("cannot write down how a container ended", { id, error: messageOf(error) });
  }
}

/** containerd before 2.0 writes the bare address of a shim whose service is of version 2. */
async function shimOf(bundle: string): Promise<ShimAddress | undefined> {
  const read = (name: string): Promise<string> =>
    readFile(join(bundle, name), "utf8").catch(() => "");
  const bootstrap = await read("bootstrap.json");
  const { address, version, protocol } =
    bootstrap === ""
      ? { address: await read("address"), version: 2, protocol: "ttrpc" }
      : (JSON.parse(bootstrap) as { address: string; version: number; protocol: string });
  const path = /^unix:\/\/(\/.+)$/.exec(address.trim())?.[1];
  return path === undefined || protocol !== "ttrpc" ? undefined : { socketPath: path, version };
}
