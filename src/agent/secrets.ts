import type { PayloadSecret } from "../protocol/acs.ts";
import type { Credentials } from "./agent-deps.ts";
import {
  ExecutionRole,
  type ExecutionRoleDeps,
  failedCall,
  resourceFailure,
} from "./execution-role.ts";
import { type SecretReference, secretReference } from "./secret-reference.ts";
import type { AssignedTask } from "./task-record.ts";

/** AWS: names in one call of GetParameters. */
const PARAMETERS_PER_CALL = 10;

/** Name of the variable → value. */
type Values = Readonly<Record<string, string>>;

/**
 * The secrets of one task's containers, as variables. Fetched once for the whole task, in its execution role, when the first
 * container needs them; kept in memory only, and never said in a log or an error.
 */
export class TaskSecrets {
  readonly #role: ExecutionRole;
  readonly #task: AssignedTask;
  #fetched: ReadonlyMap<string, string> | undefined;

  constructor(deps: ExecutionRoleDeps, task: AssignedTask) {
    this.#role = new ExecutionRole(deps);
    this.#task = task;
  }

  /** The secret variables of a container. Throws TaskFailure in ECS's words when one of the task's cannot be had. */
  async of(container: string, signal: AbortSignal): Promise<Values> {
    const secrets = secretsOf(this.#task, container);
    if (secrets.length === 0) return {};
    this.#fetched ??= await this.#fetchAll(signal);
    const fetched = this.#fetched;
    return Object.fromEntries(
      secrets.map((secret) => [secret.name, fetched.get(keyOf(secret)) ?? ""]),
    );
  }

  async #fetchAll(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const all = this.#task.containers.flatMap(({ name }) => secretsOf(this.#task, name));
    const wanted = [...new Map(all.map((secret) => [keyOf(secret), secret])).values()];
    const credentials = await this.#role.credentials(this.#task.arn, signal);
    const values = new Map<string, string>();
    const byRegion = Map.groupBy(
      wanted.filter(({ provider }) => provider === "ssm"),
      ({ region }) => region,
    );
    for (const [region, secrets] of byRegion) {
      for (let at = 0; at < secrets.length; at += PARAMETERS_PER_CALL) {
        const batch = secrets.slice(at, at + PARAMETERS_PER_CALL);
        const found = await this.#parameters(region, batch, credentials, signal);
        for (const [key, value] of found) values.set(key, value);
      }
    }
    for (const secret of wanted.filter(({ provider }) => provider === "asm")) {
      values.set(keyOf(secret), await this.#secret(secret, credentials, signal));
    }
    return values;
  }

  async #parameters(
    region: string,
    secrets: readonly PayloadSecret[],
    credentials: () => Credentials,
    signal: AbortSignal,
  ): Promise<readonly (readonly [key: string, value: string])[]> {
    const names = secrets.map(({ valueFrom }) => valueFrom);
    const input = { Names: names, WithDecryption: true };
    let output: ParametersOutput;
    try {
      const target = { service: "ssm", region } as const;
      const call = ["GetParameters", input] as const;
      output = (await this.#role.call(target, credentials, call, signal)) as ParametersOutput;
    } catch (error) {
      throw resourceFailure(`unable to retrieve secrets from ssm: ${failedCall(error)}`);
    }
    const invalid = output.InvalidParameters ?? [];
    if (invalid.length > 0) {
      throw resourceFailure(
        `unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid parameters: ${invalid.join(",")}`,
      );
    }
    const found = new Map<string, string>();
    for (const { ARN, Name, Selector = "", Value } of output.Parameters ?? []) {
      for (const name of [ARN, Name]) {
        if (name !== undefined && Value !== undefined) found.set(`${name}${Selector}`, Value);
      }
    }
    return secrets.map((secret) => [keyOf(secret), found.get(secret.valueFrom) ?? ""] as const);
  }

  async #secret(
    { region, valueFrom }: PayloadSecret,
    credentials: () => Credentials,
    signal: AbortSignal,
  ): Promise<string> {
    const reference = secretReference(valueFrom);
    const { secretId: SecretId, versionId, versionStage } = reference;
    const input = {
      SecretId,
      ...(versionId !== undefined && { VersionId: versionId }),
      ...(versionStage !== undefined && { VersionStage: versionStage }),
    };
    let output: { readonly SecretString?: string };
    try {
      const target = { service: "secretsmanager", region } as const;
      const call = ["GetSecretValue", input] as const;
      output = (await this.#role.call(target, credentials, call, signal)) as typeof output;
    } catch (error) {
      throw resourceFailure(`unable to retrieve secret from asm: ${failedCall(error)}`);
    }
    if (output.SecretString === undefined) {
      throw resourceFailure(`unable to retrieve secret from asm: ${SecretId} is binary`);
    }
    return memberOf(output.SecretString, reference);
  }
}

interface ParametersOutput {
  readonly Parameters?: readonly {
    readonly ARN?: string;
    readonly Name?: string;
    readonly Selector?: string;
    readonly Value?: string;
  }[];
  readonly InvalidParameters?: readonly string[];
}

/** The whole secret, or one member of it where the reference names one. */
function memberOf(text: string, { jsonKey, secretId }: SecretReference): string {
  if (jsonKey === undefined) return text;
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw resourceFailure(`retrieved secret ${secretId} from Secrets Manager is not JSON`);
  }
  const member: unknown =
    typeof document === "object" && document !== null && Object.hasOwn(document, jsonKey)
      ? Reflect.get(document, jsonKey)
      : undefined;
  if (member === undefined) {
    throw resourceFailure(
      `retrieved secret from Secrets Manager did not contain json key ${jsonKey}`,
    );
  }
  return typeof member === "string" ? member : JSON.stringify(member);
}

/** Those for the container itself; what a log driver needs is not a variable. */
function secretsOf(task: AssignedTask, container: string): readonly PayloadSecret[] {
  const definition = task.containers.find(({ name }) => name === container);
  return (definition?.secrets ?? []).filter(({ target }) => target !== "LOG_DRIVER");
}

function keyOf({ provider, region, valueFrom }: PayloadSecret): string {
  return `${provider} ${region} ${valueFrom}`;
}
