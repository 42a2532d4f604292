import type { Cache } from "../../store/cache.ts";
import type { StoreRecord } from "../../store/store.ts";
import { oidcProviderArn, parseIamArn, roleArn } from "./arns.ts";
import { oidcProviderKey, roleKey } from "./keys.ts";
import type { OidcProvider, Role } from "./records.ts";

/** Finds by ARN, for those who were handed one. Names alone have no case; an ARN must be the record's to the letter. */

/** The role of that ARN, of whichever account. */
export function findRole(cache: Cache, arn: string): Role | undefined {
  const parsed = parseIamArn(arn);
  if (parsed?.type !== "role") return undefined;
  const role = documentOf<Role>(cache.get(roleKey(parsed.accountId, parsed.name)));
  return role !== undefined && roleArn(role) === arn ? role : undefined;
}

/** The OpenID Connect provider of that ARN. */
export function findOidcProvider(cache: Cache, arn: string): OidcProvider | undefined {
  const [, accountId, url] = /^arn:aws:iam::(\d{12}):oidc-provider\/(.+)$/s.exec(arn) ?? [];
  if (accountId === undefined || url === undefined) return undefined;
  const provider = documentOf<OidcProvider>(cache.get(oidcProviderKey(accountId, url)));
  return provider !== undefined && oidcProviderArn(provider) === arn ? provider : undefined;
}

function documentOf<T>(record: StoreRecord | undefined): T | undefined {
  return record?.value as T | undefined;
}
