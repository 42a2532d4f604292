import {
  isSecretKey,
  type Secret,
  secretArn,
  secretKey,
  versionKey,
  versionsPrefix,
} from "../../src/secrets/model.ts";
import type { Change } from "../../src/store/store.ts";
import { Violation } from "./violation.ts";

/** Follows Secrets Manager through the commits: what is deleted was due or asked for, and goes with all of its values (S11). */
export class SecretHistory {
  readonly #now: () => number;
  /** By key. */
  readonly #secrets = new Map<string, Secret>();
  /** By the prefix of a secret's versions: the keys of its values. */
  readonly #values = new Map<string, Set<string>>();
  /** Names of which somebody has asked for a deletion at once. */
  readonly #forced = new Set<string>();
  /** ARNs that were scheduled for deletion at some time, and that were gone. */
  readonly #scheduled = new Set<string>();
  readonly #gone = new Set<string>();
  /** ARNs that somebody has been given in an answer. */
  readonly #told = new Set<string>();
  /** Keys of values that were on record at some time. */
  readonly #kept = new Set<string>();

  /** `now`: what the server's clock shows. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes one commit. Throws Violation. */
  commit(changes: readonly Change[]): void {
    const touched = new Set<Secret>();
    for (const { key, record } of changes) {
      if (isSecretKey(key)) this.#takeSecret(key, record?.value as Secret | undefined, touched);
      else if (key.includes("/secrets/versions/")) this.#takeValue(key, record !== undefined);
    }
    for (const secret of touched) this.#check(secret);
  }

  /** To be called before the request: it may take effect whether or not it is answered. */
  willForce(name: string): void {
    this.#forced.add(name);
  }

  /** An answer speaks of the secret: from now on nobody is told that it does not exist while it does. */
  tell(arn: string): void {
    this.#told.add(arn);
  }

  isTold(arn: string): boolean {
    return this.#told.has(arn);
  }

  list(): readonly Secret[] {
    return [...this.#secrets.values()];
  }

  /** Whether a deletion that was answered has happened. */
  wasDeleted(arn: string, how: "at once" | "scheduled"): boolean {
    return (how === "at once" ? this.#gone : this.#scheduled).has(arn);
  }

  /** Whether a value that was answered was on record. */
  wasKept(arn: string, versionId: string): boolean {
    return this.#kept.has(`${arn} ${versionId}`);
  }

  /** The first secret whose time has come and that is still there. */
  findOverdue(): Secret | undefined {
    return this.list().find(({ purgeAt }) => purgeAt !== undefined && purgeAt <= this.#now());
  }

  #takeSecret(key: string, after: Secret | undefined, touched: Set<Secret>): void {
    const before = this.#secrets.get(key);
    if (after === undefined) this.#secrets.delete(key);
    else this.#secrets.set(key, after);
    const secret = after ?? before;
    if (secret !== undefined) touched.add(secret);
    if (after?.purgeAt !== undefined) this.#scheduled.add(secretArn(after));
    for (const id of Object.keys(after?.versions ?? {})) {
      if (after) this.#kept.add(`${secretArn(after)} ${id}`);
    }
    if (before === undefined || after !== undefined) return;
    this.#gone.add(secretArn(before));
    const isDue = before.purgeAt !== undefined && before.purgeAt <= this.#now();
    if (isDue || this.#forced.has(before.name)) return;
    throw new Violation("S11", `secret ${before.name} is deleted before its time`);
  }

  #takeValue(key: string, isThere: boolean): void {
    const prefix = key.slice(0, key.lastIndexOf("/") + 1);
    const values = this.#values.get(prefix) ?? new Set();
    this.#values.set(prefix, values);
    if (isThere) values.add(key);
    else values.delete(key);
  }

  /** The values on record are those of the secret's versions; of one that is gone there are none. */
  #check(secret: Secret): void {
    const isThere = this.#secrets.get(secretKey(secret, secret.name)) === secret;
    const ids = isThere ? Object.keys(secret.versions) : [];
    const expected = ids.map((id) => versionKey(secret, id)).toSorted();
    const found = [...(this.#values.get(versionsPrefix(secret)) ?? [])].toSorted();
    if (found.join() === expected.join()) return;
    throw new Violation("S11", `secret ${secret.name} has values ${found}, and versions ${ids}`);
  }
}
