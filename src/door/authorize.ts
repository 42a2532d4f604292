import type { ConditionKeys, Principal } from "./service.ts";

/** How a call came, as far as policies can ask. */
export interface CallOrigin {
  /** From the credential scope. */
  readonly region: string;
  readonly sourceIp: string;
  readonly userAgent: string | undefined;
  /** By TLS. */
  readonly isSecure: boolean;
}

/** What is asked for, in IAM's words: one action, on each of the resources. */
export interface AccessRequest {
  readonly principal: Principal;
  /** e.g. `ecs:RunTask`. */
  readonly action: string;
  readonly resources: readonly string[];
  readonly origin: CallOrigin;
  /** The operation's own condition keys for one of the resources: made only if a policy has to be evaluated. */
  readonly conditionsOf: (resource: string) => ConditionKeys;
}

export type AccessDecision =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      /** AWS's sentence: `User: … is not authorized to perform: … on resource: … because no … allows the … action`. */
      readonly message: string;
      /** All that led to it, as JSON: what DecodeAuthorizationMessage tells those who may know. */
      readonly details: () => string;
    };

/** The one seam between authentication and handlers. */
export type Authorize = (request: AccessRequest) => AccessDecision;

/** Makes an opaque text of a refusal's details, which only this system's STS can read. */
export type EncodeDenial = (details: string) => Promise<string>;

/** The secret behind an access key, and whose it is. */
export interface Identity {
  readonly principal: Principal;
  readonly secretAccessKey: string;
}

/** Finds whose key signed a request. `undefined`: unknown, or the token does not belong to the key. */
export type FindIdentity = (
  accessKeyId: string,
  sessionToken: string | undefined,
) => Identity | "expired" | undefined;
