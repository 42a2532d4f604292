/**
 * amazon-ecs-agent played as a program: the same variables, the same talk (`test/conformance/ecs-agent-kit.ts`, which fails upon
 * what the agent would drop), and its tasks in Docker. For the tests that run the unmodified binary where there is one.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { PayloadTask, RoleCredentials } from "../../src/protocol/acs.ts";
import { type AgentTelemetry, EcsAgent, type Frame } from "../conformance/ecs-agent-kit.ts";
import { DockerClient } from "./docker-client.ts";
import { readMachine } from "./stand-in-metadata.ts";
import { StandInTask, type TaskState } from "./stand-in-task.ts";

/** The agent: what listens for its tasks, and what it holds their network with. */
const ENDPOINT_PORT = 51_679;
const PAUSE_IMAGE = "hello:latest";
const AGAIN_MS = 250;
const HEALTH_MS = 1000;

interface Saved {
  arn: string;
  timeline: number;
  tasks: TaskState[];
}

interface Message {
  readonly messageId: string;
  readonly tasks?: readonly PayloadTask[];
  readonly [member: string]: unknown;
}

class StandInAgent {
  readonly #agent: EcsAgent;
  readonly #docker: DockerClient;
  readonly #file: string;
  readonly #cluster: string;
  readonly #saved: Saved = { arn: "", timeline: -1, tasks: [] };
  readonly #tasks = new Map<string, StandInTask>();
  readonly #credentials = new Map<string, RoleCredentials>();

  constructor(agent: EcsAgent, environment: Readonly<Record<string, string | undefined>>) {
    const {
      DOCKER_HOST = "unix:///var/run/docker.sock",
      ECS_CLUSTER,
      ECS_DATADIR = "",
    } = environment;
    this.#agent = agent;
    this.#cluster = ECS_CLUSTER ?? "default";
    this.#docker = new DockerClient(DOCKER_HOST.replace(/^unix:\/\//, ""));
    mkdirSync(ECS_DATADIR, { recursive: true });
    this.#file = join(ECS_DATADIR, "stand-in.json");
    try {
      Object.assign(this.#saved, JSON.parse(readFileSync(this.#file, "utf8")));
    } catch {
      // The first start.
    }
  }

  async run(): Promise<never> {
    this.#agent.arn = this.#saved.arn;
    await this.#agent.register();
    this.#saved.arn = this.#agent.arn;
    this.#save();
    await this.#serveCredentials();
    for (const state of this.#saved.tasks) this.#begin(state);
    void this.#publish();
    for (let sendCredentials = true; ; sendCredentials = false) {
      try {
        await this.#agent.connect({ sendCredentials });
        for (;;) {
          const frame = await this.#agent.take();
          if (frame === undefined) break;
          this.#handle(frame);
        }
      } catch (error) {
        console.error(`connection: ${String(error)}`);
        await delay(AGAIN_MS);
      }
    }
  }

  #handle({ message, type }: Frame): void {
    const { messageId, tasks = [] } = message as Message;
    switch (type) {
      case "HeartbeatMessage":
        this.#agent.say("HeartbeatAckRequest", { messageId });
        break;
      case "PayloadMessage":
        for (const task of tasks) this.#take(task, messageId);
        this.#agent.acknowledge(message);
        break;
      case "IAMRoleCredentialsMessage":
        this.#keep(message.roleCredentials as RoleCredentials, messageId);
        break;
      case "TaskManifestMessage":
        this.#compare(message as Message);
        break;
      case "TaskStopVerificationAck":
        for (const { taskArn } of message.stopTasks as { taskArn: string }[]) {
          this.#tasks.get(taskArn)?.stop();
        }
    }
  }

  #take(task: PayloadTask, messageId: string): void {
    for (const role of [task.roleCredentials, task.executionRoleCredentials]) {
      if (role !== undefined) this.#keep(role, messageId);
    }
    const known = this.#tasks.get(task.arn);
    if (task.desiredStatus === "STOPPED") {
      if (known !== undefined) known.stop();
      else void this.#report(task.arn, { status: "STOPPED", reason: "not known", containers: [] });
    } else if (known === undefined) {
      const state = { task, containers: [] };
      this.#saved.tasks.push(state);
      this.#save();
      this.#begin(state);
    }
  }

