import type {
  AddClientIDToOpenIDConnectProviderRequest,
  CreateOpenIDConnectProviderRequest,
  CreateOpenIDConnectProviderResponse,
  DeleteOpenIDConnectProviderRequest,
  GetOpenIDConnectProviderRequest,
  GetOpenIDConnectProviderResponse,
  ListOpenIDConnectProvidersResponse,
  RemoveClientIDFromOpenIDConnectProviderRequest,
  UpdateOpenIDConnectProviderThumbprintRequest,
} from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import type { IamDeps } from "../deps.ts";
import { CLIENT_IDS_PER_PROVIDER_MAX, PER_ACCOUNT_MAX, THUMBPRINTS_MAX } from "../limits.ts";
import { oidcProviderArn } from "../model/arns.ts";
import { oidcProviderKey, oidcProvidersPrefix } from "../model/keys.ts";
import type { OidcProvider } from "../model/records.ts";
import {
  alreadyExists,
  invalidInput,
  noSuchEntity,
  quotaExceeded,
  validationError,
} from "./errors.ts";
import { checkTags, tagsMember } from "./tags.ts";
import { create, type Found, transact, update } from "./transact.ts";
import { checkArn, checkLength, constraintViolation } from "./validate.ts";

/** Identity providers whose tokens AssumeRoleWithWebIdentity takes. */

const CLIENT_ID_LENGTH_MAX = 255;
const URL_LENGTH_MAX = 255;
/** SHA-1 in hex. */
const THUMBPRINT_LENGTH = 40;

/** Throws EntityAlreadyExists, LimitExceeded, InvalidInput, ValidationError. */
export async function createOidcProvider(
  deps: IamDeps,
  input: CreateOpenIDConnectProviderRequest,
  { principal: { accountId } }: Call,
): Promise<CreateOpenIDConnectProviderResponse> {
  const url = checkUrl(input.Url);
  const clientIds = [...new Set((input.ClientIDList ?? []).map(checkClientId))];
  if (clientIds.length > CLIENT_IDS_PER_PROVIDER_MAX) throw tooManyClientIds();
  const provider: OidcProvider = {
    accountId,
    url,
    clientIds,
    thumbprints: checkThumbprints(input.ThumbprintList ?? []),
    tags: checkTags(input.Tags),
    createdAt: deps.clock.now(),
  };
  const exists = () => alreadyExists(`Provider with url https://${url} already exists.`);
  await create(deps, oidcProviderKey(accountId, url), exists, () => {
    const max = PER_ACCOUNT_MAX.OpenIdConnectProvidersPerAccount;
    if (deps.cache.list(oidcProvidersPrefix(accountId)).length >= max) {
      throw quotaExceeded("OpenIdConnectProvidersPerAccount", max);
    }
    return { value: provider };
  });
  return { OpenIDConnectProviderArn: oidcProviderArn(provider), ...tagsMember(provider.tags) };
}

/** Throws NoSuchEntity. */
export async function getOidcProvider(
  deps: IamDeps,
  input: GetOpenIDConnectProviderRequest,
  { principal: { accountId } }: Call,
): Promise<GetOpenIDConnectProviderResponse> {
  const { value } = findProvider(deps, accountId, input.OpenIDConnectProviderArn);
  return {
    Url: value.url,
    ClientIDList: [...value.clientIds],
    ThumbprintList: [...value.thumbprints],
    CreateDate: new Date(value.createdAt),
    ...tagsMember(value.tags),
  };
}

/** In order of their URLs. */
export async function listOidcProviders(
  { cache }: IamDeps,
  _input: Record<never, never>,
  { principal: { accountId } }: Call,
): Promise<ListOpenIDConnectProvidersResponse> {
  const providers = cache.list(oidcProvidersPrefix(accountId));
  return {
    OpenIDConnectProviderList: providers.map(({ value }) => ({
      Arn: oidcProviderArn(value as OidcProvider),
    })),
  };
}

/** Throws NoSuchEntity. */
export async function deleteOidcProvider(
  deps: IamDeps,
  input: DeleteOpenIDConnectProviderRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  return transact(deps, () => {
    const { record } = findProvider(deps, accountId, input.OpenIDConnectProviderArn);
    return { compare: [record], write: [{ key: record.key, value: undefined }], result: {} };
  });
}

