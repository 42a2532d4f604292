/** The real container runtime for tests: a containerd of the test's own, an image of busybox, and nothing left after. */
import assert from "node:assert/strict";
import { createReadStream, globSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { busyboxImage } from "../../scripts/busybox-image.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { loadContainerProfile } from "../../src/runtime/apparmor.ts";
import { type Containerd, createContainerdClient } from "../../src/runtime/containerd/client.ts";
import { type ContainerdRuntime, createContainerdRuntime } from "../../src/runtime/containerd.ts";
import { checkHost } from "../../src/runtime/host-checks.ts";
import { type PrivateContainerd, startContainerd } from "../../src/runtime/private-containerd.ts";
import type { ContainerSpec, ExitState } from "../../src/runtime/runtime.ts";
import { watchUnseenExits } from "../../src/runtime/unseen-exits.ts";

export const IMAGE = "docker.io/library/box:1";

/**
 * The real runtime of a test file: there before its first test and hook until after its last test, with an image of busybox. Where
 * containers cannot run it is not started, and {@link skip} says why.
 */
export async function useRealRuntime(): Promise<RealRuntime> {
  const failed = (await checkHost()).find(({ ok }) => !ok);
  const real = new RealRuntime(
    failed !== undefined && `containers cannot run here: ${failed.name}: ${failed.problem}`,
  );
  // Hooks of a file do not wait for each other.
  await real.start();
  after(() => real.close());
  return real;
}

export class RealRuntime {
  /** For a test's `skip`; false when containers can run. */
  readonly skip: string | false;
  #place: { readonly directory: string; readonly name: string } | undefined;
  #running: Running | undefined;

  constructor(skip: string | false) {
    this.skip = skip;
  }

  get directory(): string {
    return this.#thePlace.directory;
  }

  /** Of the control group of all its tasks, and of containerd's namespace: like no other run's, whatever a killed one has left. */
  get name(): string {
    return this.#thePlace.name;
  }

  get runtime(): ContainerdRuntime {
    return this.#theRunning.runtime;
  }

  /** To look beside the runtime. */
  get client(): Containerd {
    return this.#theRunning.client;
  }

  get #thePlace(): { readonly directory: string; readonly name: string } {
    assert.ok(this.#place, "not started");
    return this.#place;
  }

  get #theRunning(): Running {
    assert.ok(this.#running, "not started, or crashed");
    return this.#running;
  }

  /** A new containerd in a temporary directory; after {@link crash}, what a Gantry would be that starts after its death. */
  async start(): Promise<void> {
    if (this.skip !== false) return;
    const isNew = this.#place === undefined;
    if (this.#place === undefined) {
      const directory = await mkdtemp(join(tmpdir(), "gantry-runtime-"));
      this.#place = { directory, name: `gantry-test-${directory.split("-").at(-1)}` };
    }
    this.#running = await startRunning(this.#place);
    if (isNew) await loadBox(this.runtime, this.directory);
  }

  /** A container `<task>-<name>` of busybox on the host's network. */
  spec(id: string, args: readonly string[], over?: Partial<ContainerSpec>): ContainerSpec {
    return specOf(this.directory, id, args, over);
  }

  /** What the container has written. */
  output(id: string): Promise<string> {
    return readFile(join(this.directory, "output", id), "utf8");
  }

  /** Runs a shell script in a container to its end and takes the container away. */
  async run(
    id: string,
    script: string,
    over?: Partial<ContainerSpec>,
  ): Promise<ExitState & { output: string }> {
    await this.runtime.create(this.spec(id, ["sh", "-c", script], over));
    await this.runtime.start(id);
    const exit = await this.runtime.wait(id, new AbortController().signal);
    await this.runtime.remove(id);
    return { ...exit, output: await this.output(id) };
  }

  /** Process ids of the shims of this containerd. */
  shims(): readonly number[] {
    return shimsOf(this.#theRunning.engine.socketPath);
  }

  /** Where the shim for runc has what runc knows of containers. */
  get runcState(): string {
    return join("/run/containerd/runc", this.name);
  }

  /** Goes away as a killed Gantry does: containerd is left without anyone to look after it. */
  async crash(): Promise<void> {
    const { client, runtime, supervise } = this.#theRunning;
    this.#running = undefined;
    client.close();
    await runtime.close();
    await supervise[Symbol.asyncDispose]();
  }

  /** Removes everything; fails if something stays behind. */
  async close(): Promise<void> {
    if (this.#running === undefined) return;
    const { client, engine, runtime, supervise } = this.#running;
    for (const { id } of await runtime.list()) await runtime.remove(id);
    client.close();
    await runtime.close();
    supervise.abort();
    await engine.stop();
    await supervise[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true });
    await rm(this.runcState, { recursive: true, force: true });
    assert.deepEqual(globSync(`/sys/fs/cgroup/**/${this.name}`), []);
  }
}

interface Running {
  readonly engine: PrivateContainerd;
  readonly runtime: ContainerdRuntime;
  readonly client: Containerd;
  /** What starts containerd again when it dies. */
  readonly supervise: AsyncDisposable & { abort(): void };
}

async function startRunning({
  directory,
  name,
}: {
  readonly directory: string;
  readonly name: string;
}): Promise<Running> {
  const stateDirectory = join(directory, "state");
  const common = { namespace: name, stateDirectory, clock: systemClock, log: silentLog };
  const engine = await startContainerd({
    directory: join(directory, "containerd"),
    log: silentLog,
    clock: systemClock,
    beforeStart: ({ state }) => watchUnseenExits({ ...common, containerdState: state }),
  });
  await loadContainerProfile(silentLog);
  const supervision = new AbortController();
  const supervising = engine.run(supervision.signal);
  const { socketPath } = engine;
  const runtime = await createContainerdRuntime({
    ...common,
    socketPath,
    cgroupParent: `/${name}`,
  });
  return {
    engine,
    runtime,
    client: createContainerdClient({ socketPath, namespace: name, clock: systemClock }),
    supervise: {
      abort: () => supervision.abort(),
      [Symbol.asyncDispose]: async () => {
        supervision.abort();
        await supervising;
      },
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
