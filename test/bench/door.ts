/**
 * The door beside a bare `node:http` server that answers `{}` to everything, in the same run: DescribeClusters with a
 * full SigV4 signature over kept connections, each server alone in a process on one core, `wrk` on the other. Requests
 * per second say what a core carries; CPU per request says what it costs, whatever else the machine does meanwhile.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { SERVICE_TABLE } from "../../src/door/service-table.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { type Credentials, signRequest } from "../../src/lib/sigv4.ts";
import { REGION, ROOT_KEY } from "../door-kit.ts";
import { row } from "./summary.ts";

const SERVER = fileURLToPath(new URL("door-server.ts", import.meta.url));
const CONNECTIONS = 32;
/** Until V8 has compiled what it will, of both: a server's first seconds are not what it costs. */
const WARM_UP_S = 6;
const ROUND_S = 4;
const ROUNDS = 3;

/** One server under load. */
export interface DoorFigure {
  readonly requestsPerSecond: number;
  readonly cpuMicrosPerRequest: number;
}

export interface DoorFigures {
  /** Medians of the rounds, which alternate between the two. */
  readonly bare: DoorFigure;
  readonly door: DoorFigure;
}

/** Prints both. */
export async function printDoor(): Promise<void> {
  const { bare, door } = await measureDoor();
  const line = (name: string, { requestsPerSecond, cpuMicrosPerRequest }: DoorFigure): void =>
    row(
      name,
      `${requestsPerSecond.toFixed(0).padStart(7)} /${cpuMicrosPerRequest.toFixed(0).padStart(5)}`,
    );
  console.log("\nDescribeClusters, signed, keep-alive, requests per second / CPU µs per request");
  line("the door", door);
  line("bare node:http answering {}", bare);
  row("ratio", (door.requestsPerSecond / bare.requestsPerSecond).toFixed(2).padStart(7));
}

/** Measures both. Throws, saying what to install, when `wrk` is missing. */
export async function measureDoor(): Promise<DoorFigures> {
  if (spawnSync("wrk", ["-v"]).error !== undefined)
    throw new Error("needs wrk: apt-get install wrk");
  const directory = mkdtempSync(join(tmpdir(), "gantry-bench-door-"));
  const bare = await Server.start("bare");
  const door = await Server.start("door");
  try {
    const script = join(directory, "call.lua");
    const figures: { bare: DoorFigure[]; door: DoorFigure[] } = { bare: [], door: [] };
    for (const server of [bare, door]) await server.load(script, WARM_UP_S);
    for (let round = 0; round < ROUNDS; round += 1) {
      figures.bare.push(await bare.load(script, ROUND_S));
      figures.door.push(await door.load(script, ROUND_S));
    }
    return { bare: median(figures.bare), door: median(figures.door) };
  } finally {
    bare.stop();
    door.stop();
    rmSync(directory, { recursive: true });
  }
}

/** The door with IAM, called with each of the keys in turn: medians of the rounds, which alternate between them. */
export async function measureKeys(keys: readonly Credentials[]): Promise<readonly DoorFigure[]> {
  if (spawnSync("wrk", ["-v"]).error !== undefined)
    throw new Error("needs wrk: apt-get install wrk");
  const directory = mkdtempSync(join(tmpdir(), "gantry-bench-keys-"));
  const server = await Server.start("access");
  try {
    const script = join(directory, "call.lua");
    const figures = keys.map((): DoorFigure[] => []);
    for (const key of keys) await server.load(script, WARM_UP_S, key);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [index, key] of keys.entries()) {
        figures[index]?.push(await server.load(script, ROUND_S, key));
      }
    }
    return figures.map(median);
  } finally {
    server.stop();
    rmSync(directory, { recursive: true });
  }
}

/** A server in a process of its own. */
class Server {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #port: number;