/** There already: nothing to do. Throws NoSuchEntity, LimitExceeded. */
export async function addClientId(
  deps: IamDeps,
  input: AddClientIDToOpenIDConnectProviderRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const clientId = checkClientId(input.ClientID);
  await update(
    deps,
    () => findProvider(deps, accountId, input.OpenIDConnectProviderArn),
    (provider) => {
      if (provider.clientIds.includes(clientId)) return provider;
      if (provider.clientIds.length >= CLIENT_IDS_PER_PROVIDER_MAX) throw tooManyClientIds();
      return { ...provider, clientIds: [...provider.clientIds, clientId] };
    },
  );
  return {};
}

/** Not there: nothing to do. Throws NoSuchEntity. */
export async function removeClientId(
  deps: IamDeps,
  input: RemoveClientIDFromOpenIDConnectProviderRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const clientId = checkClientId(input.ClientID);
  await update(
    deps,
    () => findProvider(deps, accountId, input.OpenIDConnectProviderArn),
    (provider) =>
      provider.clientIds.includes(clientId)
        ? { ...provider, clientIds: provider.clientIds.filter((id) => id !== clientId) }
        : provider,
  );
  return {};
}

/** Throws NoSuchEntity, InvalidInput. */
export async function updateThumbprints(
  deps: IamDeps,
  input: UpdateOpenIDConnectProviderThumbprintRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const thumbprints = checkThumbprints(input.ThumbprintList ?? []);
  await update(
    deps,
    () => findProvider(deps, accountId, input.OpenIDConnectProviderArn),
    (provider) => ({ ...provider, thumbprints }),
  );
  return {};
}

/** Throws NoSuchEntity. */
export function findProvider(
  { cache }: Pick<IamDeps, "cache">,
  accountId: string,
  arn: string | undefined,
): Found<OidcProvider> {
  const checked = checkArn(arn, "openIDConnectProviderArn");
  const start = oidcProviderArn({ accountId, url: "" });
  const record = checked.startsWith(start)
    ? cache.get(oidcProviderKey(accountId, checked.slice(start.length)))
    : undefined;
  if (record !== undefined) return { record, value: record.value as OidcProvider };
  throw noSuchEntity(`OpenIDConnect Provider not found for arn ${checked}`);
}

/** Host and path of an https URL without port, query and fragment, as it stands in the ARN. */
function checkUrl(text: string | undefined): string {
  const checked = checkLength(text ?? "", "url", 1, URL_LENGTH_MAX);
  const url = URL.canParse(checked) ? new URL(checked) : undefined;
  if (url?.protocol !== "https:" || checked.includes("?") || checked.includes("#")) {
    throw validationError("Invalid Open ID Connect Provider URL");
  }
  const rest = checked.slice("https://".length);
  if (!/^[A-Za-z0-9.-]+(:\d+)?(\/[!-~]*)?$/.test(rest)) {
    throw validationError("Invalid Open ID Connect Provider URL");
  }
  return rest.replace(/\/$/, "");
}

function checkClientId(clientId: string | undefined): string {
  return checkLength(clientId ?? "", "clientID", 1, CLIENT_ID_LENGTH_MAX);
}

function checkThumbprints(thumbprints: readonly string[]): readonly string[] {
  if (thumbprints.length > THUMBPRINTS_MAX) {
    throw invalidInput(`Thumbprint list must contain fewer than ${THUMBPRINTS_MAX} entries.`);
  }
  return thumbprints.map((thumbprint) => {
    checkLength(thumbprint, "thumbprint", THUMBPRINT_LENGTH, THUMBPRINT_LENGTH);
    if (/^[0-9a-f]+$/i.test(thumbprint)) return thumbprint.toLowerCase();
    const rule = "Member must satisfy regular expression pattern: [0-9a-fA-F]{40}";
    throw constraintViolation(thumbprint, "thumbprint", rule);
  });
}

function tooManyClientIds(): Error {
  return quotaExceeded("ClientIdsPerOpenIdConnectProvider", CLIENT_IDS_PER_PROVIDER_MAX);
}
