import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { type Answer, json, text } from "./answer.ts";
import { answerCredentials } from "./credentials.ts";
import type { EndpointHub, EndpointTask } from "./hub.ts";
import { answerMetadata } from "./metadata.ts";
import { parseQuestion, type Question } from "./question.ts";
import { RateLimits } from "./rate-limits.ts";
import { answerTaskProtection } from "./task-protection.ts";

export interface EndpointRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly sourceAddress: string;
  readonly body: string;
}

/** Answers what containers ask their node. */
export class Endpoint {
  readonly #hub: EndpointHub;
  readonly #audit: Log;
  readonly #limits: RateLimits;

  constructor(deps: { readonly hub: EndpointHub; readonly clock: Clock; readonly log: Log }) {
    this.#hub = deps.hub;
    this.#audit = deps.log.child("audit");
    this.#limits = new RateLimits(deps.clock);
  }

  async answer(request: EndpointRequest): Promise<Answer> {
    const question = parseQuestion(request.target);
    const subject = question && this.#subject(question, request.sourceAddress);
    // One task's questions cannot use up the answers of others that come from the same address.
    if (!this.#limits.take(subject?.task.arn ?? request.sourceAddress)) {
      return text(429, "too many requests");
    }
    if (question === undefined) return text(404, "404 page not found");
    if (!METHODS[question.kind].includes(request.method)) return text(405, "method not allowed");
    switch (question.kind) {
      case "credentials":
        return answerCredentials(
          { hub: this.#hub, audit: this.#audit },
          { ...question, sourceAddress: request.sourceAddress },
        );
      case "metadata":
        return answerMetadata(question, subject);
      case "protection":
        return answerTaskProtection(request, subject?.task);
      case "fault":
        return answerFault(subject?.task);
    }
  }

  /** Whom a question is about, if that may be told the caller. */
  #subject(
    question: Question,
    sourceAddress: string,
  ): { readonly task: EndpointTask; readonly name?: string } | undefined {
    if (question.kind === "credentials") {
      const task = this.#hub.taskOfCredentials(question.credentialsId, sourceAddress);
      return task && { task };
    }
    if (question.containerId !== undefined) {
      return this.#hub.container(question.containerId, sourceAddress);
    }
    const task = this.#hub.taskAt(sourceAddress);
    return task && { task };
  }
}

const METHODS: Readonly<Record<Question["kind"], readonly string[]>> = {
  credentials: ["GET"],
  metadata: ["GET", "HEAD"],
  protection: ["GET", "PUT"],
  fault: ["POST"],
};

/** No task of this agent can have fault injection: one whose definition enables it is refused. */
function answerFault(task: EndpointTask | undefined): Answer {
  return task === undefined
    ? json(404, { Error: "no task has a container with this id" })
    : json(400, { Error: `enableFaultInjection is not enabled for task: ${task.arn}` });
}
