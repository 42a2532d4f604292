/**
 * An ECS agent as a process beside Docker, in a network namespace of its own: the unmodified amazon-ecs-agent where GANTRY_ECS_AGENT
 * names its binary, and the one that is played here.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Names an agent's binary: with `images` and `amazon-ecs-cni-plugins` beside it, as in AWS's container image. */
const BINARY_VARIABLE = "GANTRY_ECS_AGENT";
const PLUGINS = "amazon-ecs-cni-plugins";

export interface AgentProgram {
  readonly name: string;
  readonly words: readonly string[];
  /** Holds what the binary looks for at fixed places; undefined for the agent that is played. */
  readonly home?: string;
  /** Why the program cannot run here; false if it can. */
  readonly skip: string | false;
  /** Why it has no awsvpc tasks; false if it has. */
  readonly skipAwsvpc: string | false;
}

/** The programs to try, those that cannot run with the reason. */
export function agentPrograms(environment: NodeJS.ProcessEnv = process.env): AgentProgram[] {
  const binary = environment[BINARY_VARIABLE];
  const played: AgentProgram = {
    name: "the agent that is played",
    words: ["bin/gantry-node", "test/e2e/stand-in-agent.ts"],
    skip: false,
    skipAwsvpc: false,
  };
  if (binary === undefined) {
    const skip = `${BINARY_VARIABLE} names no amazon-ecs-agent (docs/ecs-agent.md)`;
    return [played, { name: "the unmodified agent", words: [], skip, skipAwsvpc: skip }];
  }
  const home = dirname(binary);
  const missing = [
    join(home, "images", "amazon-ecs-pause.tar"),
    join(home, PLUGINS, "vpc-eni"),
  ].find((path) => !existsSync(path));
  return [
    played,
    {
      name: `the unmodified agent ${binary}`,
      words: [binary],
      home,
      skip: existsSync(binary) ? false : `${binary} is not there`,
      skipAwsvpc: missing === undefined ? false : `${missing} is not there`,
    },
  ];
}

/** Where the binary looks, and what is to be there: the pause container's image, the processes, where its plugins write. */
const PLACES = ["/images", "/host/proc", "/log"];
const MOUNT = `mount --bind "$GANTRY_IMAGES" /images && mount --rbind /proc /host/proc && mount --bind "$GANTRY_LOG" /log && exec "$0" "$@"`;

export interface AgentPlace {
  /** The words that enter the namespace. */
  readonly enter: readonly string[];
  readonly dockerSocket: string;
  /** What `gantry node` wrote for it, one variable a line. */
  readonly environmentFile: string;
}

export class AgentProcess implements AsyncDisposable {
  readonly #program: AgentProgram;
  readonly #place: AgentPlace;
  readonly #directory: string;
  readonly #made: string[] = [];
  #process: ChildProcess | undefined;

  constructor(program: AgentProgram, place: AgentPlace) {
    this.#program = program;
    this.#place = place;
    this.#directory = mkdtempSync(join(tmpdir(), "gantry-ecs-agent-"));
    mkdirSync(join(this.#directory, "log"));
  }

  /** All that it has said. */
  get log(): string {
    return readFileSync(join(this.#directory, "output"), "utf8");
  }

  start(): void {
    const { home, words } = this.#program;
    const output = openSync(join(this.#directory, "output"), "a");
    if (home !== undefined) this.#makePlaces();
    const inside =
      home === undefined
        ? words
        : ["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNT, ...words];
    const [first = "", ...rest] = [...this.#place.enter, ...inside];
    this.#process = spawn(first, rest, {
      env: this.#environment(),
      stdio: ["ignore", output, output],
    });
  }

  /** Its exit code; undefined while it runs. */
  get exitCode(): number | undefined {
    return this.#process?.exitCode ?? undefined;
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    for (const path of this.#made.toReversed()) rmdirSync(path);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Nothing of the test's own environment but what programs are found by. */
  #environment(): Record<string, string> {
    const { dockerSocket, environmentFile } = this.#place;
    const { home = "", skipAwsvpc } = this.#program;
    const lines = readFileSync(environmentFile, "utf8").trim().split("\n");
    const log = join(this.#directory, "log");
    return {
      PATH: process.env.PATH ?? "",
      // Keys in its SDK's own files would come before the metadata's.
      HOME: this.#directory,
      ...Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2))),
      DOCKER_HOST: `unix://${dockerSocket}`,
      ECS_DATADIR: join(this.#directory, "data"),
      ECS_HOST_DATA_DIR: this.#directory,
      ECS_IMAGE_PULL_BEHAVIOR: "prefer-cached",
      ECS_ENABLE_TASK_CPU_MEM_LIMIT: "false",
      ...(skipAwsvpc === false ? {} : { ECS_ENABLE_TASK_ENI: "false" }),
      ECS_CNI_PLUGINS_PATH: join(home, PLUGINS),
      IPAM_DB_PATH: join(this.#directory, "eni-ipam.db"),
      ECS_LOGFILE: join(log, "ecs-agent.log"),
      ECS_AUDIT_LOGFILE: join(log, "audit.log"),
      GANTRY_IMAGES: join(home, "images"),
      GANTRY_LOG: log,
    };
  }

  #makePlaces(): void {
    mkdirSync(join(this.#directory, "data"), { recursive: true });
    for (const place of PLACES) {
      for (const path of [dirname(place), place]) {
        if (existsSync(path)) continue;
        mkdirSync(path);
        this.#made.push(path);
      }
    }
  }
}
