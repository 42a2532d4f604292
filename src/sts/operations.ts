import type { GetCallerIdentityResponse } from "@aws-sdk/client-sts";
import type { Call, Operations, Principal, Service } from "../door/service.ts";
import { type AccessKey, accessKeyKey, accountOfSessionKeyId } from "../iam/model/access-key.ts";
import { ApiError } from "../lib/errors.ts";
import { assumeRoleOperation } from "./assume-role.ts";
import type { StsDeps } from "./deps.ts";
import { presentCredentials } from "./role-session.ts";
import { checkDuration, checkText, validationError } from "./validate.ts";
import { webIdentityOperation } from "./web-identity.ts";

type StsOperations = Operations<typeof import("@aws-sdk/client-sts")>;

/** STS as the door serves it. */
export function stsService(deps: StsDeps): Service {
  const operations: StsOperations = {
    AssumeRole: assumeRoleOperation(deps),
    AssumeRoleWithWebIdentity: webIdentityOperation(deps),
    GetCallerIdentity: {
      support: "full",
      action: "sts:GetCallerIdentity",
      resources: () => ["*"],
      access: "authenticated",
      handle: async (_input, { principal }) => callerIdentity(principal),
    },
    GetSessionToken: {
      support: "partial",
      missing: "SerialNumber and TokenCode (MFA)",
      action: "sts:GetSessionToken",
      resources: () => ["*"],
      access: "authenticated",
      handle: async (input, call) => ({
        Credentials: await sessionToken(deps, input, call),
      }),
    },
    DecodeAuthorizationMessage: {
      support: "full",
      action: "sts:DecodeAuthorizationMessage",
      resources: () => ["*"],
      handle: async ({ EncodedMessage }, { principal }) => ({
        DecodedMessage: decoded(deps, checkText(EncodedMessage, "encodedMessage"), principal),
      }),
    },
    GetAccessKeyInfo: {
      support: "full",
      action: "sts:GetAccessKeyInfo",
      resources: () => ["*"],
      handle: async ({ AccessKeyId }) => ({
        Account: accountOfKey(deps, checkText(AccessKeyId, "accessKeyId")),
      }),
    },
  };
  return { name: "sts", operations };
}

function callerIdentity({ accountId, arn, kind, userId }: Principal): GetCallerIdentityResponse {
  // Built-in roles are no records and have no id: their name stands for it.
  const unnamed = kind === "root" ? accountId : arn.split("/").slice(1).join(":");
  return { UserId: userId ?? unnamed, Account: accountId, Arn: arn };
}

/** STS: 36 hours for users, an hour for root. */
const USER_SECONDS_MAX = 36 * 3600;
const USER_SECONDS_INITIAL = 12 * 3600;
const ROOT_SECONDS_MAX = 3600;

async function sessionToken(
  { clock, sessions }: StsDeps,
  input: { readonly DurationSeconds?: number | undefined; readonly TokenCode?: string | undefined },
  { principal }: Call,
): Promise<ReturnType<typeof presentCredentials>> {
  const { accessKeyId: _, ...owner } = principal;
  const isLasting = (owner.kind === "root" || owner.kind === "user") && owner.session === undefined;
  if (!isLasting) throw accessDenied("Cannot call GetSessionToken with session credentials");
  if (input.TokenCode !== undefined) {
    throw accessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code.");
  }
  const limits = { initial: USER_SECONDS_INITIAL, max: USER_SECONDS_MAX };
  const asked = checkDuration(input.DurationSeconds, limits);
  const session = await sessions.mintSession({
    principal: { ...owner, session: { issuedAt: clock.now() } },
    durationSeconds: owner.kind === "root" ? Math.min(asked, ROOT_SECONDS_MAX) : asked,
  });
  return presentCredentials(session);
}

/** Only for the account whose principal was refused. */
function decoded({ sessions }: StsDeps, encoded: string, { accountId }: Principal): string {
  const details = sessions.openDenial(encoded);
  const { context } = JSON.parse(details ?? "{}") as {
    readonly context?: { readonly principal: { readonly arn: string } };
  };
  if (details !== undefined && context?.principal.arn.split(":")[4] === accountId) return details;
  throw new ApiError("InvalidAuthorizationMessageException", "Invalid authorization message.");
}

function accountOfKey({ cache }: StsDeps, accessKeyId: string): string {
  const key = cache.get(accessKeyKey(accessKeyId))?.value as AccessKey | undefined;
  const accountId = key?.accountId ?? accountOfSessionKeyId(accessKeyId);
  if (accountId !== undefined) return accountId;
  throw validationError(`Access key ${accessKeyId} is not known here.`);
}

function accessDenied(message: string): ApiError {
  return new ApiError("AccessDenied", message, { status: 403 });
}
