/** Who calls, and who a policy means by `Principal` and `NotPrincipal`. */

export type Caller =
  | { readonly kind: "root"; readonly accountId: string }
  | {
      readonly kind: "user";
      readonly accountId: string;
      readonly arn: string;
      /** `AIDA…`: what AWS keeps in a policy in place of the ARN, so that a new user of that name is someone else. */
      readonly uniqueId?: string;
    }
  | {
      /** Someone who has assumed a role, service-linked roles included: those differ in who may change them only. */
      readonly kind: "role-session";
      readonly accountId: string;
      /** `arn:aws:sts::…:assumed-role/<role>/<session>`. */
      readonly arn: string;
      readonly roleArn: string;
      /** `AROA…` of the role. */
      readonly uniqueId?: string;
    }
  /** An AWS service acting for itself: `ecs-tasks.amazonaws.com`. */
  | { readonly kind: "service"; readonly name: string }
  /** Someone with a token of an identity provider, before any role is assumed. */
  | { readonly kind: "web-identity"; readonly providerArn: string };

/** The account that the caller's own policies belong to; services and web identities have none. */
export function accountOf(caller: Caller): string | undefined {
  return "accountId" in caller ? caller.accountId : undefined;
}

/** How the caller is named in `User: … is not authorized to perform …`. */
export function nameOf(caller: Caller): string {
  switch (caller.kind) {
    case "root":
      return rootArn(caller.accountId);
    case "service":
      return caller.name;
    case "web-identity":
      return caller.providerArn;
    default:
      return caller.arn;
  }
}

export function rootArn(accountId: string): string {
  return `arn:aws:iam::${accountId}:root`;
}

/** A `Principal` element: `*` (the one text allowed) for everyone, or by type: `AWS`, `Service`, `Federated`, … */
export type PrincipalSource = string | Readonly<Record<string, readonly string[]>>;

/** Each principal of an element as `<type>:<value>`, accounts in the form of their root's ARN; `*` is everyone. */
export type PrincipalSet = ReadonlySet<string>;

export function compilePrincipals(source: PrincipalSource): PrincipalSet {
  if (typeof source === "string") return new Set([source]);
  return new Set(
    Object.entries(source).flatMap(([type, values]) =>
      values.map((value) => `${type}:${/^\d{12}$/.test(value) ? rootArn(value) : value}`),
    ),
  );
}

/**
 * How closely a policy names the caller, which decides what it grants within one account (`evaluate.ts`):
 * - `direct`: a user, or one session of a role;
 * - `role`: the role of a session, or everyone and so a session too;
 * - `account`: the caller's account, which leaves it to the account's own policies.
 */
export type Closeness = "direct" | "role" | "account";

/** The closest of several. */
export function closest(all: readonly (Closeness | undefined)[]): Closeness | undefined {
  return (["direct", "role", "account"] as const).find((each) => all.includes(each));
}

/** How closely the set names the caller; undefined if it does not. */
export function closenessOf(caller: Caller, principals: PrincipalSet): Closeness | undefined {
  const byName = identitiesOf(caller).find(({ names }) =>
    names.some((name) => principals.has(name)),
  );
  return closest([
    byName?.closeness,
    namesEveryone(caller, principals) ? asEveryone(caller) : undefined,
  ]);
}

/** What a grant to everyone is to the caller. */
export function asEveryone(caller: Caller): Closeness {
  return caller.kind === "role-session" ? "role" : "direct";
}

/**
 * Whether `NotPrincipal` of a `Deny` spares the caller. AWS looks at the account and the role of a caller as well:
 * each of them must be in the set.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
 */
export function sparesWholly(caller: Caller, principals: PrincipalSet): boolean {
  return (
    namesEveryone(caller, principals) ||
    identitiesOf(caller).every(({ names }) => names.some((name) => principals.has(name)))
  );
}

function namesEveryone(caller: Caller, principals: PrincipalSet): boolean {
  return principals.has("*") || (accountOf(caller) !== undefined && principals.has("AWS:*"));
}

/** One of the things a caller is at once: a session, its role, its account. */
interface CallerIdentity {
  readonly closeness: Closeness;
  readonly names: readonly string[];
}

/** The closest first. */
function identitiesOf(caller: Caller): readonly CallerIdentity[] {
  switch (caller.kind) {
    case "service":
      return [{ closeness: "direct", names: [`Service:${caller.name}`] }];
    case "web-identity":
      return [{ closeness: "direct", names: [`Federated:${caller.providerArn}`] }];
    case "root":
      return [{ closeness: "direct", names: [`AWS:${rootArn(caller.accountId)}`] }];
    case "user":
      return [
        { closeness: "direct", names: withUniqueId(caller.arn, caller.uniqueId) },
        { closeness: "account", names: [`AWS:${rootArn(caller.accountId)}`] },
      ];
    case "role-session":
      return [
        { closeness: "direct", names: [`AWS:${caller.arn}`] },
        { closeness: "role", names: withUniqueId(caller.roleArn, caller.uniqueId) },
        { closeness: "account", names: [`AWS:${rootArn(caller.accountId)}`] },
      ];
  }
}

function withUniqueId(arn: string, uniqueId: string | undefined): readonly string[] {
  return uniqueId === undefined ? [`AWS:${arn}`] : [`AWS:${arn}`, `AWS:${uniqueId}`];
}
