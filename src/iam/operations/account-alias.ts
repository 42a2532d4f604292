import type {
  CreateAccountAliasRequest,
  DeleteAccountAliasRequest,
  ListAccountAliasesRequest,
  ListAccountAliasesResponse,
} from "@aws-sdk/client-iam";
import type { Call } from "../../door/service.ts";
import type { IamDeps } from "../deps.ts";
import { accountAliasKey, aliasOwnerKey } from "../model/keys.ts";
import type { AccountAlias } from "../model/records.ts";
import { alreadyExists, noSuchEntity } from "./errors.ts";
import { pageOf } from "./pages.ts";
import { transact } from "./transact.ts";
import { checkLength, constraintViolation } from "./validate.ts";

/** An account's alias: at most one, and no two accounts have the same. */

const ALIAS = /^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$/;
const ALIAS_PATTERN = "[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]";

/** Takes the place of the one before. Throws EntityAlreadyExists. */
export async function createAccountAlias(
  deps: IamDeps,
  input: CreateAccountAliasRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const alias = checkAlias(input.AccountAlias);
  return transact(deps, () => {
    const own = deps.cache.get(accountAliasKey(accountId));
    const owner = deps.cache.get(aliasOwnerKey(alias));
    const ownerId = (owner?.value as AccountAlias | undefined)?.accountId;
    if (ownerId === accountId) return { compare: [], write: [], result: {} };
    if (owner !== undefined) {
      throw alreadyExists(`The account alias ${alias} already exists.`);
    }
    const value: AccountAlias = { accountId, alias };
    const before = own && (own.value as AccountAlias).alias;
    return {
      compare: [
        { key: accountAliasKey(accountId), revision: own?.revision ?? 0 },
        { key: aliasOwnerKey(alias), revision: 0 },
      ],
      write: [
        ...(before === undefined ? [] : [{ key: aliasOwnerKey(before), value: undefined }]),
        { key: accountAliasKey(accountId), value },
        { key: aliasOwnerKey(alias), value },
      ],
      result: {},
    };
  });
}

/** Throws NoSuchEntity. */
export async function deleteAccountAlias(
  deps: IamDeps,
  input: DeleteAccountAliasRequest,
  { principal: { accountId } }: Call,
): Promise<Record<never, never>> {
  const alias = checkAlias(input.AccountAlias);
  return transact(deps, () => {
    const own = deps.cache.get(accountAliasKey(accountId));
    if (own === undefined || (own.value as AccountAlias).alias !== alias) {
      throw noSuchEntity(`The account alias with name ${alias} cannot be found.`);
    }
    const keys = [own.key, aliasOwnerKey(alias)];
    return {
      compare: [own],
      write: keys.map((key) => ({ key, value: undefined })),
      result: {},
    };
  });
}

export async function listAccountAliases(
  { cache }: IamDeps,
  input: ListAccountAliasesRequest,
  { principal: { accountId } }: Call,
): Promise<ListAccountAliasesResponse> {
  const own = cache.get(accountAliasKey(accountId))?.value as AccountAlias | undefined;
  const { items, position } = pageOf(own ? [own.alias] : [], input, (alias) => alias);
  return { AccountAliases: [...items], ...position };
}

function checkAlias(alias: string | undefined): string {
  const text = checkLength(alias ?? "", "accountAlias", 3, 63);
  if (ALIAS.test(text)) return text;
  const rule = `Member must satisfy regular expression pattern: ${ALIAS_PATTERN}`;
  throw constraintViolation(text, "accountAlias", rule);
}
