import { newOidcProviderArn } from "../arns.ts";
import {
  addClientId,
  createOidcProvider,
  deleteOidcProvider,
  getOidcProvider,
  listOidcProviders,
  removeClientId,
  updateThumbprints,
} from "../oidc-providers.ts";
import { everything, type IamOperations, type Rows } from "./row.ts";

const provider = ({
  OpenIDConnectProviderArn: arn,
}: {
  OpenIDConnectProviderArn?: string | undefined;
}): string => arn ?? "";

/** OpenID Connect providers. */
export function oidcProviderOperations(rows: Rows): IamOperations {
  return {
    CreateOpenIDConnectProvider: rows.full(
      "CreateOpenIDConnectProvider",
      ({ Url }, call) => newOidcProviderArn(Url, call),
      createOidcProvider,
      { tagAction: "iam:TagOpenIDConnectProvider" },
    ),
    GetOpenIDConnectProvider: rows.full("GetOpenIDConnectProvider", provider, getOidcProvider),
    ListOpenIDConnectProviders: rows.full(
      "ListOpenIDConnectProviders",
      everything,
      listOidcProviders,
    ),
    DeleteOpenIDConnectProvider: rows.full(
      "DeleteOpenIDConnectProvider",
      provider,
      deleteOidcProvider,
    ),
    AddClientIDToOpenIDConnectProvider: rows.full(
      "AddClientIDToOpenIDConnectProvider",
      provider,
      addClientId,
    ),
    RemoveClientIDFromOpenIDConnectProvider: rows.full(
      "RemoveClientIDFromOpenIDConnectProvider",
      provider,
      removeClientId,
    ),
    UpdateOpenIDConnectProviderThumbprint: rows.full(
      "UpdateOpenIDConnectProviderThumbprint",
      provider,
      updateThumbprints,
    ),
  };
}
