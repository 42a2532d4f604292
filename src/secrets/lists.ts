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

/** By when they were made, or by what the caller says. */
export async function listSecrets(
  deps: SecretsDeps,
  input: ListSecretsRequest,
  call: Call,
): Promise<ListSecretsResponse> {
  const { IncludePlannedDeletion = false, Filters = [], SortOrder } = input;
  const isAsked = filterOf(Filters);
  const secrets = allSecrets(deps, call)
    .filter((secret) => IncludePlannedDeletion || secret.deletedAt === undefined)
    .filter(isAsked);
  const { page, next } = pageOf(secrets, input, {
    keyOf: sortKeyOf(input.SortBy),
    isDescending: SortOrder === "desc",
  });
  return {
    SecretList: page.map((secret) => {
      const { VersionIdsToStages, ...rest } = presentSecret(secret);
      return { ...rest, SecretVersionsToStages: VersionIdsToStages };
    }),
    ...next,
  };
}

/** Texts that are in the order that is asked for, and differ for each secret. */
function sortKeyOf(sortBy: ListSecretsRequest["SortBy"] = "created-date"): TextOf {
  const at = (instant: number, { name }: Secret): string =>
    `${String(instant).padStart(15, "0")} ${name}`;
  if (sortBy === "name") return ({ name }) => name;
  if (sortBy === "created-date") return (secret) => at(secret.createdAt, secret);
  if (sortBy === "last-changed-date") return (secret) => at(secret.changedAt, secret);
  throw invalidParameter(`SortBy ${sortBy} is not supported.`);
}

type TextOf = (secret: Secret) => string;
type Matches = (secret: Secret) => boolean;

/** AWS: values of one filter are alternatives, several filters must all hold, `!` before a value excludes. */
function filterOf(filters: readonly Filter[]): Matches {
  const all = filters.map(({ Key, Values = [] }): Matches => {
    const hasValue = HAS_VALUE[Key ?? ""];
    if (hasValue === undefined) throw invalidParameter(`Filter key ${Key} is not supported.`);
    return (secret) => {
      const has = (value: string): boolean => hasValue(secret, value);
      const included = Values.filter((value) => !value.startsWith("!"));
      const excluded = Values.filter((value) => value.startsWith("!")).map((one) => one.slice(1));
      return (included.length === 0 || included.some(has)) && !excluded.some(has);
    };
  });
  return (secret) => all.every((matches) => matches(secret));
}

/** AWS: names and tags are looked for as they are written, descriptions and words in either case. */
const HAS_VALUE: Readonly<Record<string, (secret: Secret, value: string) => boolean>> = {
  name: ({ name }, value) => name.startsWith(value),
  description: ({ description = "" }, value) =>
    description.toLowerCase().startsWith(value.toLowerCase()),
  "tag-key": ({ tags }, value) => Object.keys(tags).some((key) => key.startsWith(value)),
  "tag-value": ({ tags }, value) => Object.values(tags).some((text) => text.startsWith(value)),
  all: ({ name, description = "", tags }, value) => {
    const words = [name, description, ...Object.entries(tags).flat()].flatMap(wordsOf);
    return wordsOf(value).every((asked) => words.some((word) => word.startsWith(asked)));
  },
};

function wordsOf(text: string): readonly string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** The versions of a secret. */
export async function listSecretVersionIds(
  deps: SecretsDeps,
  input: ListSecretVersionIdsRequest,
  call: Call,
): Promise<ListSecretVersionIdsResponse> {
  const { secret } = getSecret(deps, call, input.SecretId);
  const ids = Object.keys(secret.versions).filter(
    (id) => input.IncludeDeprecated || secret.versions[id]?.length !== 0,
  );
  const { page, next } = pageOf(ids, input, { keyOf: (id) => id });
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

interface PageOrder<T> {
  /** Unique; entries are shown in the order of these. */
  readonly keyOf: (entry: T) => string;
  readonly isDescending?: boolean;
}

/** A token is the key of the last entry shown, so a page is right whatever was made or deleted meanwhile. */
function pageOf<T>(
  entries: readonly T[],
  {
    MaxResults = PAGE_MAX,
    NextToken,
  }: { MaxResults?: number | undefined; NextToken?: string | undefined },
  { keyOf, isDescending = false }: PageOrder<T>,
): { page: readonly T[]; next: { NextToken?: string } } {
  if (MaxResults < 1 || MaxResults > PAGE_MAX) {
    throw invalidParameter(`MaxResults must be between 1 and ${PAGE_MAX}.`);
  }
  const isBefore = (a: string, b: string): boolean => (isDescending ? a > b : a < b);
  const after = NextToken === undefined ? undefined : readToken(NextToken);
  const rest = entries
    .filter((entry) => after === undefined || isBefore(after, keyOf(entry)))
    .toSorted((a, b) => (isBefore(keyOf(a), keyOf(b)) ? -1 : 1));
  const page = rest.slice(0, MaxResults);
  const last = page.at(-1);
  if (last === undefined || rest.length <= MaxResults) return { page, next: {} };
  return { page, next: { NextToken: formatToken(keyOf(last)) } };
}

const TOKEN_PREFIX = "after:";

function formatToken(key: string): string {
  return Buffer.from(TOKEN_PREFIX + key).toString("base64url");
}

function readToken(token: string): string {
  const text = Buffer.from(token, "base64url").toString();
  if (text.startsWith(TOKEN_PREFIX)) return text.slice(TOKEN_PREFIX.length);
  throw new ApiError("InvalidNextTokenException", "The NextToken value is invalid.");
}
