import type {
  Filter,
  ListSecretsRequest,
  ListSecretsResponse,
  ListSecretVersionIdsRequest,
  ListSecretVersionIdsResponse,
} from "@aws-sdk/client-secrets-manager";
import type { Call } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import type { SecretsDeps } from "./deps.ts";
import { allSecrets, getSecret, invalidParameter } from "./find.ts";
import { type Secret, type SecretVersion, secretArn, versionKey } from "./model.ts";
import { presentSecret } from "./secrets.ts";

const PAGE_MAX = 100;

/** In order of name. */
export async function listSecrets(
  deps: SecretsDeps,
  input: ListSecretsRequest,
  call: Call,
): Promise<ListSecretsResponse> {
  const { IncludePlannedDeletion = false, Filters = [], SortOrder } = input;
  const isAsked = filterOf(Filters);
  const secrets = allSecrets(deps, call)
    .filter((secret) => IncludePlannedDeletion || secret.deletedAt === undefined)
    .filter(isAsked)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  if (SortOrder === "desc") secrets.reverse();
  const { page, next } = pageOf(secrets, input, ({ name }) => name);
  return {
    SecretList: page.map((secret) => {
      const { VersionIdsToStages, ...rest } = presentSecret(secret);
      return { ...rest, SecretVersionsToStages: VersionIdsToStages };
    }),
    ...next,
  };
}

type Matches = (secret: Secret) => boolean;

/** AWS: values of one filter are alternatives, several filters must all hold, `!` before a value excludes. */
function filterOf(filters: readonly Filter[]): Matches {
  const all = filters.map(({ Key, Values = [] }): Matches => {
    const textsOf = TEXTS[Key ?? ""];
    if (textsOf === undefined) throw invalidParameter(`Filter key ${Key} is not supported.`);
    return (secret) => {
      const texts = textsOf(secret);
      const has = (value: string): boolean => texts.some((text) => text.startsWith(value));
      const included = Values.filter((value) => !value.startsWith("!"));
      const excluded = Values.filter((value) => value.startsWith("!")).map((one) => one.slice(1));
      return (included.length === 0 || included.some(has)) && !excluded.some(has);
    };
  });
  return (secret) => all.every((matches) => matches(secret));
}

const TEXTS: Readonly<Record<string, (secret: Secret) => readonly string[]>> = {
  name: ({ name }) => [name],
  description: ({ description = "" }) => [description],
  "tag-key": ({ tags }) => Object.keys(tags),
  "tag-value": ({ tags }) => Object.values(tags),
  all: ({ name, description = "", tags }) => [name, description, ...Object.entries(tags).flat()],
};

/** The versions of a secret. */
export async function listSecretVersionIds(
  deps: SecretsDeps,
  input: ListSecretVersionIdsRequest,
  call: Call,
): Promise<ListSecretVersionIdsResponse> {
  const { secret } = getSecret(deps, call, input.SecretId);
  const ids = Object.keys(secret.versions)
    .filter((id) => input.IncludeDeprecated || secret.versions[id]?.length !== 0)
    .toSorted();
  const { page, next } = pageOf(ids, input, (id) => id);
  return {
    ARN: secretArn(secret),
    Name: secret.name,
    Versions: page.map((VersionId) => {
      const version = deps.cache.get(versionKey(secret, VersionId))?.value as SecretVersion;
      return {
        VersionId,
        VersionStages: [...(secret.versions[VersionId] ?? [])],
        CreatedDate: new Date(version.createdAt),
      };
    }),
    ...next,
  };
}

/** A token is the name of the last entry shown, so a page is right whatever was made or deleted meanwhile. */
function pageOf<T>(
  entries: readonly T[],
  {
    MaxResults = PAGE_MAX,
    NextToken,
  }: { MaxResults?: number | undefined; NextToken?: string | undefined },
  nameOf: (entry: T) => string,
): { page: readonly T[]; next: { NextToken?: string } } {
  if (MaxResults < 1 || MaxResults > PAGE_MAX) {
    throw invalidParameter(`MaxResults must be between 1 and ${PAGE_MAX}.`);
  }
  const after =
    NextToken === undefined ? undefined : Buffer.from(NextToken, "base64url").toString();
  const at = after === undefined ? -1 : entries.findIndex((entry) => nameOf(entry) === after);
  if (after !== undefined && at < 0) {
    throw new ApiError("InvalidNextTokenException", "The NextToken value is invalid.");
  }
  const page = entries.slice(at + 1, at + 1 + MaxResults);
  const last = page.at(-1);
  if (last === undefined || at + 1 + MaxResults >= entries.length) return { page, next: {} };
  return { page, next: { NextToken: Buffer.from(nameOf(last)).toString("base64url") } };
}
