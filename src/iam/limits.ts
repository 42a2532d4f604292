/**
 * The limits of IAM: AWS's quotas, and our own where it says "Chosen".
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
 */

/** The longest text of a policy, white space included. */
export const POLICY_DOCUMENT_LENGTH_MAX = 131_072;

/** Characters without white space: of a managed policy, of a role's trust policy, … */
export const MANAGED_POLICY_SIZE_MAX = 6_144;
export const TRUST_POLICY_SIZE_MAX = 2_048;
/** … and of all inline policies of one user, group or role together. */
export const INLINE_POLICIES_SIZE_MAX = { user: 2_048, group: 5_120, role: 10_240 } as const;

export const ATTACHED_POLICIES_MAX = 10;
export const POLICY_VERSIONS_MAX = 5;
export const ACCESS_KEYS_PER_USER_MAX = 2;
export const GROUPS_PER_USER_MAX = 10;
export const ROLES_PER_INSTANCE_PROFILE_MAX = 1;
export const TAGS_MAX = 50;
export const CLIENT_IDS_PER_PROVIDER_MAX = 100;
export const THUMBPRINTS_MAX = 5;

/** By the names under which AWS counts them. */
export const PER_ACCOUNT_MAX = {
  UsersPerAccount: 5_000,
  GroupsPerAccount: 300,
  RolesPerAccount: 1_000,
  PoliciesPerAccount: 1_500,
  InstanceProfilesPerAccount: 1_000,
  OpenIdConnectProvidersPerAccount: 100,
} as const;

/** Results of a listing on one page. */
export const PAGE_ITEMS = { min: 1, max: 1_000, byDefault: 100 } as const;

/** Chosen, below the store's limit of a document: quotas leave out white space, records do not. */
export const RECORD_LENGTH_MAX = 900_000;

/** Chosen. Lost races in a row before a caller is told: far more than fair competition needs. */
export const ATTEMPTS_MAX = 20;

/** Chosen. The outcome of a DeleteServiceLinkedRole can be asked for this long, … */
export const ROLE_DELETION_KEPT_MS: number = 7 * 24 * 3600_000;

/** … and a later one clears away this many older ones. */
export const ROLE_DELETIONS_DROPPED_MAX = 20;

/** Chosen. AWS tells last uses to within some minutes too. */
export const LAST_USE_FLUSH_MS: number = 5 * 60_000;

/** Chosen. Last uses written at once: well below what a transaction may hold. */
export const LAST_USE_BATCH = 50;

/** Chosen. Policy documents kept compiled: some kilobytes each, so some tens of megabytes at the most. */
export const COMPILED_POLICIES_MAX = 10_000;

/** Chosen. Questions (who, what, to what) whose statements are kept: some hundred bytes each. */
export const NARROWED_MAX = 20_000;

/** Chosen. Users and roles whose policies are kept together, ready for their next call. */
export const PRINCIPALS_MAX = 10_000;
