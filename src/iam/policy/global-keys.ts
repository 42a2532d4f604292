import type { Context } from "./context.ts";
import { accountOf, type Caller, nameOf } from "./principals.ts";

/**
 * The condition keys that AWS has for every service.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
 */

export type Tags = Readonly<Record<string, string>>;

/** Who calls and how: the same for every resource of a call. */
export interface CallFacts {
  readonly caller: Caller;
  /** Of the user; sessions have none. */
  readonly userName?: string | undefined;
  /** `AIDA…` of a user, `AROA…:<session name>` of a role's session, the account of a root. */
  readonly userId?: string | undefined;
  /** Of the user or the role, and over them those passed with the session. */
  readonly principalTags?: Tags | undefined;
  /** Of temporary credentials: when they were made, in epoch milliseconds. */
  readonly tokenIssuedAt?: number | undefined;
  /** Set when the session was made. */
  readonly sourceIdentity?: string | undefined;
  /** Epoch milliseconds. */
  readonly now: number;
  readonly region: string;
  /** Undefined for calls that come from inside the server. */
  readonly sourceIp?: string | undefined;
  readonly userAgent?: string | undefined;
  readonly isSecure: boolean;
  /** For whom a service calls: the ARN of the resource, whose account is told too. */
  readonly sourceArn?: string | undefined;
}

/** The keys that follow from the call itself. */
export function callKeys(facts: CallFacts): Context {
  const { caller, now } = facts;
  return defined({
    ...principalKeys(facts),
    ...tagValueKeys("aws:PrincipalTag", facts.principalTags),
    "aws:currenttime": formatDate(now),
    "aws:epochtime": String(Math.floor(now / 1_000)),
    "aws:requestedregion": facts.region,
    "aws:securetransport": String(facts.isSecure),
    "aws:sourcearn": facts.sourceArn,
    "aws:sourceaccount": facts.sourceArn?.split(":")[4],
    "aws:sourceip": facts.sourceIp,
    "aws:useragent": facts.userAgent,
    "aws:viaawsservice": "false",
    "aws:principalisawsservice": String(caller.kind === "service"),
  });
}

function principalKeys(facts: CallFacts): Readonly<Record<string, string | undefined>> {
  const { caller } = facts;
  if (caller.kind === "service") return { "aws:principalservicename": caller.name };
  if (caller.kind === "web-identity") return { "aws:federatedprovider": caller.providerArn };
  return {
    "aws:principalaccount": accountOf(caller),
    // Of a session, AWS tells the role's ARN here, so that one condition covers all of its sessions.
    "aws:principalarn": caller.kind === "role-session" ? caller.roleArn : nameOf(caller),
    "aws:principaltype": PRINCIPAL_TYPE[caller.kind],
    "aws:userid": facts.userId ?? (caller.kind === "root" ? caller.accountId : undefined),
    "aws:username": caller.kind === "user" ? facts.userName : undefined,
    "aws:sourceidentity": facts.sourceIdentity,
    "aws:tokenissuetime":
      facts.tokenIssuedAt === undefined ? undefined : formatDate(facts.tokenIssuedAt),
  };
}

const PRINCIPAL_TYPE = { root: "Account", user: "User", "role-session": "AssumedRole" } as const;

/** The keys of the tags that a call passes: `aws:RequestTag/…` and `aws:TagKeys`. */
export function requestTagKeys(tags: Tags | undefined): Context {
  if (tags === undefined) return {};
  return { ...tagValueKeys("aws:RequestTag", tags), "aws:tagkeys": Object.keys(tags) };
}

/** The keys of the resource that a call is about. */
export function resourceKeys(resource: { accountId?: string; tags?: Tags | undefined }): Context {
  return defined({
    "aws:resourceaccount": resource.accountId,
    ...tagValueKeys("aws:ResourceTag", resource.tags),
  });
}

/** A key for each tag: `aws:PrincipalTag/team`, `ecs:ResourceTag/team`. Tags' names have no case in conditions. */
export function tagValueKeys(
  prefix: string,
  tags: Tags | undefined,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(tags ?? {}).map(([name, value]) => [`${prefix}/${name}`.toLowerCase(), value]),
  );
}

/** Written as a loop because it runs on every call: three times as fast as by way of entries. */
function defined(keys: Readonly<Record<string, string | undefined>>): Context {
  const context: Record<string, string> = {};
  for (const key of Object.keys(keys)) {
    const value = keys[key];
    if (value !== undefined) context[key] = value;
  }
  return context;
}

/** As AWS writes it: to the second. */
function formatDate(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}
