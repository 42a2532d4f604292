import { type Backoff, backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { ApiError, messageOf, UnavailableError } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";
import type { PayloadContainer, RegistryAuthentication } from "../protocol/acs.ts";
import type { RegistryLogin } from "../runtime/runtime.ts";
import type { ApiFactory, ApiTarget, Credentials } from "./agent-deps.ts";
import type { RoleCredentialsCache } from "./role-credentials.ts";
import { TaskFailure } from "./task-failure.ts";
import { waitForChange } from "./wake.ts";

export interface RegistryAuthDeps {
  readonly api: ApiFactory;
  /** The node's own. */
  readonly credentials: () => Credentials;
  readonly roleCredentials: RoleCredentialsCache;
  readonly clock: Clock;
  readonly random: Random;
}

interface EcrToken {
  readonly login: RegistryLogin;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** Chosen: calls to a service that cannot be reached, as many as the SDK of ECS's agent makes. */
const CALLS_MAX = 3;
const CALL_BACKOFF: Backoff = { firstMs: 500, factor: 2, maxMs: 5_000 };
/** How long a new task waits for the credentials that come by themselves. */
const CREDENTIALS_MS_MAX = 30_000;
/** ECR gives tokens for twelve hours. One is not used in its last minutes: a pull takes time. */
const ECR_TOKEN_MARGIN_MS = 10 * 60_000;
/** Chosen: tokens kept, one for each registry and role. */
const ECR_TOKENS_MAX = 1000;

/** The logins that task definitions ask for: out of a secret, or of ECR. */
export class RegistryAuth {
  readonly #deps: RegistryAuthDeps;
  readonly #ecrTokens = new Map<string, EcrToken>();

  constructor(deps: RegistryAuthDeps) {
    this.#deps = deps;
  }

  /** The login for a container's image; undefined when the definition names none. Throws TaskFailure, in ECS's words. */
  async login(
    taskArn: string,
    container: PayloadContainer,
    signal: AbortSignal,
  ): Promise<RegistryLogin | undefined> {
    const authentication = container.registryAuthentication;
    switch (authentication?.type) {
      case undefined:
        return undefined;
      case "asm":
        return this.#secret(taskArn, authentication.asmAuthData, signal);
      case "ecr":
        return this.#ecr(taskArn, container.name, authentication.ecrAuthData, signal);
      default: {
        const { type } = authentication as { readonly type: unknown };
        throw resourceFailure(`unknown type of registry authentication: ${String(type)}`);
      }
    }
  }

  async #secret(
    taskArn: string,
    { credentialsParameter, region }: AsmAuthData,
    signal: AbortSignal,
  ): Promise<RegistryLogin> {
    const credentials = await this.#executionRole(taskArn, signal);
    const target = { service: "secretsmanager", region } as const;
    let output: unknown;
    try {
      const input = { SecretId: credentialsParameter };
      output = await this.#call(target, credentials, ["GetSecretValue", input], signal);
    } catch (error) {
      throw resourceFailure(`unable to retrieve secret from asm: ${failedCall(error)}`);
    }
    const login = loginOf((output as { SecretString?: unknown }).SecretString);
    if (login !== undefined) return login;
    throw resourceFailure(
      `unable to retrieve secret from asm: the secret ${credentialsParameter} is not JSON with username and password`,
    );
  }

  async #ecr(
    taskArn: string,
    container: string,
    { endpointOverride, region, registryId, useExecutionRole }: EcrAuthData,
    signal: AbortSignal,
  ): Promise<RegistryLogin> {
    const { clock } = this.#deps;
    const credentials = useExecutionRole
      ? await this.#executionRole(taskArn, signal)
      : this.#deps.credentials;
    const caller = useExecutionRole ? this.#roleArn(taskArn) : "node";
    const key = `${region} ${registryId} ${endpointOverride ?? ""} ${caller}`;
    const known = this.#ecrTokens.get(key);
    if (known !== undefined && known.expiresAt > clock.now()) return known.login;
    const target = {
      service: "ecr",
      region,
      ...(endpointOverride && { endpoint: endpointOverride }),
    } as const;
    let token: EcrToken | undefined;
    try {
      const input = { registryIds: [registryId] };
      const call = ["GetAuthorizationToken", input] as const;
      token = ecrTokenOf(await this.#call(target, credentials, call, signal), clock.now());
    } catch (error) {
      throw new TaskFailure(`CannotPullECRContainerError: ${failedCall(error)}`, container);
    }
    if (token === undefined) {
      const reason = `ECR gave no usable authorization token for registry ${registryId}`;
      throw new TaskFailure(`CannotPullECRContainerError: ${reason}`, container);
    }
    this.#ecrTokens.delete(key);
    this.#ecrTokens.set(key, token);
    if (this.#ecrTokens.size > ECR_TOKENS_MAX) {
      this.#ecrTokens.delete(this.#ecrTokens.keys().next().value ?? "");
    }
    return token.login;
  }

  /** Credentials of the task's execution role, which the server sends by themselves. */
  async #executionRole(taskArn: string, signal: AbortSignal): Promise<() => Credentials> {
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

  #roleArn(taskArn: string): string {
    return this.#deps.roleCredentials.get(taskArn, "TaskExecution")?.roleArn ?? taskArn;
  }

  async #call(
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

type AsmAuthData = Extract<RegistryAuthentication, { type: "asm" }>["asmAuthData"];
type EcrAuthData = Extract<RegistryAuthentication, { type: "ecr" }>["ecrAuthData"];

/** ECS's words for what keeps a whole task from starting. */
function resourceFailure(reason: string): TaskFailure {
  return new TaskFailure(
    `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: ${reason}`,
  );
}

function failedCall(error: unknown): string {
  if (error instanceof ApiError) {
    return `service call has been retried 1 time(s): ${error.code}: ${error.message}`;
  }
  return `service call has been retried ${CALLS_MAX} time(s): RequestError: send request failed caused by: ${messageOf(error)}`;
}

/** Never says what it read: it is a secret. */
function loginOf(text: unknown): RegistryLogin | undefined {
  if (typeof text !== "string") return undefined;
  try {
    const { username, password } = JSON.parse(text) as Record<string, unknown>;
    const isLogin = typeof username === "string" && typeof password === "string";
    return isLogin && username !== "" ? { username, password } : undefined;
  } catch {
    return undefined;
  }
}

function ecrTokenOf(output: unknown, now: number): EcrToken | undefined {
  const [data] =
    (output as { authorizationData?: readonly Record<string, unknown>[] }).authorizationData ?? [];
  if (typeof data?.authorizationToken !== "string") return undefined;
  const text = Buffer.from(data.authorizationToken, "base64").toString("utf8");
  const [, username, password] = /^([^:]+):(.+)$/s.exec(text) ?? [];
  if (username === undefined || password === undefined) return undefined;
  const expiresAt = Number(data.expiresAt) * 1000 || now;
  return { login: { username, password }, expiresAt: expiresAt - ECR_TOKEN_MARGIN_MS };
}
