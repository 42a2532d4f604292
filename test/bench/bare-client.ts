/** The floor of everything that starts containers: containerd asked directly, with nothing around it. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../src/lib/clock.ts";
import { findCgroupMounts, removeCgroup } from "../../src/runtime/cgroups.ts";
import { type Containerd, createContainerdClient } from "../../src/runtime/containerd/client.ts";
import { type HostFacts, readHostFacts } from "../../src/runtime/host-facts.ts";
import { documentOf } from "../../src/runtime/image-content.ts";
import { chainIds } from "../../src/runtime/image-documents.ts";
import { buildOciSpec } from "../../src/runtime/oci-spec.ts";
import { containerdPaths } from "../../src/runtime/private-containerd.ts";
import { runtimeOf } from "../../src/runtime/runtime-choice.ts";
import { resolveUser } from "../../src/runtime/users.ts";
import { specOf } from "../images/real-runtime.ts";

const SPEC_TYPE_URL = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
const SIGKILL = 9;

export class BareClient implements AsyncDisposable {
  readonly #containerd: Containerd;
  readonly #host: HostFacts;
  readonly #image: string;
  readonly #args: readonly string[];
  readonly #rootfs: string;
  readonly #directory: string;
  readonly #cgroup: string = `/gantry-bench-${process.pid}`;
  #count = 0;

  /** A client of the containerd of the Gantry in `dataDirectory`, for containers of one of its images. */
  static async open(dataDirectory: string, image: string): Promise<BareClient> {
    const containerd = createContainerdClient({
      socketPath: containerdPaths(join(dataDirectory, "node", "containerd")).socket,
      namespace: "gantry",
      clock: systemClock,
    });
    const record = await containerd.images.get(image);
    if (record === undefined) throw new Error(`no image ${image}`);
    const { config, diffIds } = await documentOf(containerd, record.target);
    const directory = join(dataDirectory, "bench");
    await mkdir(directory);
    return new BareClient({
      containerd,
      host: await readHostFacts(await findCgroupMounts()),
      image,
      args: [...config.entrypoint, ...config.command],
      rootfs: chainIds(diffIds).at(-1) ?? "",
      directory,
    });
  }

  private constructor(made: {
    readonly containerd: Containerd;
    readonly host: HostFacts;
    readonly image: string;
    readonly args: readonly string[];
    readonly rootfs: string;
    readonly directory: string;
  }) {
    this.#containerd = made.containerd;
    this.#host = made.host;
    this.#image = made.image;
    this.#args = made.args;
    this.#rootfs = made.rootfs;
    this.#directory = made.directory;
  }

  /** Starts one container in namespaces of its own, its network's included, and returns its id. */
  async start(): Promise<string> {
    const id = `bare${this.#count++}-main`;
    const { containers, snapshots, tasks } = this.#containerd;
    const gcRoot = { "containerd.io/gc.root": new Date().toISOString() };
    const rootfs = await snapshots.prepare(id, this.#rootfs, gcRoot);
    await containers.create({
      id,
      labels: {},
      image: this.#image,
      runtime: runtimeOf("runc"),
      spec: { type_url: SPEC_TYPE_URL, value: Buffer.from(JSON.stringify(this.#spec(id))) },
      snapshotter: "overlayfs",
      snapshotKey: id,
    });
    const output = join(this.#directory, id);
    await writeFile(output, "");
    await tasks.create({
      containerId: id,
      rootfs,
      stdout: output,
      stderr: output,
      terminal: false,
    });
    await tasks.start(id);
    return id;
  }

  async remove(id: string): Promise<void> {
    const { containers, snapshots, tasks } = this.#containerd;
    await tasks.kill(id, SIGKILL, true);
    await tasks.wait(id, {});
    await tasks.delete(id);
    await snapshots.remove(id);
    await containers.delete(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#containerd.close();
    await removeCgroup(await findCgroupMounts(), this.#cgroup);
  }

  #spec(id: string): object {
    const network = { mode: "isolated" } as const;
    return buildOciSpec({
      container: specOf(this.#directory, id, this.#args, { image: this.#image, network }),
      user: resolveUser("", "", ""),
      host: this.#host,
      devices: [],
      holder: undefined,
      cgroupsPath: `${this.#cgroup}/${id}`,
    });
  }
}
