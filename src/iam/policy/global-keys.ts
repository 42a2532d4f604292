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

type CallKey = (facts: CallFacts) => string | undefined;

/** The key of a caller that is a user, a role's session or root. */
const ofPrincipal =
  (read: CallKey): CallKey =>
  (facts) =>
    accountOf(facts.caller) === undefined ? undefined : read(facts);

const CALL_KEYS: ReadonlyMap<string, CallKey> = new Map<string, CallKey>([
  ["aws:principalaccount", ({ caller }) => accountOf(caller)],
  [
    "aws:principalarn",
    // Of a session, AWS tells the role's ARN here, so that one condition covers all of its sessions.
    ofPrincipal(({ caller }) => (caller.kind === "role-session" ? caller.roleArn : nameOf(caller))),
  ],
  ["aws:principaltype", ({ caller }) => PRINCIPAL_TYPE.get(caller.kind)],
  [
    "aws:userid",
    ofPrincipal(
      ({ caller, userId }) => userId ?? (caller.kind === "root" ? caller.accountId : undefined),
    ),
  ],
  ["aws:username", ({ caller, userName }) => (caller.kind === "user" ? userName : undefined)],
  ["aws:sourceidentity", ofPrincipal(({ sourceIdentity }) => sourceIdentity)],
  [
    "aws:tokenissuetime",
    ofPrincipal(({ tokenIssuedAt: at }) => (at === undefined ? undefined : formatDate(at))),
  ],
  [
    "aws:principalservicename",
    ({ caller }) => (caller.kind === "service" ? caller.name : undefined),
  ],
  [
    "aws:federatedprovider",
    ({ caller }) => (caller.kind === "web-identity" ? caller.providerArn : undefined),
  ],
  ["aws:currenttime", ({ now }) => formatDate(now)],
  ["aws:epochtime", ({ now }) => String(Math.floor(now / 1_000))],
  ["aws:requestedregion", ({ region }) => region],
  ["aws:securetransport", ({ isSecure }) => String(isSecure)],
  ["aws:sourcearn", ({ sourceArn }) => sourceArn],
  ["aws:sourceaccount", ({ sourceArn }) => sourceArn?.split(":")[4]],
  ["aws:sourceip", ({ sourceIp }) => sourceIp],
  ["aws:useragent", ({ userAgent }) => userAgent],
  ["aws:viaawsservice", () => "false"],
  ["aws:principalisawsservice", ({ caller }) => String(caller.kind === "service")],
]);

const PRINCIPAL_TYPE: ReadonlyMap<Caller["kind"], string> = new Map<Caller["kind"], string>([
  ["root", "Account"],
  ["user", "User"],
  ["role-session", "AssumedRole"],
]);

/** The keys that follow from the call itself: all of them, or those of `wanted` (in lower case), which costs less. */
export function callKeys(
  facts: CallFacts,
  wanted: readonly string[] = [...CALL_KEYS.keys()],
): Context {
  const context: Record<string, string> = {};
  for (const key of wanted) {
    const value = CALL_KEYS.get(key)?.(facts);
    if (value !== undefined) context[key] = value;
  }
  const hasTags = facts.principalTags !== undefined && Object.keys(facts.principalTags).length > 0;
  return hasTags
    ? { ...context, ...tagValueKeys("aws:PrincipalTag", facts.principalTags) }
    : context;
}

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
