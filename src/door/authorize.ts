import type { Principal } from "./service.ts";

/** What is asked for, in IAM's words. */
export interface AccessRequest {
  readonly principal: Principal;
  /** e.g. `ecs:RunTask`. */
  readonly action: string;
  readonly resources: readonly string[];
  readonly region: string;
  readonly sourceIp: string;
}

export type AccessDecision =
  | { readonly allowed: true }
  /** `why` completes AWS's sentence: "because no identity-based policy allows the … action". */
  | { readonly allowed: false; readonly why: string };

/** The one seam between authentication and handlers. */
export type Authorize = (request: AccessRequest) => AccessDecision;

/** The secret behind an access key, and whose it is. */
export interface Identity {
  readonly principal: Principal;
  readonly secretAccessKey: string;
}

/** Finds whose key signed a request. `undefined`: unknown, expired, or the token does not belong to the key. */
export type FindIdentity = (
  accessKeyId: string,
  sessionToken: string | undefined,
) => Identity | undefined;
