/** A real Gantry in its own process on a data directory of its own, for the tests of tier 6; and proof that it leaves nothing behind. */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import {
  DescribeTasksCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  RunTaskCommand,
  type RunTaskCommandInput,
  type Task,
} from "@aws-sdk/client-ecs";
import {
  AttachRolePolicyCommand,
  CreateRoleCommand,
  IAMClient,
  PutRolePolicyCommand,
} from "@aws-sdk/client-iam";
import type { ClientFile } from "../../src/cli/client-file.ts";
import { checkHost } from "../../src/runtime/host-checks.ts";

const execute = promisify(execFile);

/** Debian's own CLI first, whatever else the machine has. */
const PATH = `/usr/bin:/bin:/usr/sbin:/sbin:${process.env.PATH}`;

/** Why this machine cannot run the tests of this tier; false if it can. For node:test's `skip`. */
export async function skipReason(): Promise<string | false> {
  const failed = (await checkHost()).filter((check) => !check.ok);
  if (failed.length === 0) return false;
  return failed.map((check) => `${check.name}: ${check.problem ?? "failed"}`).join("; ");
}

/** Chosen: what a task may take to start or to fail on a busy machine. */
const TASK_MS_MAX = 90_000;

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface ClientSettings {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Failures are the tests' to see. */
  readonly maxAttempts: 1;
  readonly disableHostPrefix: true;
  readonly requestHandler?: { readonly httpsAgent: { readonly ca: Buffer } };
}

