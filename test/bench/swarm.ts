/** The peer: Docker Swarm, by a dockerd of the bench's own in a network namespace of its own, of which nothing is left after. */
import { DockerDaemon } from "../e2e/docker-daemon.ts";
import { command, until } from "../e2e/gantry-kit.ts";

/** Of the namespace's loopback, for the manager to listen on. */
const ADDRESS = "10.99.0.1";
const RUNNING_MS_MAX = 300_000;

export class Swarm implements AsyncDisposable {
  readonly #name: string;
  readonly #daemon: DockerDaemon;

  /** Starts a swarm of one machine with the image of a `docker save` archive. Returns why this machine cannot, instead. */
  static async open(archive: string): Promise<Swarm | string> {
    const name = `gantry-bench-${process.pid}`;
    for (const words of [
      `netns add ${name}`,
      `-n ${name} link set lo up`,
      `-n ${name} address add ${ADDRESS}/32 dev lo`,
    ]) {
      const { code, stderr } = await command("ip", words.split(" "));
      if (code !== 0) return `ip ${words}: ${stderr}`;
    }
    await using starting = new AsyncDisposableStack();
    starting.defer(() => removeNamespace(name));
    try {
      const swarm = new Swarm(name, starting.use(await DockerDaemon.start(name)));
      await swarm.#init(archive);
      starting.move();
      return swarm;
    } catch (error) {
      return String(error);
    }
  }

  private constructor(name: string, daemon: DockerDaemon) {
    this.#name = name;
    this.#daemon = daemon;
  }

  /** `docker service create --replicas <count>` to all running, in ms. All of it is gone when it resolves. */
  async time(image: string, count: number, memoryBytes: number): Promise<number> {
    const docker = this.#daemon.client;
    const startedAt = performance.now();
    const { ID } = (await docker.call("POST", "/services/create", {
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
        const tasks = (await docker.call("GET", `/tasks?filters=${filters}`)) as SwarmTask[];
        return tasks.filter(({ Status }) => Status.State === "running").length === count;
      },
      RUNNING_MS_MAX,
    );
    const elapsedMs = performance.now() - startedAt;
    await docker.call("DELETE", `/services/${ID}`);
    const isEmpty = async (): Promise<boolean> =>
      ((await docker.call("GET", "/containers/json?all=1")) as unknown[]).length === 0;
    await until("the replicas are gone", isEmpty, RUNNING_MS_MAX);
    return elapsedMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
    await removeNamespace(this.#name);
  }

  async #init(archive: string): Promise<void> {
    await this.#daemon.client.call("POST", "/swarm/init", {
      ListenAddr: `${ADDRESS}:2377`,
      AdvertiseAddr: ADDRESS,
    });
    await this.#daemon.client.load(archive);
  }
}

async function removeNamespace(name: string): Promise<void> {
  await command("ip", ["netns", "del", name]);
}

interface SwarmTask {
  readonly Status: { readonly State: string };
}
