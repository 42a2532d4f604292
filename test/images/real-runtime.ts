/** The real container runtime for tests: a containerd of the test's own, an image of busybox, and nothing left after. */
import assert from "node:assert/strict";
import { createReadStream, globSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { busyboxImage } from "../../scripts/busybox-image.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { loadContainerProfile } from "../../src/runtime/apparmor.ts";
import { type ContainerdRuntime, createContainerdRuntime } from "../../src/runtime/containerd.ts";
import { checkHost } from "../../src/runtime/host-checks.ts";
import { startContainerd } from "../../src/runtime/private-containerd.ts";
import type { ContainerSpec, ExitState } from "../../src/runtime/runtime.ts";
import { watchUnseenExits } from "../../src/runtime/unseen-exits.ts";

export interface RealRuntime {
  readonly directory: string;
  /** Also the name of the control group of all its tasks. */
  readonly name: string;
  readonly socketPath: string;
  readonly runtime: ContainerdRuntime;
  /** A container `<task>-<name>` of busybox on the host's network. */
  spec(id: string, args: readonly string[], over?: Partial<ContainerSpec>): ContainerSpec;
  /** What the container has written. */
  output(id: string): Promise<string>;
  /** Runs a shell script in a container to its end and takes the container away. */
  run(
    id: string,
    script: string,
    over?: Partial<ContainerSpec>,
  ): Promise<ExitState & { output: string }>;
  /** Process ids of the shims of this containerd. */
  shims(): readonly number[];
  /** Goes away as a killed Gantry does: containerd is left without anyone to look after it. */
  crash(): Promise<void>;
  /** Removes everything; fails if something stays behind. */
  close(): Promise<void>;
}

export const NAMESPACE = "test";
export const IMAGE = "docker.io/library/box:1";

/** Why containers cannot run here, for a test's `skip`; false when they can. */
export async function reasonToSkip(): Promise<string | false> {
  const failed = (await checkHost()).find(({ ok }) => !ok);
  return failed !== undefined && `containers cannot run here: ${failed.name}: ${failed.problem}`;
}

/** A new containerd in a temporary directory; or, given a former one, what a Gantry would be that starts after its death. */
export async function startRealRuntime(former?: RealRuntime): Promise<RealRuntime> {
  const directory = former?.directory ?? (await mkdtemp(join(tmpdir(), "gantry-runtime-")));
  const name = former?.name ?? `gantry-test-${directory.split("-").at(-1)}`;
  const engine = await startContainerd({
    directory: join(directory, "containerd"),
    log: silentLog,
    clock: systemClock,
    beforeStart: ({ state }) =>
      watchUnseenExits({
        containerdState: state,
        namespace: NAMESPACE,
        stateDirectory: join(directory, "state"),
        clock: systemClock,
        log: silentLog,
      }),
  });
  await loadContainerProfile(silentLog);
  const supervision = new AbortController();
  const supervising = engine.run(supervision.signal);
  const runtime = await createContainerdRuntime({
    socketPath: engine.socketPath,
    namespace: NAMESPACE,
    cgroupParent: `/${name}`,
    stateDirectory: join(directory, "state"),
    clock: systemClock,
    log: silentLog,
  });
  if (former === undefined) await loadBox(runtime, directory);
  const spec: RealRuntime["spec"] = (id, args, over) => specOf(directory, id, args, over);
  const output = (id: string): Promise<string> => readFile(join(directory, "output", id), "utf8");
  return {
    directory,
    name,
    socketPath: engine.socketPath,
    runtime,
    spec,
    output,
    run: async (id, script, over) => {
      await runtime.create(spec(id, ["sh", "-c", script], over));
      await runtime.start(id);
      const exit = await runtime.wait(id, new AbortController().signal);
      await runtime.remove(id);
      return { ...exit, output: await output(id) };
    },
    shims: () => shimsOf(engine.socketPath),
    crash: async () => {
      await runtime.close();
      supervision.abort();
      await supervising;
    },
    close: async () => {
      for (const { id } of await runtime.list()) await runtime.remove(id);
      await runtime.close();
      supervision.abort();
      await engine.stop();
      await supervising;
      await rm(directory, { recursive: true });
      assert.deepEqual(globSync(`/sys/fs/cgroup/**/${name}`), []);
    },
  };
}

/** Polls: what containers and the kernel do can only be looked at. */
export async function eventually(
  what: string,
  holds: () => Promise<boolean> | boolean,
): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await holds()) return;
    await systemClock.sleep(50);
  }
  assert.fail(`not within 10 s: ${what}`);
}

/** The text of a file of /proc, "" when its process is gone. */
export function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

async function loadBox(runtime: ContainerdRuntime, directory: string): Promise<void> {
  const file = join(directory, "busybox.tar");
  await busyboxImage({ file, names: ["box:1"], entrypoint: ["/bin/sh"], environment: ["A=1"] });
  await runtime.loadImage(createReadStream(file));
}

/** A small container in the host's network, everything else plain. */
export function specOf(
  directory: string,
  id: string,
  args: readonly string[],
  over: Partial<ContainerSpec> = {},
): ContainerSpec {
  return {
    id,
    taskId: id.split("-")[0] ?? id,
    runtime: "runc",
    image: IMAGE,
    args,
    environment: ["PATH=/bin"],
    workingDirectory: "/",
    user: "",
    hostname: undefined,
    network: { mode: "host" },
    cpuShares: 256,
    memoryBytesMax: 64 * 1024 * 1024,
    memoryBytesReserved: undefined,
    memorySwapBytesMax: undefined,
    swappiness: undefined,
    pidNamespace: "own",
    ipcNamespace: "own",
    init: false,
    devices: [],
    taskLimits: { cpuUnits: undefined, memoryBytes: undefined },
    privileged: false,
    readonlyRootfs: false,
    capabilitiesAdded: [],
    capabilitiesDropped: [],
    noNewPrivileges: false,
    apparmorProfile: undefined,
    ulimits: [],
    sysctls: {},
    shmBytes: 64 * 1024 * 1024,
    tmpfs: {},
    mounts: [],
    terminal: false,
    stdinOpen: false,
    outputPath: join(directory, "output", id),
    labels: {},
    ...over,
  };
}

function shimsOf(socketPath: string): readonly number[] {
  return globSync("/proc/[0-9]*/cmdline").flatMap((file) => {
    const text = readIfThere(file);
    const isOurs = text.includes("containerd-shim") && text.includes(socketPath);
    return isOurs ? [Number(file.split("/")[2])] : [];
  });
}
