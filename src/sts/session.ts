import { createHmac } from "node:crypto";
import type { Identity } from "../door/authorize.ts";
import { formatSecretAccessKey, formatSessionKeyId } from "../iam/model/access-key.ts";
import type { Clock } from "../lib/clock.ts";
import { UnavailableError } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";
import type { Cache } from "../store/cache.ts";
import type { Store, Write } from "../store/store.ts";
import {
  ID_SECRET_KEY,
  type IdSecret,
  SESSION_KEYS_PREFIX,
  type Session,
  type SessionKey,
  type SessionRequest,
  sessionKeyKey,
} from "./model.ts";
import { type SealPurpose, type SessionClaims, seal, unseal } from "./session-token.ts";

export interface SessionDeps {
  readonly store: Store;
  readonly cache: Cache;
  readonly clock: Clock;
  readonly random: Random;
}

/** STS: the longest are those of users, of 36 hours. */
const DURATION_SECONDS_MAX = 36 * 3600;
/** Chosen: a key that leaks is worth at most a day of new sessions. */
const KEY_AGE_MS_MAX = 24 * 3600_000;
/** Chosen: what a header may hold beside others. Ours hold policies of 2,048 characters and 50 tags at most. */
const TOKEN_LENGTH_MAX = 16 * 1024;
/** Chosen: some kilobytes each. */
const OPENED_MAX = 4096;
/** Lost races in a row before we call the store unusable. */
const ATTEMPTS_MAX = 5;

/**
 * Temporary credentials without a record per session: the token carries everything, sealed with a key that all servers
 * share through the store. Opening one reads the cache only.
 */
export class Sessions {
  readonly #deps: SessionDeps;
  /** By token: opening one costs more than all else of most calls, and callers repeat theirs. */
  readonly #opened = new Map<string, SessionClaims>();

  constructor(deps: SessionDeps) {
    this.#deps = deps;
  }

  /** New credentials for a principal. Throws UnavailableError when the store cannot take a new sealing key. */
  async mintSession(request: SessionRequest): Promise<Session> {
    const { clock, random } = this.#deps;
    const accessKeyId = formatSessionKeyId(request.principal.accountId, random.bytes(16));
    const secretAccessKey = formatSecretAccessKey(random.bytes(30));
    const durationSeconds = Math.min(request.durationSeconds, DURATION_SECONDS_MAX);
    const expiresAt = clock.now() + durationSeconds * 1000;
    const principal = { ...request.principal, accessKeyId };
    const claims: SessionClaims = { principal, secretAccessKey, expiresAt };
    const sessionToken = await this.#seal(JSON.stringify(claims), "session");
    return { accessKeyId, secretAccessKey, sessionToken, expiresAt };
  }

  /** Whose session this is; undefined if it is not ours, or the token belongs to another key. */
  openSession(accessKeyId: string, token: string, now: number): Identity | "expired" | undefined {
    const claims = this.#opened.get(token) ?? this.#open(token);
    if (claims?.principal.accessKeyId !== accessKeyId) return undefined;
    const { principal, secretAccessKey, expiresAt } = claims;
    return now >= expiresAt ? "expired" : { principal, secretAccessKey };
  }

  #open(token: string): SessionClaims | undefined {
    if (token.length > TOKEN_LENGTH_MAX) return undefined;
    const text = unseal(token, "session", (id) => this.#findKey(id));
    if (text === undefined) return undefined;
    const claims = JSON.parse(text) as SessionClaims;
    const [oldest] = this.#opened.keys();
    if (this.#opened.size >= OPENED_MAX && oldest !== undefined) this.#opened.delete(oldest);
    this.#opened.set(token, claims);
    return claims;
  }

  /** A refusal's details as a text that only `openDenial` reads. */
  sealDenial(details: string): Promise<string> {
    return this.#seal(details, "denial");
  }

  /** What `sealDenial` was given; undefined for any other text. */
  openDenial(sealed: string): string | undefined {
    return unseal(sealed, "denial", (id) => this.#findKey(id));
  }

  async #seal(text: string, purpose: SealPurpose): Promise<string> {
    const { id, key } = await this.#sealingKey();
    const nonce = this.#deps.random.bytes(12);
    return seal(text, purpose, { id, bytes: Buffer.from(key, "base64") }, nonce);
  }

  /**
   * A UUID that nobody can guess and that is the same for the same subject on every server and after every restart.
   * A running container knows its credentials by such an id, so it must outlive the credentials.
   */
  async stableId(subject: string): Promise<string> {
    const digest = createHmac("sha256", await this.#idSecret())
      .update(subject)
      .digest("hex");
    return digest.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }

  #findKey(id: string): Uint8Array | undefined {
    const record = this.#deps.cache.get(sessionKeyKey(id));
    return record && Buffer.from((record.value as SessionKey).key, "base64");
  }

  /** The newest key; a new one once a day, when those that no living session can need are dropped. */
  async #sealingKey(): Promise<SessionKey> {
    const { cache, clock, random, store } = this.#deps;
    const keys = cache.list(SESSION_KEYS_PREFIX).map(({ value }) => value as SessionKey);
    const newest = keys.reduce<SessionKey | undefined>(
      (best, key) => (best && best.createdAt >= key.createdAt ? best : key),
      undefined,
    );
    const now = clock.now();
    if (newest && now - newest.createdAt < KEY_AGE_MS_MAX) return newest;
    const key: SessionKey = {
      id: random.hex(8),
      key: Buffer.from(random.bytes(32)).toString("base64"),
      createdAt: now,
    };
    const lifetimeMs = KEY_AGE_MS_MAX + DURATION_SECONDS_MAX * 1000;
    const writes: Write[] = keys
      .filter(({ createdAt }) => now - createdAt > lifetimeMs)
      .map(({ id }) => ({ key: sessionKeyKey(id), value: undefined }));
    const result = await store.txn([], [...writes, { key: sessionKeyKey(key.id), value: key }]);
    if (!result.ok) throw new UnavailableError("the session key could not be stored");
    await cache.reached(result.revision);
    return key;
  }

  async #idSecret(): Promise<Uint8Array> {
    const { cache, random, store } = this.#deps;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const record = cache.get(ID_SECRET_KEY);
      if (record) return Buffer.from((record.value as IdSecret).key, "base64");
      const value: IdSecret = { key: Buffer.from(random.bytes(32)).toString("base64") };
      const result = await store.txn(
        [{ key: ID_SECRET_KEY, revision: 0 }],
        [{ key: ID_SECRET_KEY, value }],
      );
      const { revision } = result.ok ? result : await store.list(ID_SECRET_KEY);
      await cache.reached(revision);
    }
    throw new UnavailableError("the secret of stable ids could not be stored");
  }
}
