import type { RunTaskRequest, RunTaskResponse, StartTaskRequest } from "@aws-sdk/client-ecs";
import type { ApiClient, Credentials } from "../../src/agent/agent-deps.ts";
import type { Task } from "../../src/ecs/model/task.ts";
import { ApiError, messageOf, UnavailableError } from "../../src/lib/errors.ts";
import type { HostClock } from "./host-clock.ts";
import { Link } from "./link.ts";
import { apiFactory } from "./machine.ts";
import { arnOf, type SafetyChecker } from "./safety.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { REGION } from "./server.ts";
import type { Trace } from "./trace.ts";
import { type Door, Uplink } from "./uplink.ts";
import { Violation } from "./violation.ts";

/** ECS: a token may end an hour after its tasks. Half of that leaves room for clocks that are set forward. */
const TOKEN_MS_CHECKED = 30 * 60_000;

export interface SimClientDeps {
  readonly clock: HostClock;
  readonly random: SeededRandom;
  readonly door: () => Door | undefined;
  readonly credentials: () => Credentials;
  readonly records: SafetyChecker;
  readonly trace: Trace;
}

/** What users use. */
type ClientService = "ecs" | "secretsmanager";

interface TokenUse {
  readonly request: RunTaskRequest;
  readonly firstUsedAt: number;
  /** Of the first answer. */
  arns: readonly string[] | undefined;
}

/** A user of the API, who remembers what was answered and holds the server to it. */
export class SimClient {
  readonly link: Link;
  readonly #deps: SimClientDeps;
  readonly #apis: Readonly<Record<ClientService, ApiClient>>;
  readonly #tokens: TokenUse[] = [];

  constructor(deps: SimClientDeps) {
    this.#deps = deps;
    this.link = new Link(deps.clock, deps.random.fork("link"));
    const { send } = new Uplink(this.link, deps.door);
    const factory = apiFactory(send, deps.clock);
    const api = (service: ClientService): ApiClient =>
      factory({ service, region: REGION }, deps.credentials);
    this.#apis = { ecs: api("ecs"), secretsmanager: api("secretsmanager") };
  }

  /** The answer; undefined when the request failed, as requests do while faults are on. Throws Violation. */
  async call(operation: string, input: object, service: ClientService = "ecs"): Promise<unknown> {
    const { trace } = this.#deps;
    try {
      const answer = await this.#apis[service].call(operation, input);
      trace.event(`${operation} answered`);
      return answer;
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof UnavailableError)) throw error;
      trace.transition(`${operation} failed: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** RunTask, with a token that may be used again by `repeat`. */
  async runTask(request: RunTaskRequest): Promise<void> {
    const { clock } = this.#deps;
    const use: TokenUse = { request, firstUsedAt: clock.now(), arns: undefined };
    if (request.clientToken !== undefined) this.#tokens.push(use);
    await this.#run(use);
  }

  /** A RunTask that was made before, word for word. */
  async repeat(): Promise<void> {
    const use = this.#deps.random.pickFrom(this.#tokens);
    if (use !== undefined) await this.#run(use);
  }

  async startTask(request: StartTaskRequest): Promise<void> {
    this.#expectTasks(await this.call("StartTask", request));
  }

  async stopTask(arn: string): Promise<void> {
    const { records } = this.#deps;
    const answer = await this.call("StopTask", { cluster: "default", task: arn });
    if (answer === undefined) return;
    const task = records.list<Task>("tasks").find((candidate) => arnOf(candidate) === arn);
    if (task?.desiredStatus !== "STOPPED" && !records.reaped.has(arn)) {
      throw new Violation("S8", `StopTask was answered and ${arn} is not to stop`);
    }
  }

  async #run(use: TokenUse): Promise<void> {
    const { clock } = this.#deps;
    const arns = this.#expectTasks(await this.call("RunTask", use.request));
    if (arns === undefined) return;
    const { clientToken, count = 1 } = use.request;
    if (arns.length > count) throw new Violation("S5", `RunTask of ${count} made ${arns.length}`);
    if (clientToken === undefined || clock.now() - use.firstUsedAt > TOKEN_MS_CHECKED) return;
    use.arns ??= arns;
    if (use.arns.join() !== arns.join()) {
      throw new Violation("S5", `token ${clientToken} made ${use.arns.join()} and ${arns.join()}`);
    }
  }

  /** The tasks of an answer, all of which are on record. */
  #expectTasks(answer: unknown): readonly string[] | undefined {
    if (answer === undefined) return undefined;
    const { records } = this.#deps;
    const known = new Set([...records.list<Task>("tasks").map(arnOf), ...records.reaped]);
    const arns = ((answer as RunTaskResponse).tasks ?? []).map(({ taskArn = "" }) => taskArn);
    const lost = arns.find((arn) => !known.has(arn));
    if (lost !== undefined) throw new Violation("S8", `${lost} was answered and is not on record`);
    return arns;
  }
}
