import { type Backoff, backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { ApiError, messageOf, UnavailableError } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";
import type { ApiFactory, ApiTarget, Credentials } from "./agent-deps.ts";
import type { RoleCredentialsCache } from "./role-credentials.ts";
import { TaskFailure } from "./task-failure.ts";
import { waitForChange } from "./wake.ts";

export interface ExecutionRoleDeps {
  readonly api: ApiFactory;
  readonly roleCredentials: RoleCredentialsCache;
  readonly clock: Clock;
  readonly random: Random;
}

/** Chosen: calls to a service that cannot be reached, as many as the SDK of ECS's agent makes. */
const CALLS_MAX = 3;
const CALL_BACKOFF: Backoff = { firstMs: 500, factor: 2, maxMs: 5_000 };
/** How long a new task waits for the credentials that come by themselves. */
const CREDENTIALS_MS_MAX = 30_000;

/** What the agent does in the execution role of a task before its containers start. */
export class ExecutionRole {
  readonly #deps: ExecutionRoleDeps;

  constructor(deps: ExecutionRoleDeps) {
    this.#deps = deps;
  }

  /** The role's credentials, which the server sends by themselves. Throws TaskFailure when they do not come. */
  async credentials(taskArn: string, signal: AbortSignal): Promise<() => Credentials> {
    const { clock, roleCredentials } = this.#deps;
    const current = (): Credentials | undefined => roleCredentials.get(taskArn, "TaskExecution");
    const giveUpAt = clock.now() + CREDENTIALS_MS_MAX;
    while (current() === undefined && clock.now() < giveUpAt && !signal.aborted) {
      await waitForChange(clock, roleCredentials.changed(), giveUpAt, signal);
    }
    signal.throwIfAborted();
    const first = current();
    if (first === undefined) {
      throw resourceFailure("the task has no execution role, or its credentials did not arrive");
    }
    return () => current() ?? first;
  }

  /** Calls a service; tries again while it cannot be reached. Throws ApiError, and UnavailableError at last. */
  async call(
    target: ApiTarget,
    credentials: () => Credentials,
    [operation, input]: readonly [operation: string, input: unknown],
    signal: AbortSignal,
  ): Promise<unknown> {
    const { api, clock, random } = this.#deps;
    const client = api(target, credentials);
    for (let failures = 1; ; failures++) {
      try {
        return await client.call(operation, input, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof UnavailableError) || failures === CALLS_MAX) throw error;
        await clock.sleep(backoffMs(CALL_BACKOFF, failures, random), signal);
      }
    }
  }
}

/** ECS's words for what keeps a whole task from starting. */
export function resourceFailure(reason: string): TaskFailure {
  return new TaskFailure(
    `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: ${reason}`,
  );
}

/** ECS's words for a call that has failed for good. */
export function failedCall(error: unknown): string {
  if (error instanceof ApiError) {
    return `service call has been retried 1 time(s): ${error.code}: ${error.message}`;
  }
  return `service call has been retried ${CALLS_MAX} time(s): RequestError: send request failed caused by: ${messageOf(error)}`;
}
