import { randomBytes, randomUUID } from "node:crypto";

/** Randomness as an input. Production draws from the operating system's generator. */
export interface Random {
  /** A float in [0, 1). For choices and jitter, never for secrets. */
  next(): number;
  /** `bytes` random bytes as lowercase hex: 16 make an ECS task id. */
  hex(bytes: number): string;
  /** A version 4 UUID with hyphens. */
  uuid(): string;
  /** `bytes` cryptographically strong bytes, for keys and secrets. */
  bytes(bytes: number): Uint8Array;
}

/** The operating system's generator; for choices the engine's, which a scheduler asks ten thousand times a second. */
export const systemRandom: Random = {
  next: () => Math.random(),
  hex: (bytes) => randomBytes(bytes).toString("hex"),
  uuid: () => randomUUID(),
  bytes: (bytes) => randomBytes(bytes),
};
