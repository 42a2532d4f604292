/** A dockerd of one's own in a network namespace, of which nothing is left after. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findExecutable } from "../../src/runtime/executables.ts";
import { DockerClient } from "./docker-client.ts";
import { command, until } from "./gantry-kit.ts";

export class DockerDaemon implements AsyncDisposable {
  readonly client: DockerClient;
  readonly socketPath: string;
  readonly #directory: string;
  readonly #name: string;
  readonly #process: ChildProcess;

  /**
   * Starts it in the namespace `name` of `ip netns`, which is also its control group. Throws with the end of its log when it
   * does not come up, and when there is none on this machine.
   */
  static async start(name: string): Promise<DockerDaemon> {
    const program = await findExecutable("dockerd");
    if (program === undefined) throw new Error("no dockerd (Debian's is in docker.io)");
    const daemon = new DockerDaemon(
      await mkdtemp(join(tmpdir(), "gantry-dockerd-")),
      name,
      program,
    );
    try {
      await daemon.#answers();
      return daemon;
    } catch (error) {
      const log = await readFile(join(daemon.#directory, "log"), "utf8");
      await daemon[Symbol.asyncDispose]();
      throw new Error(`${String(error)}\n${log.split("\n").slice(-5).join("\n")}`);
    }
  }

  private constructor(directory: string, name: string, program: string) {
    this.#directory = directory;
    this.#name = name;
    this.socketPath = join(directory, "sock");
    this.client = new DockerClient(this.socketPath);
    const log = openSync(join(directory, "log"), "a");
    const settings = {
      "data-root": join(directory, "data"),
      "exec-root": join(directory, "exec"),
      pidfile: join(directory, "pid"),
      host: `unix://${this.socketPath}`,
      "cgroup-parent": `/${name}`,
      "exec-opt": "native.cgroupdriver=cgroupfs",
    };
    const flags = Object.entries(settings).map(([flag, value]) => `--${flag}=${value}`);
    this.#process = spawn("nsenter", [`--net=/run/netns/${name}`, "--", program, ...flags], {
      stdio: ["ignore", log, log],
    });
  }

  async #answers(): Promise<void> {
    await until("dockerd answers", async () => {
      if (this.#process.exitCode !== null) throw new Error("dockerd ended");
      return this.client.call("GET", "/_ping").then(
        () => true,
        () => false,
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) {
      this.#process.kill("SIGTERM");
      await once(this.#process, "exit");
    }
    // The namespace of the host's network stays mounted.
    const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n");
    for (const mount of mounts.toReversed()) {
      const [, path = ""] = mount.split(" ");
      if (path.startsWith(this.#directory)) await command("umount", [path]);
    }
    for (const group of globSync(`/sys/fs/cgroup/{,*/}${this.#name}`)) await rmdir(group);
    await rm(this.#directory, { recursive: true, force: true });
  }
}
