import { createCipheriv, createDecipheriv } from "node:crypto";
import { UnavailableError } from "./errors.ts";
import type { Random } from "./random.ts";

/** AES-256-GCM; the lengths are the algorithm's. */
const ALGORITHM = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Keeps texts unreadable where they are stored: a copy of the state alone tells nobody a secret. */
export class Sealer {
  readonly #key: Uint8Array;
  readonly #random: Random;

  /** `key`: 32 bytes. */
  constructor(key: Uint8Array, random: Random) {
    this.#key = key;
    this.#random = random;
  }

  /** Base64 of nonce, tag and ciphertext. It opens only in the same `context`: a sealed text cannot be moved to another place. */
  seal(text: string, context: string): string {
    const nonce = this.#random.bytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce);
    cipher.setAAD(Buffer.from(context));
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64");
  }

  /** Throws UnavailableError when it was sealed with another key or in another context, or is damaged. */
  open(sealed: string, context: string): string {
    const bytes = Buffer.from(sealed, "base64");
    try {
      const cipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      cipher.setAAD(Buffer.from(context));
      cipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      const text = cipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, "utf8");
      return text + cipher.final("utf8");
    } catch (cause) {
      throw new UnavailableError(`${context} cannot be opened with this server's master key`, {
        cause,
      });
    }
  }
}
