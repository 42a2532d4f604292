import { createCipheriv, createDecipheriv } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { Principal } from "../door/service.ts";

/** All that a session is: sealed into its own token, so that no server has to remember any. */
export interface SessionClaims {
  readonly principal: Principal;
  readonly secretAccessKey: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** What is sealed: a text of one purpose does not open as one of another. */
export type SealPurpose = "session" | "denial";

/** AES-256-GCM; the lengths are the algorithm's. */
const ALGORITHM = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_BYTES = 8;

/** Chosen: a larger text is packed, so that session policies and tags fit into a header. */
const PLAIN_LENGTH_MAX = 1024;
/** Chosen, above what policies and tags can be before they are packed: what is opened is ours, but not without a limit. */
const TEXT_BYTES_MAX = 256 * 1024;

/** Seals a text: base64 of key id, nonce, tag and ciphertext. `nonce` must never come twice with one key. */
export function seal(
  text: string,
  purpose: SealPurpose,
  key: { readonly id: string; readonly bytes: Uint8Array },
  nonce: Uint8Array,
): string {
  const id = Buffer.from(key.id, "hex");
  const cipher = createCipheriv(ALGORITHM, key.bytes, nonce.subarray(0, NONCE_BYTES));
  cipher.setAAD(Buffer.concat([id, Buffer.from(purpose)]));
  const plain = Buffer.from(text);
  const isPacked = plain.length > PLAIN_LENGTH_MAX;
  const bytes = isPacked ? deflateRawSync(plain) : plain;
  const sealed = Buffer.concat([
    cipher.update(Buffer.of(isPacked ? 1 : 0)),
    cipher.update(bytes),
    cipher.final(),
  ]);
  return Buffer.concat([id, nonce.subarray(0, NONCE_BYTES), cipher.getAuthTag(), sealed]).toString(
    "base64",
  );
}

/** The text that we sealed; undefined for anything else. `findKey` gives the key of an id, if there is one. */
export function unseal(
  sealed: string,
  purpose: SealPurpose,
  findKey: (id: string) => Uint8Array | undefined,
): string | undefined {
  const bytes = Buffer.from(sealed, "base64");
  const head = KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES;
  // A decoder passes over what is not base64: there would be many texts for one seal.
  if (bytes.length <= head || bytes.toString("base64") !== sealed) return undefined;
  const id = bytes.subarray(0, KEY_ID_BYTES);
  const key = findKey(id.toString("hex"));
  if (!key) return undefined;
  const nonce = bytes.subarray(KEY_ID_BYTES, KEY_ID_BYTES + NONCE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.concat([id, Buffer.from(purpose)]));
  decipher.setAuthTag(bytes.subarray(KEY_ID_BYTES + NONCE_BYTES, head));
  try {
    const plain = Buffer.concat([decipher.update(bytes.subarray(head)), decipher.final()]);
    const content = plain.subarray(1);
    return (
      plain[0] === 1 ? inflateRawSync(content, { maxOutputLength: TEXT_BYTES_MAX }) : content
    ).toString();
  } catch {
    // The tag does not fit: forged or damaged, which is all the caller needs to know.
    return undefined;
  }
}
