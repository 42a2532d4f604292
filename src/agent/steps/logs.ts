import type { Clock } from "../../lib/clock.ts";
import { ApiError, messageOf, UnavailableError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import type { AgentConfig, ApiClient, ApiFactory, Credentials } from "../agent-deps.ts";
import { containerIdOf } from "../container-spec.ts";
import type { Disk } from "../disk.ts";
import { decodeDockerSettings } from "../docker-settings.ts";
import type { Journal } from "../journal.ts";
import {
  type AwslogsDestination,
  createLogStream,
  type LogDestination,
  putLogEvents,
} from "../log-destination.ts";
import { logDestination } from "../log-options.ts";
import { LogShipper } from "../log-shipper.ts";
import { trimOutput } from "../output-trimmer.ts";
import type { RoleCredentialsCache } from "../role-credentials.ts";
import { TaskFailure } from "../task-failure.ts";
import { outputPath } from "../task-files.ts";
import type { AssignedTask } from "../task-record.ts";
import { Wake, waitForChange } from "../wake.ts";

/** Tries to make a stream while the log service cannot be reached, and the pause between them. */
const CREATE_TRIES_MAX = 5;
const CREATE_RETRY_MS = 2_000;
/** How long whoever waits for STOPPED waits for the last lines. Shipping goes on behind it. */
const FLUSH_MS_MAX = 2_000;
/** How long a new task, and the output of an adopted one, waits for the credentials that come by themselves. */
const CREDENTIALS_MS_MAX = 30_000;

export interface LogsDeps {
  readonly api: ApiFactory;
  readonly credentials: () => Credentials;
  readonly roleCredentials: RoleCredentialsCache;
  readonly journal: Journal;
  readonly config: AgentConfig;
  readonly disk: Disk;
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

interface Follower {
  readonly end: () => void;
  readonly done: Promise<void>;
}

/** The output of one task's containers: streams made before they start, files followed until all is shipped. */
export class TaskLogs {
  readonly #deps: LogsDeps;
  readonly #task: AssignedTask;
  readonly #clients = new Map<string, ApiClient>();
  readonly #followers = new Map<string, Follower>();

  constructor(deps: LogsDeps, task: AssignedTask) {
    this.#deps = deps;
    this.#task = task;
  }

  /** Makes the containers' log streams. Throws TaskFailure when the task must not run without them. */
  async up(signal: AbortSignal): Promise<void> {
    for (const { name } of this.#task.containers) {
      const destination = this.destination(name);
      if (destination.driver !== "awslogs") continue;
      await this.#awaitCredentials(name, signal);
      await this.#createStream(destination, this.#client(name, destination), signal);
    }
  }

  /** Where a container's output goes. Throws TaskFailure for a configuration that cannot be followed. */
  destination(name: string): LogDestination {
    const definition = this.#definition(name);
    const secret = definition?.secrets?.find(({ target }) => target === "LOG_DRIVER");
    if (secret !== undefined) {
      throw invalidArguments(
        `log option ${secret.name} as a secret is not supported by this agent`,
      );
    }
    const destination = logDestination(
      decodeDockerSettings(definition?.dockerConfig).hostConfig.LogConfig,
      {
        region: this.#deps.config.region,
        containerId: containerIdOf(this.#task.arn, name),
      },
    );
    if ("error" in destination) throw invalidArguments(destination.error);
    return destination;
  }

  /**
   * Follows a container's file from where it was left, until `end(name)`. Does nothing when it is followed already.
   * `mayBeGone`: the task has stopped, so an agent before us may have shipped all of it and removed the file.
   */
  follow(name: string, signal: AbortSignal, mayBeGone: boolean): void {
    if (this.#followers.has(name)) return;
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const done = this.#followFile(name, ended, signal).catch((error: unknown) => {
      if (mayBeGone && (error as NodeJS.ErrnoException).code === "ENOENT") return;
      this.#deps.log.error("cannot follow a container's output", {
        container: containerIdOf(this.#task.arn, name),
        error: messageOf(error),
      });
    });
    this.#followers.set(name, { end, done });
  }

  /**
   * Says that a container will write nothing more. One that nobody follows may have written all the same: the machine may have
   * stopped before it was known to run.
   */
  async end(name: string, signal: AbortSignal, mayBeGone: boolean): Promise<void> {
    if (await this.#deps.disk.exists(outputPath(this.#deps.directory, this.#task.arn, name))) {
      this.follow(name, signal, mayBeGone);
    }
    this.#followers.get(name)?.end();
  }

  /** Waits a little for the last lines to be shipped. */
  async flush(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const flushed = new Wake();
    const change = flushed.next();
    void this.down().then(() => flushed.notify());
    await waitForChange(clock, change, clock.now() + FLUSH_MS_MAX, signal);
  }

  /** Resolves when everything is shipped or given up, or soon after the signal of `follow` aborted. */
  async down(): Promise<void> {
    await Promise.all([...this.#followers.values()].map(({ done }) => done));
  }

  #definition(name: string): AssignedTask["containers"][number] | undefined {
    return this.#task.containers.find((container) => container.name === name);
  }

  async #followFile(name: string, ended: Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, journal, log, random } = this.#deps;
    const destination = this.destination(name);
    await using file = await this.#deps.disk.openOutput(
      outputPath(this.#deps.directory, this.#task.arn, name),
    );
    if (destination.driver === "file") {
      const over = new AbortController();
      void ended.then(() => over.abort());
      const until = AbortSignal.any([signal, over.signal]);
      await trimOutput({ file, clock, log }, destination.keepBytes, until);
      return;
    }
    const client = this.#client(name, destination);
    const writer = containerIdOf(this.#task.arn, name);
    const shipper = new LogShipper({
      file,
      put: async (events, range, stop) => {
        await this.#awaitCredentials(name, stop);
        return putLogEvents(client, destination, events, { writer, ...range }, stop);
      },
      startsEvent: destination.startsEvent,
      spoolBytesMax: destination.spoolBytesMax,
      offset: journal.offset(this.#task.arn, name),
      saveOffset: (offset, durability) =>
        journal.putOffset(this.#task.arn, name, offset, durability),
      clock,
      random,
      log: log.child(writer),
    });
    void ended.then(() => shipper.end());
    await shipper.run(signal);
  }

  #client(name: string, destination: AwslogsDestination): ApiClient {
    const client = this.#clients.get(name) ?? this.#newClient(name, destination);
    this.#clients.set(name, client);
    return client;
  }

  #newClient(name: string, { region, endpoint }: AwslogsDestination): ApiClient {
    const target = { service: "logs", region, ...(endpoint && { endpoint }) } as const;
    if (!this.#needsExecutionRole(name)) return this.#deps.api(target, this.#deps.credentials);
    return this.#deps.api(target, () => {
      const credentials = this.#deps.roleCredentials.get(this.#task.arn, "TaskExecution");
      if (credentials === undefined) {
        throw new UnavailableError("the credentials of the execution role have not come yet");
      }
      return credentials;
    });
  }

  #needsExecutionRole(name: string): boolean {
    return this.#definition(name)?.logsAuthStrategy === "ExecutionRole";
  }

  async #awaitCredentials(name: string, signal: AbortSignal): Promise<void> {
    if (!this.#needsExecutionRole(name)) return;
    const { clock, roleCredentials } = this.#deps;
    const untilAt = clock.now() + CREDENTIALS_MS_MAX;
    while (!signal.aborted && clock.now() < untilAt) {
      if (roleCredentials.get(this.#task.arn, "TaskExecution") !== undefined) return;
      await waitForChange(clock, roleCredentials.changed(), untilAt, signal);
    }
  }

  async #createStream(
    destination: AwslogsDestination,
    client: ApiClient,
    signal: AbortSignal,
  ): Promise<void> {
    for (let tries = 1; !signal.aborted; tries++) {
      try {
        await createLogStream(client, destination, signal);
        return;
      } catch (error) {
        if (isRefusal(error) || tries === CREATE_TRIES_MAX) {
          const code = error instanceof ApiError ? `${error.code}: ` : "";
          throw invalidArguments(
            `create stream has been retried ${tries} times: failed to create Cloudwatch log stream: ${code}${messageOf(error)}`,
          );
        }
        await this.#deps.clock.sleep(CREATE_RETRY_MS, signal);
      }
    }
  }
}

function isRefusal(error: unknown): boolean {
  if (!(error instanceof ApiError) || error.code === "ThrottlingException") return false;
  return (error.status ?? 400) < 500;
}

function invalidArguments(text: string): TaskFailure {
  return new TaskFailure(`ResourceInitializationError: failed to validate logger args: ${text}`);
}