  #begin(state: TaskState): void {
    const { arn } = state.task;
    const task = new StandInTask(
      {
        docker: this.#docker,
        pauseImage: PAUSE_IMAGE,
        report: (change) => this.#report(arn, change),
        save: () => this.#save(),
      },
      state,
    );
    this.#tasks.set(arn, task);
    task.run().then(
      () => {
        this.#tasks.delete(arn);
        this.#saved.tasks = this.#saved.tasks.filter((one) => one !== state);
        this.#save();
      },
      (error) => console.error(`${arn}: ${String(error)}`),
    );
  }

  /** A manifest that is not above the last is not looked at. */
  #compare(message: Message): void {
    const timeline = Number(message.timeline);
    if (timeline <= this.#saved.timeline) return;
    this.#saved.timeline = timeline;
    this.#save();
    this.#agent.acknowledge(message);
    const wanted = (message.tasks ?? []) as unknown as { taskArn: string; desiredStatus: string }[];
    const stopCandidates = [...this.#tasks.values()]
      .map(({ state }) => state.task)
      .filter(({ arn }) =>
        wanted.every(
          ({ desiredStatus, taskArn }) => taskArn !== arn || desiredStatus === "STOPPED",
        ),
      )
      .map(({ arn, taskClusterArn }) => ({
        taskArn: arn,
        taskClusterArn,
        desiredStatus: "STOPPED",
      }));
    if (stopCandidates.length === 0) return;
    const { messageId } = message;
    this.#agent.say("TaskStopVerificationMessage", { messageId, stopCandidates });
  }

  #keep(credentials: RoleCredentials, messageId: string): void {
    const { credentialsId, expiration } = credentials;
    this.#credentials.set(credentialsId, credentials);
    this.#agent.say("IAMRoleCredentialsAckRequest", { messageId, credentialsId, expiration });
  }

  /** Sends a report again until it is taken, or until the server does not know the task. */
  async #report(arn: string, change: object): Promise<void> {
    for (;;) {
      try {
        return await this.#agent.submit(arn, { ...change });
      } catch (error) {
        if ((error as Error).name === "InvalidParameterException") return;
        console.error(`report: ${String(error)}`);
        await delay(AGAIN_MS);
      }
    }
  }

  #save(): void {
    writeFileSync(this.#file, JSON.stringify(this.#saved));
  }

  async #serveCredentials(): Promise<void> {
    const server = createServer((request, response) => {
      const id = request.url?.replace(/^\/v2\/credentials\//, "") ?? "";
      const found = this.#credentials.get(id);
      response.writeHead(found === undefined ? 400 : 200, { "content-type": "application/json" });
      response.end(
        JSON.stringify({
          RoleArn: found?.roleArn,
          AccessKeyId: found?.accessKeyId,
          SecretAccessKey: found?.secretAccessKey,
          Token: found?.sessionToken,
          Expiration: found?.expiration,
        }),
      );
    });
    await new Promise<void>((resolve) => server.listen(ENDPOINT_PORT, "127.0.0.1", resolve));
  }

  async #publish(): Promise<void> {
    let telemetry: AgentTelemetry | undefined;
    for (;;) {
      try {
        telemetry ??= await this.#agent.connectTcs();
        await this.#publishHealth(telemetry);
      } catch (error) {
        console.error(`telemetry: ${String(error)}`);
        telemetry = undefined;
      }
      await delay(HEALTH_MS);
    }
  }

  async #publishHealth(telemetry: AgentTelemetry): Promise<void> {
    const tasks = [];
    for (const task of this.#tasks.values()) {
      const containers = await task.health();
      const { arn: taskArn, family, version } = task.state.task;
      const names = { taskDefinitionFamily: family, taskDefinitionVersion: version };
      if (containers.length > 0) tasks.push({ taskArn, ...names, containers });
    }
    if (tasks.length === 0) return;
    const metadata = {
      cluster: this.#cluster,
      containerInstance: this.#saved.arn,
      messageId: crypto.randomUUID(),
      fin: true,
    };
    const timestamp = Date.now() / 1000;
    await telemetry.publish("PublishHealthRequest", { metadata, timestamp, tasks });
  }
}

const { credentials, identityDocument } = await readMachine(process.env);
const agent = new EcsAgent(
  { url: process.env.ECS_BACKEND_HOST ?? "", credentials },
  {
    hasTaskEni: process.env.ECS_ENABLE_TASK_ENI === "true",
    hasExecutionRoleLogs: process.env.ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE === "true",
    cluster: process.env.ECS_CLUSTER ?? "default",
    ...(identityDocument !== undefined && { identityDocument }),
  },
);
await new StandInAgent(agent, process.env).run();