/** Runs a command to its end, with Gantry's variables for `directory`. Never rejects for an exit code. */
export async function command(
  program: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<CommandResult> {
  const env = { ...process.env, PATH, ...environment };
  try {
    const { stdout, stderr } = await execute(program, [...args], { env, maxBuffer: 64 << 20 });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const failure = error as { code?: number | string; stdout?: string; stderr?: string };
    const code = typeof failure.code === "number" ? failure.code : 127;
    return { code, stdout: failure.stdout ?? "", stderr: failure.stderr ?? "" };
  }
}

/** Waits until `look` gives something; fails after `timeoutMs` with what it was waiting for. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 30_000,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await delay(20);
  }
}

/** One system: data directory, process, clients. */
export class GantryKit {
  readonly directory: string;
  readonly #program: string;
  readonly #before: readonly string[];
  readonly #reachedAt: string;
  #process: ChildProcess | undefined;
  #output = "";
  #ecs: ECSClient | undefined;
  #iam: IAMClient | undefined;
  #logs: CloudWatchLogsClient | undefined;

  /**
   * `program`: another gantry than this clone's. `enter`: words that make a program run on another host. `reachedAt`: the address
   * by which the test reaches that host's loopback endpoint.
   */
  constructor(program = "bin/gantry", enter: readonly string[] = [], reachedAt = "127.0.0.1") {
    const [first = "", ...rest] = [...enter, program];
    this.#program = first;
    this.#before = rest;
    this.#reachedAt = reachedAt;
    this.directory = mkdtempSync(join(tmpdir(), "gantry-e2e-"));
  }

  get environment(): Record<string, string> {
    return { GANTRY_DATA_DIR: this.directory, GANTRY_LISTEN: "127.0.0.1:0" };
  }

  get client(): ClientFile {
    const path = join(this.directory, "client.json");
    const client = JSON.parse(readFileSync(path, "utf8")) as ClientFile;
    return { ...client, endpoint: client.endpoint.replace("127.0.0.1", this.#reachedAt) };
  }

  /** What makes a client of the SDK one of this system. */
  get clientSettings(): ClientSettings {
    const { endpoint, region, accessKeyId, secretAccessKey, authorityPath } = this.client;
    return {
      endpoint,
      region,
      credentials: { accessKeyId, secretAccessKey },
      maxAttempts: 1,
      disableHostPrefix: true,
      ...(authorityPath !== undefined && {
        requestHandler: { httpsAgent: { ca: readFileSync(authorityPath) } },
      }),
    };
  }

  get output(): string {
    return this.#output;
  }

  get pid(): number {
    const pid = this.#process?.pid;
    assert.ok(pid !== undefined, "gantry is not running");
    return pid;
  }

  /** Starts `gantry up` and waits until it says that it is ready. */
  async start(...flags: readonly string[]): Promise<void> {
    await this.#run(/Gantry is ready/, ["up", ...flags]);
    this.#connect();
  }

  /** Starts `gantry server` and waits until it says that it is ready. */
  async startServer(...flags: readonly string[]): Promise<void> {
    await this.#run(/control plane is ready/, ["server", ...flags]);
    this.#connect();
  }

  /** Starts `gantry node` and waits until its agents are connected. */
  async startNode(...flags: readonly string[]): Promise<void> {
    await this.#run(/This machine works for/, ["node", ...flags]);
  }

  async #run(readiness: RegExp, words: readonly string[]): Promise<void> {
    this.launch(words);
    await until(`gantry ${words[0]} is ready`, () => {
      const ended = this.ended;
      if (ended !== undefined) throw new Error(`gantry ${words[0]} ended ${ended}`);
      return readiness.test(this.#output);
    });
  }

  /** How the process that was started last ended without being asked to; undefined while it runs, and when it was. */
  get ended(): string | undefined {
    const { exitCode, signalCode } = this.#process ?? {};
    const how = exitCode ?? signalCode ?? undefined;
    return how === undefined ? undefined : `with ${how}:\n${this.#output}`;
  }

  /** Starts `gantry <words>` and waits for nothing. */
  launch(words: readonly string[]): void {
    this.#output = "";
    const child = spawn(this.#program, [...this.#before, ...words], {
      env: { ...process.env, PATH, ...this.environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    const collect = (chunk: Buffer): void => {
      this.#output += chunk.toString();
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
  }

  #connect(): void {
    this.#disconnect();
    const settings = this.clientSettings;
    this.#ecs = new ECSClient(settings);
    this.#iam = new IAMClient(settings);
    this.#logs = new CloudWatchLogsClient(settings);
  }

  #disconnect(): void {
    this.#ecs?.destroy();
    this.#iam?.destroy();
    this.#logs?.destroy();
  }

  get ecs(): ECSClient {
    assert.ok(this.#ecs !== undefined);
    return this.#ecs;
  }

  get iam(): IAMClient {
    assert.ok(this.#iam !== undefined);
    return this.#iam;
  }

  get logs(): CloudWatchLogsClient {
    assert.ok(this.#logs !== undefined);
    return this.#logs;
  }

  /**
   * Makes a role that tasks may have and returns its ARN. It allows what AmazonECSTaskExecutionRolePolicy does, and
   * `statements`.
   */
  async createTaskRole(name: string, ...statements: readonly object[]): Promise<string> {
    const Principal = { Service: "ecs-tasks.amazonaws.com" };
    const document = (...Statement: readonly object[]): string =>
      JSON.stringify({ Version: "2012-10-17", Statement });
    const { Role } = await this.iam.send(
      new CreateRoleCommand({
        RoleName: name,
        AssumeRolePolicyDocument: document({
          Effect: "Allow",
          Principal,
          Action: "sts:AssumeRole",
        }),
      }),
    );
    await this.iam.send(
      new AttachRolePolicyCommand({
        RoleName: name,
        PolicyArn: "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy",
      }),
    );
    if (statements.length > 0) {
      const PolicyDocument = document(...statements);
      const policy = { RoleName: name, PolicyName: "own", PolicyDocument };
      await this.iam.send(new PutRolePolicyCommand(policy));
    }
    return Role?.Arn ?? "";
  }

  /** Ends the process: SIGTERM as Ctrl-C does, SIGKILL as a crash. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  }

  /** `gantry …` on this system's data directory. */
  gantry(...args: readonly string[]): Promise<CommandResult> {
    return command(this.#program, [...this.#before, ...args], this.environment);
  }

  async loadImage(archive: string): Promise<void> {
    const { code, stderr } = await this.gantry("image", "load", archive);
    assert.equal(code, 0, stderr);
  }

  /** Registers a task definition and runs one task of it in the cluster `default`; its ARN. */
  async runTask(
    definition: RegisterTaskDefinitionCommandInput,
    input: Partial<RunTaskCommandInput> = { launchType: "EC2" },
  ): Promise<string> {
    await this.ecs.send(new RegisterTaskDefinitionCommand(definition));
    const { tasks, failures } = await this.ecs.send(
      new RunTaskCommand({ taskDefinition: definition.family, ...input }),
    );
    assert.deepEqual(failures, []);
    const arn = tasks?.[0]?.taskArn;
    assert.ok(arn !== undefined);
    return arn;
  }

  /** Waits until the task's lastStatus is `status` and returns it. Fails at once if it is STOPPED instead. */
  async taskIs(cluster: string, arn: string | undefined, status: string): Promise<Task> {
    assert.ok(arn !== undefined, "no task was started");
    const look = async (): Promise<Task | undefined> => {
      const { tasks } = await this.ecs.send(new DescribeTasksCommand({ cluster, tasks: [arn] }));
      const task = tasks?.[0];
      if (task?.lastStatus === status) return task;
      if (task?.lastStatus === "STOPPED" && status !== "STOPPED") {
        throw new Error(
          `${arn} stopped: ${task.stoppedReason}\n${JSON.stringify(task.containers)}`,
        );
      }
      return undefined;
    };
    // An agent tries a registry that does not answer for half a minute.
    return until(`${arn} is ${status}`, look, TASK_MS_MAX);
  }

  /** Stops everything, removes the directory, and fails if anything is left of this system. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disconnect();
    await this.stop();
    const identity = join(this.directory, "identity.json");
    const systemId = existsSync(identity)
      ? (JSON.parse(readFileSync(identity, "utf8")) as { systemId: string }).systemId
      : undefined;
    const down = await this.gantry("down");
    assert.equal(down.code, 0, down.stderr);
    const left = await leftovers(this.directory, systemId);
    rmSync(this.directory, { recursive: true, force: true });
    assert.deepEqual(left, [], "gantry left something behind");
  }
}

/** What a server answers, as soon as it does. */
export function fetchText(url: string): Promise<string> {
  return until(`${url} answers`, async () => {
    try {
      return await (await fetch(url, { signal: AbortSignal.timeout(2000) })).text();
    } catch {
      return undefined;
    }
  });
}

/** Processes, mounts, namespaces, links, nft tables and cgroups that still belong to a system. */
export async function leftovers(
  directory: string,
  systemId: string | undefined,
): Promise<string[]> {
  const left: string[] = [];
  for (const path of globSync("/proc/[0-9]*/cmdline")) {
    const line = readProc(path).replaceAll("\0", " ");
    if (line.includes(directory)) left.push(`process: ${line}`);
  }
  for (const mount of readProc("/proc/self/mounts").split("\n")) {
    if (mount.includes(directory) || (systemId !== undefined && mount.includes(systemId)))
      left.push(`mount: ${mount}`);
  }
  if (systemId === undefined) return left;
  const named = async (program: string, ...args: string[]): Promise<void> => {
    const { stdout } = await command(program, args);
    for (const line of stdout.split("\n"))
      if (line.includes(systemId)) left.push(`${program}: ${line}`);
  };
  await named("ip", "netns", "list");
  await named("ip", "-o", "link");
  await named("nft", "list", "tables");
  for (const path of globSync(`/sys/fs/cgroup/{,*/,*/*/}*${systemId}*`))
    left.push(`cgroup: ${path}`);
  return left;
}

function readProc(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
