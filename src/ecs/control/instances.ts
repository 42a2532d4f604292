import { UnavailableError } from "../../lib/errors.ts";
import { commit } from "../../store/commit.ts";
import type { Controller } from "../../store/controller.ts";
import type { StoreRecord, Write } from "../../store/store.ts";
import { advance } from "../model/advance.ts";
import { type Instance, retire } from "../model/instance.ts";
import {
  awaySince,
  type InstanceLimits,
  type InstanceStep,
  lookMs,
  nextInstanceStep,
} from "../model/instance-step.ts";
import { ecsKind, instanceKey, taskKey, unconfirmedStopKey } from "../model/keys.ts";
import { requestStop } from "../model/request-stop.ts";
import type { StopCause } from "../model/stop-reason.ts";
import type { Task, UnconfirmedStop } from "../model/task.ts";
import { rankOf } from "../model/task-state.ts";
import type { EcsDeps } from "./deps.ts";
import { Silences } from "./silences.ts";
import { confirmStop } from "./unconfirmed-stops.ts";

/** Chosen: tasks in one transaction, which may write `STORE_TXN_OPERATIONS_MAX` records: up to two for each. */
const BATCH_MAX = 50;
/** Lost races against the reports of tasks that end. */
const ATTEMPTS_MAX = 20;

/**
 * Ends what runs on container instances that are lost or out of service, and deletes the latter in the end. A machine
 * that is only cut off goes on running its tasks: until it is back and says that they have ended, their addresses stay
 * taken and nothing is placed on it.
 */
export function createInstancesController(deps: EcsDeps, limits: InstanceLimits): Controller {
  const silences = new Silences(lookMs(limits.lossAfterMs ?? 0));
  return {
    name: "instances",
    keysFor: ({ key, before, after }) => {
      if (ecsKind(key) === "instances") return [key];
      if (ecsKind(key) !== "tasks") return [];
      const record = after ?? before;
      const instance = record && keyOfInstance(record.value as Task);
      return instance !== undefined && isAway(deps, instance) ? [instance] : [];
    },
    allKeys: (cache) =>
      cache
        .list("/")
        .filter(({ key }) => ecsKind(key) === "instances")
        .map(({ key }) => key),
    reconcile: async (key) => {
      const record = deps.cache.get(key);
      if (!record) {
        silences.end(key);
        return undefined;
      }
      const instance = record.value as Instance;
      const now = deps.clock.now();
      const step = nextInstanceStep(
        {
          instance,
          liveTaskCount: liveTasksOn(deps, key).length,
          unconfirmedCount: deps.cache.lookup("unconfirmedStopsByInstance", key).length,
          silentMs: instance.agentConnected
            ? silences.end(key)
            : silences.extend(key, awaySince(instance), now),
          now,
        },
        limits,
      );
      return apply(deps, record, step);
    },
  };
}

function isAway({ cache }: EcsDeps, key: string): boolean {
  const instance = cache.get(key)?.value as Instance | undefined;
  return instance !== undefined && !instance.agentConnected;
}

async function apply(
  deps: EcsDeps,
  record: StoreRecord,
  step: InstanceStep,
): Promise<{ againAfterMs: number } | undefined> {
  const instance = record.value as Instance;
  const asSeen = [{ key: record.key, revision: record.revision }];
  switch (step.kind) {
    case "nothing":
      return undefined;
    case "look":
      return { againAfterMs: step.againAfterMs };
    case "endTasks":
      await endTasks(deps, record.key, step.cause);
      break;
    case "confirmStops":
      await confirmStops(deps, record.key);
      break;
    case "loseTasks":
      await loseTasks(deps, record, step.cause);
      break;
    case "retire":
      await commit(deps, asSeen, [{ key: record.key, value: retire(instance, step.retired) }]);
      break;
    case "delete":
      await commit(deps, asSeen, [{ key: record.key, value: undefined }]);
      break;
  }
  return { againAfterMs: 0 };
}

/** The tasks of an instance that is out of service end in the books, whatever becomes of their containers. */
export async function endTasks(deps: EcsDeps, key: string, cause: StopCause): Promise<void> {
  for (let failures = 0; failures < ATTEMPTS_MAX; ) {
    const records = liveTasksOn(deps, key).slice(0, BATCH_MAX);
    if (records.length === 0) return;
    const now = deps.clock.now();
    const isWritten = await commit(
      deps,
      records.map((task) => ({ key: task.key, revision: task.revision })),
      records.map((task) => ({
        key: task.key,
        value: abandoned(task.value as Task, cause, now),
      })),
    );
    if (!isWritten) failures++;
  }
  throw new UnavailableError(`the tasks of ${key} keep changing`);
}

/** Nobody is left who could say that the tasks have ended: that the instance is out of service is the word for it. */
export async function confirmStops(deps: EcsDeps, key: string): Promise<void> {
  for (const record of deps.cache.lookup("unconfirmedStopsByInstance", key)) {
    await confirmStop(deps, record);
  }
}

/** Each transaction compares the instance: an agent that is back keeps what it has not lost yet. */
async function loseTasks(deps: EcsDeps, instance: StoreRecord, cause: StopCause): Promise<void> {
  const now = deps.clock.now();
  for (const records of batchesOf(liveTasksOn(deps, instance.key))) {
    const isWritten = await commit(
      deps,
      [instance, ...records].map(({ key, revision }) => ({ key, revision })),
      records.flatMap(({ value }) => lost(value as Task, cause, now)),
    );
    if (!isWritten) return;
  }
}

/** Tasks whose agent would have the next word. */
function liveTasksOn({ cache }: EcsDeps, key: string): readonly StoreRecord[] {
  return cache
    .lookup("liveTasksByInstance", key)
    .filter(({ value }) => (value as Task).lastStatus !== "DEPROVISIONING");
}

function lost(task: Task, cause: StopCause, now: number): readonly Write[] {
  const ended = advance(abandoned(task, cause, now), { event: "interfaceReleased" }, now);
  const key = taskKey(task, task.clusterName, task.id);
  // No agent has heard of it yet.
  if (rankOf(task.lastStatus) < rankOf("PENDING")) return [{ key, value: ended }];
  const { accountId, region, clusterName, id, family, revision, placement, attachment } = task;
  const stop: UnconfirmedStop = {
    placement,
    ...{ accountId, region, clusterName, id, family, revision },
    ...(attachment && { attachment }),
    lostAt: now,
  };
  return [
    { key, value: { ...ended, isUnconfirmed: true } },
    { key: unconfirmedStopKey(task, clusterName, id), value: stop },
  ];
}

function abandoned(task: Task, { stopCode, reason }: StopCause, now: number): Task {
  return advance(requestStop(task, { stopCode, reason, now }), { event: "abandoned" }, now);
}

function keyOfInstance({ placement: { instance } }: Task): string {
  return instanceKey(instance, instance.clusterName, instance.id);
}

function batchesOf<T>(all: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / BATCH_MAX) }, (_, index) =>
    all.slice(index * BATCH_MAX, (index + 1) * BATCH_MAX),
  );
}
