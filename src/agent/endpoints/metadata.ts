import type { TaskStorageUsage } from "../../runtime/task-storage.ts";
import { containerIdOf } from "../container-spec.ts";
import { isFargate } from "../task-record.ts";
import { type Answer, json } from "./answer.ts";
import type { EndpointTask } from "./hub.ts";
import type { MetadataQuestion } from "./question.ts";
import { statsDocument } from "./stats-document.ts";
import { tagsOf } from "./tags.ts";
import {
  containerDocument,
  containerNamed,
  dockerNameOf,
  type MetadataVersion,
  taskDocument,
} from "./task-document.ts";

/** Version 4 says 404 where the older ones say 400. */
const UNKNOWN_STATUS = { 2: 400, 3: 400, 4: 404 } as const;

/** Answers a metadata question. `subject`: who asks, if that is known. */
export async function answerMetadata(
  question: MetadataQuestion,
  subject: { readonly task: EndpointTask; readonly name?: string } | undefined,
): Promise<Answer> {
  const { about, version } = question;
  const unknown = (what: string): Answer =>
    json(UNKNOWN_STATUS[version], `V${version} metadata: ${what}`);
  if (subject === undefined) {
    return unknown(version === 2 ? "no task has this address" : "no container has this id");
  }
  const { task } = subject;
  const name =
    question.dockerId === undefined ? subject.name : containerNamed(task.record, question.dockerId);
  switch (about) {
    case "task":
      return json(200, taskDocument(task, version, { storage: await storageOf(task, version) }));
    case "taskWithTags":
      return json(
        200,
        taskDocument(task, version, {
          storage: await storageOf(task, version),
          ...(await tagsOf(task)),
        }),
      );
    case "container": {
      const document = name === undefined ? undefined : containerDocument(task, name, version);
      return document === undefined
        ? unknown("the task has no such container")
        : json(200, document);
    }
    case "stats": {
      const stats = name === undefined ? undefined : await containerStats(task, name, version);
      return stats === undefined ? unknown("the task has no such container") : json(200, stats);
    }
    case "taskStats":
      return json(200, await taskStats(task, version));
    case "associations":
      // A task with associations (GPUs, accelerators) is not accepted by this agent.
      return json(200, { Associations: null });
    case "association":
      return unknown("the container has no such association");
  }
}

/** Only version 4 shows it, and only of a task that has a disk of its own. */
async function storageOf(
  { agent, arn, record }: EndpointTask,
  version: MetadataVersion,
): Promise<TaskStorageUsage | undefined> {
  return version === 4 && record.taskStorage !== undefined ? agent.taskStorage(arn) : undefined;
}

/** By runtime id. */
async function taskStats(task: EndpointTask, version: MetadataVersion): Promise<object> {
  const entries = task.record.containers.map(
    async ({ name }) =>
      [containerIdOf(task.arn, name), await containerStats(task, name, version)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

/** A container that does not run has none: the older versions say null. Undefined when the task has no such container. */
async function containerStats(
  { agent, arn, record }: EndpointTask,
  name: string,
  version: MetadataVersion,
): Promise<object | null | undefined> {
  const container = record.containers.find((candidate) => candidate.name === name);
  if (container === undefined) return undefined;
  const id = containerIdOf(arn, name);
  const pair = container.status === "RUNNING" ? await agent.stats(id) : undefined;
  if (pair === undefined) return version === 4 ? {} : null;
  const dockerName = dockerNameOf(record, name);
  // Docker's begin with a slash.
  return statsDocument(id, isFargate(record.task) ? name : `/${dockerName}`, pair, version);
}
