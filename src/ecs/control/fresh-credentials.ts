import type { Log } from "../../lib/log.ts";
import type { Task } from "../model/task.ts";
import type { DeliveryLedger } from "./delivery-ledger.ts";
import {
  type MintedCredentials,
  mintTaskCredentials,
  type RoleType,
  type TaskCredentialsDeps,
} from "./task-credentials.ts";

/** Credentials are renewed this long before they end. */
const RENEWAL_MS = 15 * 60_000;

/** The credentials of the tasks of one connection: those that the ledger keeps, or new ones when they grow old. */
export class FreshCredentials {
  readonly #deps: TaskCredentialsDeps & { readonly log: Log };
  readonly #ledger: DeliveryLedger;
  /** `<task> <role>` whose role is gone: said in the log once a connection, not once a round. */
  readonly #lost = new Set<string>();

  constructor(deps: TaskCredentialsDeps & { readonly log: Log }, ledger: DeliveryLedger) {
    this.#deps = deps;
    this.#ledger = ledger;
  }

  /** Undefined when ECS cannot act in the role (any more). */
  async of(
    key: string,
    task: Task,
    role: { readonly roleType: RoleType; readonly roleArn: string },
  ): Promise<MintedCredentials | undefined> {
    const held = this.#ledger.credentials(key, role.roleType);
    if (held && held.expiresAt - this.#deps.clock.now() > RENEWAL_MS) return held;
    const minted = await mintTaskCredentials(this.#deps, task, role);
    if (minted !== undefined) this.#ledger.keepCredentials(key, role.roleType, minted);
    else this.#noteLost(task, role.roleArn);
    return minted;
  }

  #noteLost(task: Task, roleArn: string): void {
    const subject = `${task.id} ${roleArn}`;
    if (this.#lost.has(subject)) return;
    this.#lost.add(subject);
    this.#deps.log.warn("a task's role cannot be assumed", { task: task.id, role: roleArn });
  }
}
