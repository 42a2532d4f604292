/**
 * The container engine: containerd, spoken to over gRPC.
 *
 * A container is a record, a snapshot and a process in containerd, a control group below its task's, and, once it has
 * ended, an exit record of ours. containerd's word decides what exists. A process that has ended is settled: its exit
 * is written down, then the shim lets it go, having written the last of its output. A record whose process is gone
 * without an exit record was lost with its shim (or the machine), and counts as stopped.
 */
import { join } from "node:path";
import { busyAtOnce } from "../lib/processors.ts";
import { systemRandom } from "../lib/random.ts";
import { KeyedTurns, Permits } from "../lib/turns.ts";
import { findCgroupMounts, removeCgroup } from "./cgroups.ts";
import { listContainers, waitForExit } from "./container-states.ts";
import { readStats } from "./container-stats.ts";
import { createContainerdClient } from "./containerd/client.ts";
import { createContainer, removeContainer } from "./create-container.ts";
import { type ContainerdRuntimeOptions, type Engine, kill } from "./engine.ts";
import { execInContainer } from "./exec.ts";
import { exitsDirectory, openExitRecords } from "./exit-records.ts";
import { holdNamespaces, unmountShm } from "./hold-namespaces.ts";
import { readHostFacts } from "./host-facts.ts";
import { ImageAccounts } from "./image-accounts.ts";
import { createImages } from "./images.ts";
import { OutputKeeper } from "./output-keeper.ts";
import { createOutputPipes } from "./output-pipes.ts";
import { createRegistries } from "./registry/repository.ts";
import { createTransport } from "./registry/transport.ts";
import { type Runtime, RuntimeError } from "./runtime.ts";
import { signalNumber } from "./signals.ts";
import { restartContainer, startContainer } from "./start-container.ts";
import { createTaskStorage } from "./task-storage.ts";

export type { ContainerdRuntimeOptions } from "./engine.ts";
export type ContainerdRuntime = Runtime & {
  /** Sees to it that containers' output is kept after the disk was full, until `signal` aborts. */
  keepOutputs(signal: AbortSignal): Promise<void>;
  /** Lets go of containerd, and of the control group when no task is left in it. */
  close(): Promise<void>;
};

/** Connects to containerd. Throws UnavailableError when it does not answer. */
export async function createContainerdRuntime(
  options: ContainerdRuntimeOptions,
): Promise<ContainerdRuntime> {
  const { clock, stateDirectory, registries = {} } = options;
  const containerd = createContainerdClient(options);
  await containerd.createNamespace(options.namespace);
  const transport = createTransport(registries.proxyEnv);
  const images = createImages({
    containerd,
    clock,
    spoolDirectory: join(stateDirectory, "spool"),
    registries: {
      open: createRegistries({
        transport,
        insecure: registries.insecure ?? [],
        clock,
        random: options.random ?? systemRandom,
      }),
      loginFile: registries.loginFile,
    },
  });
  await images.removeOrphans();
  const storage = createTaskStorage(join(stateDirectory, "storage"), clock);
  const cgroups = await findCgroupMounts();
  const exits = await openExitRecords(exitsDirectory(stateDirectory));
  const { log } = options;
  const outputs = new OutputKeeper({ containerd, exits, directory: stateDirectory, clock, log });
  const engine: Engine = {
    options,
    containerd,
    images,
    accounts: new ImageAccounts(),
    exits,
    outputs,
    streams: new Map(),
    cgroups,
    host: await readHostFacts(cgroups),
    turns: new KeyedTurns(),
    starts: new Permits(busyAtOnce()),
    pipes: createOutputPipes(join(stateDirectory, "pipes"), clock),
    taskIds: new Map(),
    changing: new Set(),
  };
  return {
    version: async () => `containerd ${await containerd.version()}`,
    findImage: images.find,
    loadImage: images.load,
    pullImage: images.pull,
    listImages: images.catalogue.list,
    removeImage: images.catalogue.remove,
    removeUnusedImages: images.catalogue.removeUnused,
    createTaskStorage: (key, bytes) => storage.create(key, bytes),
    removeTaskStorage: (key) => storage.remove(key),
    listTaskStorage: () => storage.list(),
    taskStorageUsage: (key) => storage.usage(key),
    create: (spec, network) => createContainer(engine, spec, network),
    holdNamespaces: (holder) => holdNamespaces(engine, holder),
    start: (id) => startContainer(engine, id),
    restart: (id, after) => restartContainer(engine, id, after),
    signal: (id, name) => signal(engine, id, name),
    remove: async (id) => {
      await removeContainer(engine, id);
      await unmountShm(engine, id);
    },
    list: () => listContainers(engine),
    wait: (id, abort) => waitForExit(engine, id, abort),
    exec: (id, command, abort) => execInContainer(engine, id, command, abort),
    stats: (id) => readStats(engine, id),
    keepOutputs: (abort) => outputs.run(abort),
    close: async () => {
      await removeCgroup(cgroups, options.cgroupParent);
      await storage.close();
      transport.close();
      containerd.close();
    },
  };
}

async function signal({ containerd }: Engine, id: string, name: string): Promise<void> {
  const number = signalNumber(name);
  if (number === undefined) throw new RuntimeError(`unknown signal: ${name}`);
  await kill(containerd, id, number, false);
}
