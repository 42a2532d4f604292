import type { PayloadContainer, RegistryAuthentication } from "../protocol/acs.ts";
import type { RegistryLogin } from "../runtime/pull.ts";
import type { Credentials } from "./agent-deps.ts";
import {
  ExecutionRole,
  type ExecutionRoleDeps,
  failedCall,
  resourceFailure,
} from "./execution-role.ts";
import { TaskFailure } from "./task-failure.ts";

export interface RegistryAuthDeps extends ExecutionRoleDeps {
  /** The node's own. */
  readonly credentials: () => Credentials;
}

interface EcrToken {
  readonly login: RegistryLogin;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** ECR gives tokens for twelve hours. One is not used in its last minutes: a pull takes time. */
const ECR_TOKEN_MARGIN_MS = 10 * 60_000;
/** Chosen: tokens kept, one for each registry and role. */
const ECR_TOKENS_MAX = 1000;

/** The logins that task definitions ask for: out of a secret, or of ECR. */
export class RegistryAuth {
  readonly #deps: RegistryAuthDeps;
  readonly #executionRole: ExecutionRole;
  readonly #ecrTokens = new Map<string, EcrToken>();

  constructor(deps: RegistryAuthDeps) {
    this.#deps = deps;
    this.#executionRole = new ExecutionRole(deps);
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
    const credentials = await this.#executionRole.credentials(taskArn, signal);
    const target = { service: "secretsmanager", region } as const;
    let output: unknown;
    try {
      const input = { SecretId: credentialsParameter };
      output = await this.#executionRole.call(
        target,
        credentials,
        ["GetSecretValue", input],
        signal,
      );
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
      ? await this.#executionRole.credentials(taskArn, signal)
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
      token = ecrTokenOf(
        await this.#executionRole.call(target, credentials, call, signal),
        clock.now(),
      );
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

  #roleArn(taskArn: string): string {
    return this.#deps.roleCredentials.get(taskArn, "TaskExecution")?.roleArn ?? taskArn;
  }
}

type AsmAuthData = Extract<RegistryAuthentication, { type: "asm" }>["asmAuthData"];
type EcrAuthData = Extract<RegistryAuthentication, { type: "ecr" }>["ecrAuthData"];

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
