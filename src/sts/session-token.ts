import { createCipheriv, createDecipheriv } from "node:crypto";
import type { Principal } from "../door/service.ts";

/** All that a session is: sealed into its own token, so that no server has to remember any. */
export interface SessionClaims {
  readonly principal: Principal;
  readonly secretAccessKey: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** AES-256-GCM; the lengths are the algorithm's. */
const ALGORITHM = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_BYTES = 8;
/** A longer token is not ours: ours hold two ARN-sized strings. */
const TOKEN_LENGTH_MAX = 4096;

/** Seals claims: base64 of key id, nonce, tag and ciphertext. `nonce` must never come twice with one key. */
export function sealToken(
  claims: SessionClaims,
  key: { readonly id: string; readonly bytes: Uint8Array },
  nonce: Uint8Array,
): string {
  const id = Buffer.from(key.id, "hex");
  const cipher = createCipheriv(ALGORITHM, key.bytes, nonce.subarray(0, NONCE_BYTES));
  cipher.setAAD(id);
  const sealed = Buffer.concat([cipher.update(JSON.stringify(claims), "utf8"), cipher.final()]);
  return Buffer.concat([id, nonce.subarray(0, NONCE_BYTES), cipher.getAuthTag(), sealed]).toString(
    "base64",
  );
}

/** The claims of a token we sealed; undefined for anything else. `findKey` gives the key of an id, if there is one. */
export function openToken(
  token: string,
  findKey: (id: string) => Uint8Array | undefined,
): SessionClaims | undefined {
  if (token.length > TOKEN_LENGTH_MAX) return undefined;
  const bytes = Buffer.from(token, "base64");
  const head = KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES;
  if (bytes.length <= head) return undefined;
  const id = bytes.subarray(0, KEY_ID_BYTES);
  const key = findKey(id.toString("hex"));
  if (!key) return undefined;
  const nonce = bytes.subarray(KEY_ID_BYTES, KEY_ID_BYTES + NONCE_BYTES);
  const cipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(id);
  cipher.setAuthTag(bytes.subarray(KEY_ID_BYTES + NONCE_BYTES, head));
  try {
    const text = cipher.update(bytes.subarray(head), undefined, "utf8") + cipher.final("utf8");
    return JSON.parse(text) as SessionClaims;
  } catch {
    // The tag does not fit: forged or damaged, which is all the caller needs to know.
    return undefined;
  }
}
