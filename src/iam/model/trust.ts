import type { AccessDecision, CallOrigin } from "../../door/authorize.ts";
import type { ConditionKeys } from "../../door/service.ts";
import type { Role } from "./records.ts";

/** What other services ask of IAM about roles that somebody wants to act in. */

/** The role, if it is one of the account's and trusts the service; undefined if it is not there or does not. */
export type ServiceTrust = (request: {
  readonly roleArn: string;
  /** For whom the service acts. */
  readonly accountId: string;
  readonly region: string;
  /** e.g. `ecs-tasks.amazonaws.com`. */
  readonly service: string;
  /** On account of which resource: `aws:SourceArn`. */
  readonly sourceArn: string;
}) => Role | undefined;

/** Whether a role trusts an identity provider's word for somebody. */
export type WebIdentityTrust = (request: {
  readonly role: Role;
  readonly providerArn: string;
  /** What the token says: `<provider>:sub`, `<provider>:aud`, … */
  readonly conditions: ConditionKeys;
  readonly origin: CallOrigin;
}) => AccessDecision;
