/**
 * The key space of IAM: what lies where, and who writes it. No other file builds a key.
 *
 * | key below `/<account>/-/iam/` | document | written by |
 * | --- | --- | --- |
 * | `users/<name>` | User | users, and whatever changes policies, tags or groups of one; rewritten unchanged by access-keys |
 * | `groups/<name>` | Group | groups, policies of groups; rewritten unchanged by whoever adds a member |
 * | `roles/<name>` | Role | roles, service-linked-roles, policies and tags of roles; rewritten unchanged by instance-profiles |
 * | `policies/<name>` | ManagedPolicy | managed-policies, its versions and tags; rewritten unchanged by whoever attaches it |
 * | `instance-profiles/<name>` | InstanceProfile | instance-profiles |
 * | `oidc-providers/<url>` | OidcProvider | oidc-providers |
 * | `role-deletions/<task id>` | RoleDeletion | service-linked-roles |
 * | `settings/account-alias` | AccountAlias | account-alias |
 *
 * | key below `/-/-/iam/` | document | written by |
 * | --- | --- | --- |
 * | `access-keys/<id>` | AccessKey | access-keys (root, nodes), user-access-keys |
 * | `key-owners/<principal ARN>` | KeyOwner | access-keys |
 * | `last-used/<access key id or role id>` | LastUsed | last-uses; deleted with the key or role |
 * | `account-aliases/<alias>` | AccountAlias | account-alias: an alias is one account's alone |
 *
 * "Rewritten unchanged": a record that others refer to must not go while a reference to it is on its way. Who makes
 * the reference writes the record as it is, so that a deletion decided before comes to nothing.
 *
 * IAM's names have no case when they are looked up, and keep the one they were made with.
 */

function iamPrefix(accountId: string): string {
  return `/${accountId}/-/iam/`;
}

function named(prefix: string, name: string): string {
  return prefix + encodeURIComponent(name.toLowerCase());
}

/** Below it: every user of an account. */
export function usersPrefix(accountId: string): string {
  return `${iamPrefix(accountId)}users/`;
}
export function userKey(accountId: string, userName: string): string {
  return named(usersPrefix(accountId), userName);
}
/** Below it: every group of an account. */
export function groupsPrefix(accountId: string): string {
  return `${iamPrefix(accountId)}groups/`;
}
export function groupKey(accountId: string, groupName: string): string {
  return named(groupsPrefix(accountId), groupName);
}
/** Below it: every role of an account. */
export function rolesPrefix(accountId: string): string {
  return `${iamPrefix(accountId)}roles/`;
}
export function roleKey(accountId: string, roleName: string): string {
  return named(rolesPrefix(accountId), roleName);
}
/** Below it: every managed policy that an account has made. */
export function policiesPrefix(accountId: string): string {
  return `${iamPrefix(accountId)}policies/`;
}
export function policyKey(accountId: string, policyName: string): string {
  return named(policiesPrefix(accountId), policyName);
}
/** Below it: every instance profile of an account. */
export function instanceProfilesPrefix(accountId: string): string {
  return `${iamPrefix(accountId)}instance-profiles/`;
}
export function instanceProfileKey(accountId: string, instanceProfileName: string): string {
  return named(instanceProfilesPrefix(accountId), instanceProfileName);
}
/** Below it: every OpenID Connect provider of an account. */
export function oidcProvidersPrefix(accountId: string): string {
  return `${iamPrefix(accountId)}oidc-providers/`;
}
/** `url` as in the provider's ARN: without `https://`. */
export function oidcProviderKey(accountId: string, url: string): string {
  return oidcProvidersPrefix(accountId) + encodeURIComponent(url);
}
/** Below it: what became of every DeleteServiceLinkedRole of the last days. */
export function roleDeletionsPrefix(accountId: string): string {
  return `${iamPrefix(accountId)}role-deletions/`;
}
export function roleDeletionKey(accountId: string, taskId: string): string {
  return roleDeletionsPrefix(accountId) + encodeURIComponent(taskId);
}
export function accountAliasKey(accountId: string): string {
  return `${iamPrefix(accountId)}settings/account-alias`;
}
export function aliasOwnerKey(alias: string): string {
  return `/-/-/iam/account-aliases/${encodeURIComponent(alias)}`;
}
/** `id`: of an access key or a role. */
export function lastUsedKey(id: string): string {
  return `/-/-/iam/last-used/${id}`;
}
