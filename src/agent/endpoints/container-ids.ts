import { type HmacKey, hmacHex, hmacKey } from "../../lib/hmac.ts";

/**
 * The ids by which containers ask about themselves: whoever knows one is taken for that container, so they cannot be guessed.
 * They follow from a secret of the agent's journal and stay the same over its restarts: a running container has them in its
 * environment.
 */
export class EndpointIds {
  readonly #key: HmacKey;

  /** `secret`: 32 random bytes in hex. */
  constructor(secret: string) {
    this.#key = hmacKey(Buffer.from(secret, "hex"));
  }

  /** A UUID: 122 bits of an HMAC over the container's name in its task. */
  idOf(taskArn: string, containerName: string): string {
    const bytes = Buffer.from(hmacHex(this.#key, `${taskArn}/${containerName}`), "hex");
    // RFC 9562: version 8 says that the bits are the maker's own, and variant 10 that this is such a UUID.
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    const hex = bytes.toString("hex", 0, 16);
    return [
      hex.slice(0, 8),
      hex.slice(8, 12),
      hex.slice(12, 16),
      hex.slice(16, 20),
      hex.slice(20),
    ].join("-");
  }
}
