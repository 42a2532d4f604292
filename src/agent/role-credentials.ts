import type { IamRoleCredentialsMessage, RoleCredentials } from "../protocol/acs.ts";
import { type Change, Wake } from "./wake.ts";

type RoleType = IamRoleCredentialsMessage["roleType"];

/** The tasks' role credentials, in memory only: after a restart the server sends them anew. */
export class RoleCredentialsCache {
  readonly #byTask = new Map<string, Map<RoleType, RoleCredentials>>();
  readonly #wake = new Wake();

  get(taskArn: string, roleType: RoleType): RoleCredentials | undefined {
    return this.#byTask.get(taskArn)?.get(roleType);
  }

  put(taskArn: string, roleType: RoleType, credentials: RoleCredentials): void {
    const roles = this.#byTask.get(taskArn) ?? new Map<RoleType, RoleCredentials>();
    this.#byTask.set(taskArn, roles.set(roleType, credentials));
    this.#wake.notify();
  }

  /** What happens at the next `put`. */
  changed(): Change {
    return this.#wake.next();
  }

  /** Forgets a task's credentials. */
  delete(taskArn: string): void {
    this.#byTask.delete(taskArn);
  }
}
