import { secretArn } from "../../src/secrets/model.ts";
import type { SimClient } from "./client.ts";
import type { SecretHistory } from "./secret-check.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { Violation } from "./violation.ts";

/** Few, so that several users are at one at a time. */
const NAMES: readonly [string, ...string[]] = ["db/password", "api-key", "token"];

export interface SecretUsersDeps {
  readonly client: SimClient;
  readonly random: SeededRandom;
  readonly secrets: SecretHistory;
}

/** Users of Secrets Manager, who hold the server to what it answers. */
export class SecretUsers {
  readonly #deps: SecretUsersDeps;

  constructor(deps: SecretUsersDeps) {
    this.#deps = deps;
  }

  /** Does one drawn thing to a drawn secret. Throws Violation. */
  async act(): Promise<void> {
    const { random } = this.#deps;
    const name = random.pick(NAMES);
    const actions = [
      () => this.#put("CreateSecret", { Name: name }),
      () => this.#put("PutSecretValue", { SecretId: name }),
      () => this.#put("UpdateSecret", { SecretId: name }),
      () => this.#call("RestoreSecret", { SecretId: name }),
      () => this.#delete(name),
    ] as const;
    await random.pick<() => Promise<unknown>>(actions)();
  }

  async #put(operation: string, input: object): Promise<void> {
    const { random, secrets } = this.#deps;
    const ClientRequestToken = random.uuid();
    const SecretString = random.hex(8);
    const answer = await this.#call(operation, { ...input, ClientRequestToken, SecretString });
    const { ARN = "", VersionId = "" } = answer ?? {};
    if (answer !== undefined) secrets.tell(ARN);
    if (answer === undefined || secrets.wasKept(ARN, VersionId)) return;
    throw new Violation("S8", `${operation} was answered and ${ARN} never had ${VersionId}`);
  }

  async #delete(name: string): Promise<void> {
    const { random, secrets } = this.#deps;
    const isForced = random.chance(0.3);
    if (isForced) secrets.willForce(name);
    const before = secrets.list().find((secret) => secret.name === name);
    const wasTold = before !== undefined && secrets.isTold(secretArn(before));
    const answer = await this.#call("DeleteSecret", {
      SecretId: name,
      ...(isForced
        ? { ForceDeleteWithoutRecovery: true }
        : { RecoveryWindowInDays: random.integer(7, 30) }),
    });
    const { ARN = "" } = answer ?? {};
    const how = isForced ? "at once" : "scheduled";
    if (answer === undefined || secrets.wasDeleted(ARN, how)) return;
    // Secrets Manager: a deletion at once of what is not there is answered too, with a name for an ARN. What nobody has been
    // told of yet may come after it.
    const wasAbsent =
      before === undefined || !wasTold || secrets.wasDeleted(secretArn(before), how);
    const isThere = secrets.list().some((secret) => secretArn(secret) === ARN);
    if (isForced && wasAbsent && !isThere) return;
    throw new Violation("S8", `DeleteSecret was answered and ${ARN} was never deleted ${how}`);
  }

  async #call(operation: string, input: object): Promise<SecretAnswer | undefined> {
    return (await this.#deps.client.call(operation, input, "secretsmanager")) as
      | SecretAnswer
      | undefined;
  }
}

interface SecretAnswer {
  readonly ARN?: string;
  readonly VersionId?: string;
}
