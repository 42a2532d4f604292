/** The peer: Docker Swarm, by a dockerd of the bench's own in a network namespace of its own, of which nothing is left after. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, globSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm, rmdir } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { findExecutable } from "../../src/runtime/executables.ts";
import { command, until } from "../e2e/gantry-kit.ts";

const API = "/v1.41";
/** Of the namespace's loopback, for the manager to listen on. */
const ADDRESS = "10.99.0.1";
const RUNNING_MS_MAX = 300_000;

export class Swarm implements AsyncDisposable {
  readonly #directory: string;
  readonly #name: string;
  readonly #dockerd: ChildProcess;

  /** Starts a swarm of one machine with the image of a `docker save` archive. Returns why this machine cannot, instead. */
  static async open(archive: string): Promise<Swarm | string> {
    const dockerd = await findExecutable("dockerd");
    if (dockerd === undefined) return "no dockerd (Debian's is in docker.io)";
    const directory = await mkdtemp(join(tmpdir(), "gantry-swarm-"));
    const name = `gantry-bench-${process.pid}`;
    for (const words of [
      `netns add ${name}`,
      `-n ${name} link set lo up`,
      `-n ${name} address add ${ADDRESS}/32 dev lo`,
    ]) {
      const { code, stderr } = await command("ip", words.split(" "));
      if (code !== 0) return `ip ${words}: ${stderr}`;
    }
    const swarm = new Swarm(directory, name, dockerd);
    try {
      await swarm.#init(archive);
      return swarm;
    } catch (error) {
      const log = await readFile(join(directory, "log"), "utf8");
      await swarm[Symbol.asyncDispose]();
      return `${String(error)}\n${log.split("\n").slice(-5).join("\n")}`;
    }
  }

  private constructor(directory: string, name: string, dockerd: string) {
    this.#directory = directory;
    this.#name = name;
    const log = openSync(join(directory, "log"), "a");
    const settings = {
      "data-root": join(directory, "data"),
      "exec-root": join(directory, "exec"),
      pidfile: join(directory, "pid"),
      host: `unix://${this.#socketPath}`,
      "cgroup-parent": `/${name}`,
      "exec-opt": "native.cgroupdriver=cgroupfs",
    };
    const flags = Object.entries(settings).map(([flag, value]) => `--${flag}=${value}`);
    this.#dockerd = spawn("nsenter", [`--net=/run/netns/${name}`, "--", dockerd, ...flags], {
      stdio: ["ignore", log, log],
    });
  }

  /** `docker service create --replicas <count>` to all running, in ms. All of it is gone when it resolves. */
  async time(image: string, count: number, memoryBytes: number): Promise<number> {
    const startedAt = performance.now();
    const { ID } = (await this.#call("POST", "/services/create", {
      Name: "bench",
      TaskTemplate: {
        ContainerSpec: { Image: image },
        Resources: { Limits: { MemoryBytes: memoryBytes } },
      },
      Mode: { Replicated: { Replicas: count } },
    })) as { ID: string };
    const filters = encodeURIComponent(JSON.stringify({ service: ["bench"] }));
    await until(
      `${count} replicas run`,
      async () => {
        const tasks = (await this.#call("GET", `/tasks?filters=${filters}`)) as SwarmTask[];
        return tasks.filter(({ Status }) => Status.State === "running").length === count;
      },
      RUNNING_MS_MAX,
    );
    const elapsedMs = performance.now() - startedAt;
    await this.#call("DELETE", `/services/${ID}`);
    const isEmpty = async (): Promise<boolean> =>
      ((await this.#call("GET", "/containers/json?all=1")) as unknown[]).length === 0;
    await until("the replicas are gone", isEmpty, RUNNING_MS_MAX);
    return elapsedMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#dockerd.exitCode === null) {
      this.#dockerd.kill("SIGTERM");
      await once(this.#dockerd, "exit");
    }
    await command("ip", ["netns", "del", this.#name]);
    for (const group of globSync(`/sys/fs/cgroup/{,*/}${this.#name}`)) await rmdir(group);
    await rm(this.#directory, { recursive: true, force: true });
  }

  get #socketPath(): string {
    return join(this.#directory, "sock");
  }

  async #init(archive: string): Promise<void> {
    await until("dockerd answers", async () => {
      if (this.#dockerd.exitCode !== null) throw new Error("dockerd ended");
      return this.#call("GET", "/_ping").then(
        () => true,
        () => false,
      );
    });
    await this.#call("POST", "/swarm/init", {
      ListenAddr: `${ADDRESS}:2377`,
      AdvertiseAddr: ADDRESS,
    });
    await this.#send("POST", "/images/load", createReadStream(archive));
  }

  /** One request with a JSON body. */
  async #call(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await this.#send(method, path, body === undefined ? "" : JSON.stringify(body));
    return answer.startsWith("{") || answer.startsWith("[") ? JSON.parse(answer) : answer;
  }

  async #send(
    method: string,
    path: string,
    body: string | ReturnType<typeof createReadStream>,
  ): Promise<string> {
    const contentType = typeof body === "string" ? "application/json" : "application/x-tar";
    const call = request({
      socketPath: this.#socketPath,
      method,
      path: `${API}${path}`,
      headers: { host: "docker", "content-type": contentType },
    });
    const answered = once(call, "response");
    // Node sends a GET's or DELETE's body without its length; an empty one is none.
    if (typeof body === "string") call.end(body);
    else await pipeline(body, call);
    const [response] = await answered;
    const said = await text(response);
    if (response.statusCode >= 400) throw new Error(`${method} ${path}: ${said}`);
    return said;
  }
}

interface SwarmTask {
  readonly Status: { readonly State: string };
}
