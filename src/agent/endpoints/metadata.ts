import { type Answer, json } from "./answer.ts";
import type { EndpointTask } from "./hub.ts";
import type { MetadataQuestion } from "./question.ts";
import { tagsOf } from "./tags.ts";
import { containerDocument, containerNamed, taskDocument } from "./task-document.ts";

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
      return json(200, taskDocument(task, version));
    case "taskWithTags":
      return json(200, taskDocument(task, version, await tagsOf(task)));
    case "container": {
      const document = name === undefined ? undefined : containerDocument(task, name, version);
      return document === undefined
        ? unknown("the task has no such container")
        : json(200, document);
    }
    case "associations":
      // A task with associations (GPUs, accelerators) is not accepted by this agent.
      return json(200, { Associations: null });
    case "association":
      return unknown("the container has no such association");
  }
}