  private constructor(process: ChildProcess, lines: AsyncIterator<string>, port: number) {
    this.#process = process;
    this.#lines = lines;
    this.#port = port;
  }

  static async start(kind: "bare" | "door" | "access"): Promise<Server> {
    const node = [process.execPath, ...process.execArgv, SERVER, kind];
    const [command = "", ...args] = pinned(0, node);
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value } = await lines.next();
    return new Server(child, lines, Number(value));
  }

  async load(script: string, seconds: number, key: Credentials = ROOT_KEY): Promise<DoorFigure> {
    writeFileSync(script, wrkScript(this.#port, key));
    const before = await this.#cpuMicros();
    const url = `http://127.0.0.1:${this.#port}/`;
    const wrk = ["wrk", "-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "-s", script, url];
    const [command = "", ...args] = pinned(1, wrk);
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    await once(child, "close");
    const cpuMicros = (await this.#cpuMicros()) - before;
    const [, requests] = /(\d+) requests in/.exec(output) ?? [];
    const [, perSecond] = /Requests\/sec: +([\d.]+)/.exec(output) ?? [];
    if (requests === undefined || /Non-2xx/.test(output)) throw new Error(`wrk failed: ${output}`);
    return {
      requestsPerSecond: Number(perSecond),
      cpuMicrosPerRequest: cpuMicros / Number(requests),
    };
  }

  stop(): void {
    this.#process.kill();
  }

  async #cpuMicros(): Promise<number> {
    this.#process.stdin?.write("\n");
    const { value } = await this.#lines.next();
    return Number(value);
  }
}

/** A command bound to one core, where there are two. */
function pinned(core: number, command: readonly string[]): readonly string[] {
  return availableParallelism() > 1 ? ["taskset", "-c", String(core), ...command] : command;
}

/** One signature serves the whole run: what the server has to do for it is the same each time. */
function wrkScript(port: number, credentials: Credentials): string {
  const body = '{"clusters":["demo"],"include":["TAGS"]}';
  const target = SERVICE_TABLE.find(({ name }) => name === "ecs")?.target;
  const headers = signRequest({
    method: "POST",
    url: new URL(`http://127.0.0.1:${port}/`),
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": `${target}.DescribeClusters`,
      "x-amz-user-agent":
        "aws-sdk-js/3.1164.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#24 api/ecs#3.1164.0",
      "amz-sdk-invocation-id": "00000000-0000-4000-8000-000000000000",
      "amz-sdk-request": "attempt=1; max=3",
    },
    body,
    credentials,
    service: "ecs",
    region: REGION,
    now: systemClock.now(),
  });
  // wrk adds a `Host` of its own unless it finds one, spelled so.
  const { host = "", ...others } = headers;
  const lines = Object.entries({ Host: host, ...others }).map(
    ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
  );
  return `wrk.method = "POST"\nwrk.body = ${luaText(body)}\n${lines.join("\n")}\n`;
}

function luaText(text: string): string {
  return `[[${text}]]`;
}

function median(figures: readonly DoorFigure[]): DoorFigure {
  const middle = (values: number[]): number =>
    values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
  return {
    requestsPerSecond: middle(figures.map((one) => one.requestsPerSecond)),
    cpuMicrosPerRequest: middle(figures.map((one) => one.cpuMicrosPerRequest)),
  };
}

if (import.meta.main) {
  const { bare, door } = await measureDoor();
  const show = ({ requestsPerSecond, cpuMicrosPerRequest }: DoorFigure): string =>
    `${requestsPerSecond.toFixed(0).padStart(7)} requests/s ${cpuMicrosPerRequest.toFixed(1).padStart(7)} µs CPU/request`;
  console.log(`bare node:http answering {}   ${show(bare)}`);
  console.log(`the door, DescribeClusters    ${show(door)}`);
  const ratio = door.requestsPerSecond / bare.requestsPerSecond;
  console.log(`ratio                         ${ratio.toFixed(2)}`);
}
