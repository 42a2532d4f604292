import type { AccessRequest } from "../door/authorize.ts";
import { messageOf } from "../lib/errors.ts";
import type { StoreRecord } from "../store/store.ts";
import type { IamDeps } from "./deps.ts";
import { LAST_USE_BATCH, LAST_USE_FLUSH_MS } from "./limits.ts";
import { accessKeyKey } from "./model/access-key.ts";
import { parseSessionArn } from "./model/arns.ts";
import { lastUsedKey, roleKey } from "./model/keys.ts";
import type { LastUsed, Role } from "./model/records.ts";

/**
 * When access keys and roles were last used. Requests only note it in memory; every some minutes what is new is written,
 * so no request ever waits for it, and a crash forgets no more than that.
 */
export class LastUses {
  readonly #deps: IamDeps;
  /** By access key id, or by the key of a role's record. */
  #noted = new Map<string, Noted>();

  constructor(deps: IamDeps) {
    this.#deps = deps;
  }

  /** Notes a request that has been authenticated. Of machines' keys, which change daily, nobody asks. */
  note({ principal, origin: { region }, action }: AccessRequest): void {
    if (principal.kind === "node" || principal.kind === "join") return;
    const session = parseSessionArn(principal.arn);
    const isLasting = principal.accessKeyId.startsWith("AKIA");
    const subject = isLasting
      ? principal.accessKeyId
      : session && roleKey(session.accountId, session.roleName);
    if (subject === undefined) return;
    const [serviceName = ""] = action.split(":", 1);
    this.#noted.set(subject, { at: this.#deps.clock.now(), region, serviceName });
  }

  /** Of an access key, as this server knows it. */
  of(accessKeyId: string): Noted | undefined {
    return this.#latest(accessKeyId, accessKeyId);
  }

  ofRole({ accountId, roleName, roleId }: Role): Noted | undefined {
    return this.#latest(roleKey(accountId, roleName), roleId);
  }

  #latest(subject: string, id: string): Noted | undefined {
    const noted = this.#noted.get(subject);
    const stored = this.#deps.cache.get(lastUsedKey(id))?.value as LastUsed | undefined;
    return (noted?.at ?? 0) > (stored?.at ?? 0) ? noted : stored;
  }

  /** Writes what was noted every {@link LAST_USE_FLUSH_MS}, and once more when `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(LAST_USE_FLUSH_MS, signal);
      try {
        await this.flush();
      } catch (error) {
        this.#deps.log.warn("last uses of access keys not written", { why: messageOf(error) });
      }
    }
  }

  /** Writes what was noted. What could not be written now stays noted. */
  async flush(): Promise<void> {
    const taken = [...this.#noted];
    this.#noted = new Map();
    for (let at = 0; at < taken.length; at += LAST_USE_BATCH) {
      const batch = taken.slice(at, at + LAST_USE_BATCH);
      const isWritten = await this.#write(batch).catch(() => false);
      if (!isWritten) this.#putBack(batch);
    }
  }

  async #write(batch: readonly (readonly [string, Noted])[]): Promise<boolean> {
    const news = batch.flatMap(([subject, noted]) => this.#newsOf(subject, noted));
    if (news.length === 0) return true;
    const { ok } = await this.#deps.store.txn(
      // A key or role that is deleted meanwhile must not leave this behind.
      news.map(({ owner }) => owner),
      news.map(({ value }) => ({ key: lastUsedKey(value.id), value })),
    );
    return ok;
  }

  #newsOf(
    subject: string,
    noted: Noted,
  ): readonly { readonly owner: StoreRecord; readonly value: LastUsed }[] {
    const isRole = subject.startsWith("/");
    const owner = this.#deps.cache.get(isRole ? subject : accessKeyKey(subject));
    if (owner === undefined) return [];
    const id = isRole ? (owner.value as Role).roleId : subject;
    const stored = this.#deps.cache.get(lastUsedKey(id))?.value as LastUsed | undefined;
    const { at, region, serviceName } = noted;
    return (stored?.at ?? 0) >= at ? [] : [{ owner, value: { id, at, region, serviceName } }];
  }

  #putBack(batch: readonly (readonly [string, Noted])[]): void {
    for (const [subject, noted] of batch) {
      if (!this.#noted.has(subject)) this.#noted.set(subject, noted);
    }
  }
}

export type Noted = Omit<LastUsed, "id">;
