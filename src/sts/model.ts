import type { Principal } from "../door/service.ts";

/** Asks for temporary credentials. */
export interface SessionRequest {
  readonly principal: Omit<Principal, "accessKeyId">;
  readonly durationSeconds: number;
}

/** Temporary credentials. */
export interface Session {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** A key that seals session tokens. New sessions take the newest; the older ones live until their last session ends. */
export interface SessionKey {
  /** 16 hex. */
  readonly id: string;
  /** 32 bytes, base64. */
  readonly key: string;
  readonly createdAt: number;
}

export const SESSION_KEYS_PREFIX = "/-/-/sts/session-keys/";

export function sessionKeyKey(id: string): string {
  return SESSION_KEYS_PREFIX + id;
}

/** Where the key behind `Sessions.stableId()` is kept. */
export const ID_SECRET_KEY = "/-/-/sts/id-secret";

export interface IdSecret {
  /** 32 bytes, base64; made once and never changed. */
  readonly key: string;
}

/**
 * The ARN of a role's session. The account is the caller's own, never the one that the role's ARN names: nobody gets
 * a session in an account by writing down one of its roles.
 */
export function assumedRoleArn(accountId: string, roleArn: string, sessionName: string): string {
  // A role's path is not part of the session's ARN.
  const roleName = roleArn.slice(roleArn.lastIndexOf("/") + 1);
  return `arn:aws:sts::${accountId}:assumed-role/${roleName}/${sessionName}`;
}
