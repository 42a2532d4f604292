import type {
  DeleteAccountSettingRequest,
  DeleteAccountSettingResponse,
  ListAccountSettingsRequest,
  ListAccountSettingsResponse,
  PutAccountSettingRequest,
  PutAccountSettingResponse,
  Setting,
} from "@aws-sdk/client-ecs";
import type { Call } from "../../door/service.ts";
import type { Cache } from "../../store/cache.ts";
import { commit } from "../../store/commit.ts";
import type { EcsDeps } from "../control/deps.ts";
import {
  type AccountSetting,
  findSettingNameViolation,
  findSettingViolation,
  initialSetting,
  isSettingsPrincipal,
  rootArn,
  SETTING_NAMES,
  settingsPrincipal,
  settingType,
} from "../model/account-setting.ts";
import { accountSettingKey, type Scope } from "../model/keys.ts";
import type { EcsOperations } from "./ecs-operations.ts";
import { invalid } from "./invalid.ts";
import { pageOf } from "./page.ts";
import { scopeOf } from "./resolve.ts";

/** The rows of account setting operations. Names are checked here: the SDK's list of them is not complete. */
export function accountSettingOperations(deps: EcsDeps): EcsOperations {
  return {
    PutAccountSetting: {
      support: "partial",
      missing: "only containerInsights has an effect yet; the others are kept and shown",
      action: "ecs:PutAccountSetting",
      resources: () => ["*"],
      validatesItself: true,
      handle: (input, call) => putSetting(deps, input, principalOf(input, call), call),
    },
    PutAccountSettingDefault: {
      support: "partial",
      missing: "only containerInsights has an effect yet; the others are kept and shown",
      action: "ecs:PutAccountSettingDefault",
      resources: () => ["*"],
      validatesItself: true,
      handle: (input, call) => putSetting(deps, input, rootArn(call.principal.accountId), call),
    },
    DeleteAccountSetting: {
      support: "full",
      action: "ecs:DeleteAccountSetting",
      resources: () => ["*"],
      validatesItself: true,
      handle: (input, call) => deleteSetting(deps, input, call),
    },
    ListAccountSettings: {
      support: "full",
      action: "ecs:ListAccountSettings",
      resources: () => ["*"],
      validatesItself: true,
      handle: async (input, call) => listSettings(deps, input, call),
    },
  };
}

/** ECS: settings of one page, and as many if not told otherwise. */
const PAGE_SETTINGS_MAX = 10;

/** What a setting is for a principal: their own, else the account's, else ECS's. */
export function effectiveSetting(
  cache: Cache,
  scope: Scope,
  principalArn: string,
  name: string,
): string {
  const own = ownSetting(cache, scope, principalArn, name);
  const setting = own ?? ownSetting(cache, scope, rootArn(scope.accountId), name);
  return setting?.value ?? initialSetting(name) ?? "";
}

function ownSetting(
  cache: Cache,
  scope: Scope,
  principalArn: string,
  name: string,
): AccountSetting | undefined {
  const record = cache.get(accountSettingKey(scope, principalArn, name));
  return record?.value as AccountSetting | undefined;
}

/** Whose settings a call is about: the principal it names, else the caller. Throws InvalidParameterException. */
function principalOf(
  { principalArn }: { readonly principalArn?: string | undefined },
  { principal }: Call,
): string {
  if (!principalArn) return settingsPrincipal(principal.arn);
  if (isSettingsPrincipal(principalArn, principal.accountId)) return principalArn;
  throw invalid("Invalid setting 'principalArn'");
}

async function putSetting(
  deps: EcsDeps,
  input: PutAccountSettingRequest,
  principalArn: string,
  call: Call,
): Promise<PutAccountSettingResponse> {
  const name: string = input.name ?? "";
  const value = input.value ?? "";
  const violation = findSettingViolation(name, value);
  if (violation !== undefined) throw invalid(violation);
  const scope = scopeOf(call);
  const setting: AccountSetting = { ...scope, name, value, principalArn };
  await commit(deps, [], [{ key: accountSettingKey(scope, principalArn, name), value: setting }]);
  return { setting: present(name, value, principalArn) };
}

async function deleteSetting(
  deps: EcsDeps,
  input: DeleteAccountSettingRequest,
  call: Call,
): Promise<DeleteAccountSettingResponse> {
  const name = requireName(input.name ?? "");
  const principalArn = principalOf(input, call);
  const scope = scopeOf(call);
  const key = accountSettingKey(scope, principalArn, name);
  if (deps.cache.get(key)) await commit(deps, [], [{ key, value: undefined }]);
  const value = effectiveSetting(deps.cache, scope, principalArn, name);
  return { setting: present(name, value, principalArn) };
}

function requireName(name: string): string {
  const violation = findSettingNameViolation(name);
  if (violation === undefined) return name;
  throw invalid(violation);
}

function listSettings(
  { cache }: EcsDeps,
  input: ListAccountSettingsRequest,
  call: Call,
): ListAccountSettingsResponse {
  if (input.value && !input.name)
    throw invalid("A value can only be listed with a setting's name.");
  const names = input.name ? [requireName(input.name)] : SETTING_NAMES;
  const principalArn = principalOf(input, call);
  const scope = scopeOf(call);
  const find = (name: string): string | undefined =>
    input.effectiveSettings
      ? effectiveSetting(cache, scope, principalArn, name)
      : ownSetting(cache, scope, principalArn, name)?.value;
  const settings = names.flatMap((name) => {
    const value = find(name);
    const isListed = value !== undefined && (!input.value || value === input.value);
    return isListed ? [present(name, value, principalArn)] : [];
  });
  const { items, nextToken } = pageOf(settings, input, {
    keyOf: ({ name = "" }) => name,
    max: PAGE_SETTINGS_MAX,
  });
  return { settings: [...items], ...(nextToken !== undefined && { nextToken }) };
}

function present(name: string, value: string, principalArn: string): Setting {
  return { name: name as Setting["name"], value, principalArn, type: settingType(name) };
}
