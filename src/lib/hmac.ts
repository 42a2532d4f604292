import { hash } from "node:crypto";

/** Of SHA-256. */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;

/** The key of an HMAC as its two padded blocks: what follows from a key alone is worked out once. */
export interface HmacKey {
  readonly inner: Uint8Array;
  readonly outer: Uint8Array;
}

export function hmacKey(secret: Uint8Array): HmacKey {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.set(secret.length > BLOCK_BYTES ? hash("sha256", secret, "buffer") : secret);
  return { inner: padded(block, 0x36), outer: padded(block, 0x5c) };
}

/**
 * The HMAC-SHA-256 (RFC 2104) of an ASCII text, in lower-case hex. Of two one-shot hashes: `createHmac` takes twice as
 * long, and leaves an object of the crypto library for the collector each time.
 */
export function hmacHex(key: HmacKey, text: string): string {
  const message = Buffer.allocUnsafe(BLOCK_BYTES + text.length);
  message.set(key.inner);
  message.write(text, BLOCK_BYTES, "latin1");
  const outer = Buffer.allocUnsafe(BLOCK_BYTES + DIGEST_BYTES);
  outer.set(key.outer);
  outer.write(hash("sha256", message, "binary"), BLOCK_BYTES, "latin1");
  return hash("sha256", outer, "hex");
}

function padded(block: Uint8Array, pad: number): Uint8Array {
  const result = new Uint8Array(BLOCK_BYTES);
  for (let index = 0; index < BLOCK_BYTES; index++) result[index] = (block[index] ?? 0) ^ pad;
  return result;
}
