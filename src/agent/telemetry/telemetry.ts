/** What one agent publishes, and when: metrics and the engine's state at their intervals, health also when it changes. */
import type { Clock } from "../../lib/clock.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import type { InstanceStatus, TelemetryMessage } from "../../protocol/tcs.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { containerIdOf } from "../container-spec.ts";
import type { TaskRecord } from "../task-record.ts";
import { Wake, waitForChange } from "../wake.ts";
import {
  healthMessages,
  instanceStatusMessage,
  metricsMessages,
  type Publisher,
} from "./messages.ts";
import { StatsSampler } from "./stats-sampler.ts";
import type { StatsPair } from "./usage.ts";

/** ECS agent: between two publications of health and of the engine's state, and of metrics unless it is asked for more. */
export const PUBLISH_INTERVAL_MS = 20_000;
/** ECS agent: between two samples where it polls (5–20 s). Half the interval, so that each message has more than one. */
const SAMPLE_INTERVAL_MS_MAX = 10_000;
/** ECS agent: an engine that does not answer in this time is impaired. */
const ENGINE_ANSWER_MS_MAX = 2_000;

export interface TelemetryDeps {
  readonly runtime: Pick<Runtime, "stats" | "version">;
  /** The tasks as they are known now. */
  readonly records: () => readonly TaskRecord[];
  /** Wakes when a record has changed. */
  readonly news: Wake;
  /** Between two publications of metrics. */
  readonly intervalMs: number;
  readonly cluster: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class Telemetry {
  readonly #deps: TelemetryDeps;
  readonly #sampler: StatsSampler;
  /** As last published, by container id. */
  readonly #restartCounts = new Map<string, number>();
  #engine: { status: InstanceStatus["status"]; since: number } | undefined;

  constructor(deps: TelemetryDeps) {
    this.#deps = deps;
    this.#sampler = new StatsSampler({
      ...deps,
      intervalMs: Math.min(SAMPLE_INTERVAL_MS_MAX, deps.intervalMs),
      running: () => runningContainers(deps.records()),
    });
  }

  /** The latest two samples of a container. */
  latest(containerId: string): Promise<StatsPair | undefined> {
    return this.#sampler.latest(containerId);
  }

  /** Samples until `signal` aborts. */
  async sample(signal: AbortSignal): Promise<void> {
    await this.#sampler.run(signal);
  }

  /** Publishes on a connection of this container instance until `signal` aborts; at once, and then at the intervals. */
  async publish(
    containerInstance: string,
    send: (body: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, cluster, intervalMs, news, random, records } = this.#deps;
    const publisher = (): Publisher => ({
      cluster,
      containerInstance,
      messageId: random.uuid(),
      now: clock.now(),
    });
    const sendAll = (messages: readonly TelemetryMessage[]): void => {
      for (const message of messages) send(JSON.stringify(message));
    };
    let metricsAt = clock.now();
    let othersAt = clock.now();
    let published = "";
    while (!signal.aborted) {
      const changed = news.next();
      const now = clock.now();
      // A clock that was set back makes neither later.
      metricsAt = Math.min(metricsAt, now + intervalMs);
      othersAt = Math.min(othersAt, now + PUBLISH_INTERVAL_MS);
      if (now >= metricsAt) {
        metricsAt = now + intervalMs;
        sendAll(this.#metrics(publisher()));
      }
      const health = healthOf(records());
      if (now >= othersAt || health !== published) {
        published = health;
        sendAll(healthMessages(publisher(), records()));
      }
      if (now >= othersAt) {
        othersAt = now + PUBLISH_INTERVAL_MS;
        sendAll([instanceStatusMessage(publisher(), [await this.#engineStatus(signal)])]);
      }
      await waitForChange(clock, changed, Math.min(metricsAt, othersAt), signal);
    }
  }

  #metrics(publisher: Publisher): readonly TelemetryMessage[] {
    const records = this.#deps.records();
    const running = new Set(runningContainers(records));
    for (const id of this.#restartCounts.keys()) {
      if (!running.has(id)) this.#restartCounts.delete(id);
    }
    return metricsMessages(
      publisher,
      records,
      (id, sharers) => this.#sampler.take(id, sharers),
      (id, restartCount) => {
        const before = this.#restartCounts.get(id) ?? 0;
        this.#restartCounts.set(id, restartCount);
        return Math.max(0, restartCount - before);
      },
    );
  }

  async #engineStatus(signal: AbortSignal): Promise<InstanceStatus> {
    const { clock, log } = this.#deps;
    const answers = await this.#engineAnswers(signal);
    const status = answers || signal.aborted ? "OK" : "IMPAIRED";
    const now = clock.now();
    if (this.#engine?.status !== status) {
      if (this.#engine !== undefined) log.warn("the container engine's state changed", { status });
      this.#engine = { status, since: now };
    }
    return {
      type: "ContainerRuntime",
      status,
      lastUpdated: now / 1000,
      lastStatusChange: this.#engine.since / 1000,
    };
  }

  async #engineAnswers(signal: AbortSignal): Promise<boolean> {
    const { clock, log, runtime } = this.#deps;
    const asked = new Wake();
    const change = asked.next();
    let answers = false;
    const ask = async (): Promise<void> => {
      try {
        await runtime.version();
        answers = true;
      } catch (error) {
        log.debug("the container engine does not answer", { error: messageOf(error) });
      }
      asked.notify();
    };
    void ask();
    await waitForChange(clock, change, clock.now() + ENGINE_ANSWER_MS_MAX, signal);
    return answers;
  }
}

function runningContainers(records: readonly TaskRecord[]): readonly string[] {
  return records.flatMap(({ containers, task }) =>
    containers
      .filter(({ status }) => status === "RUNNING")
      .map(({ name }) => containerIdOf(task.arn, name)),
  );
}

/** Equal texts are equal health. */
function healthOf(records: readonly TaskRecord[]): string {
  return records
    .flatMap(({ containers, task }) =>
      containers
        .filter(({ status, health }) => status === "RUNNING" && health !== undefined)
        .map(({ name, health }) => `${task.arn}/${name}=${health?.status}`),
    )
    .join();
}
