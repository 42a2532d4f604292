import type {
  AssumeRoleWithWebIdentityRequest,
  AssumeRoleWithWebIdentityResponse,
} from "@aws-sdk/client-sts";
import type { Call, ConditionKeys, Operation } from "../door/service.ts";
import { oidcProviderArn, parseIamArn } from "../iam/model/arns.ts";
import { findOidcProvider, findRole } from "../iam/model/find.ts";
import type { OidcProvider } from "../iam/model/records.ts";
import { ApiError } from "../lib/errors.ts";
import type { StsDeps } from "./deps.ts";
import { type Jwt, parseJwt, verifyJwt } from "./jwt.ts";
import { openRoleSession, roleDuration } from "./role-session.ts";
import { packedSize, readSessionPolicies } from "./session-policies.ts";
import { checkText } from "./validate.ts";

type Response = AssumeRoleWithWebIdentityResponse;

/** Clocks of identity providers may be ahead of ours. Chosen. */
const SKEW_SECONDS = 300;

/** The row of AssumeRoleWithWebIdentity. Nobody signs it: the token says who calls, and the role whether it may. */
export function webIdentityOperation(
  deps: StsDeps,
): Operation<AssumeRoleWithWebIdentityRequest, Response> {
  return {
    support: "partial",
    missing:
      "ProviderId (OAuth 2.0 tokens of Amazon, Facebook and Google); tags and a source identity in the token",
    action: "sts:AssumeRoleWithWebIdentity",
    resources: ({ RoleArn = "" }) => [RoleArn],
    access: "anonymous",
    handle: (input, call) => assumeRoleWithWebIdentity(deps, input, call),
  };
}

async function assumeRoleWithWebIdentity(
  deps: StsDeps,
  input: AssumeRoleWithWebIdentityRequest,
  call: Call,
): Promise<Response> {
  const arn = checkText(input.RoleArn, "roleArn");
  const sessionName = checkText(input.RoleSessionName, "roleSessionName");
  const token = checkText(input.WebIdentityToken, "webIdentityToken");
  const identity = await readIdentity(deps, parseIamArn(arn)?.accountId ?? "", token);
  const role = findRole(deps.cache, arn);
  const isTrusted =
    role !== undefined &&
    deps.webIdentityTrust({
      role,
      providerArn: identity.providerArn,
      conditions: { ...identity.conditions, "sts:RoleSessionName": sessionName },
      origin: {
        region: call.region,
        sourceIp: call.sourceIp,
        userAgent: undefined,
        isSecure: call.endpoint.startsWith("https:"),
      },
    }).allowed;
  // One answer for both: who is not trusted does not learn which roles there are.
  if (!isTrusted) {
    throw new ApiError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", {
      status: 403,
    });
  }
  const durationSeconds = roleDuration(input.DurationSeconds, role, false);
  const policies = readSessionPolicies(input.Policy, input.PolicyArns, (policy) =>
    deps.canUsePolicy(role.accountId, policy),
  );
  const PackedPolicySize = packedSize(policies, {});
  const opened = await openRoleSession(deps, {
    role,
    sessionName,
    durationSeconds,
    facts: policies,
  });
  return {
    ...opened,
    SubjectFromWebIdentityToken: identity.subject,
    Audience: identity.audience,
    Provider: identity.providerArn,
    ...(PackedPolicySize !== undefined && { PackedPolicySize }),
  };
}

/** Who somebody is, by the word of a provider that the account knows. */
interface WebIdentity {
  readonly providerArn: string;
  readonly subject: string;
  readonly audience: string;
  readonly conditions: ConditionKeys;
}

async function readIdentity(deps: StsDeps, accountId: string, token: string): Promise<WebIdentity> {
  const jwt = parseJwt(token);
  if (jwt === undefined) throw invalidToken("The ID Token provided is not a valid JWT.");
  const { iss, sub } = jwt.claims;
  const issuer = typeof iss === "string" ? iss : "";
  const url = issuer.replace(/^https:\/\//, "").replace(/\/$/, "");
  const providerArn = oidcProviderArn({ accountId, url });
  const provider = findOidcProvider(deps.cache, providerArn);
  if (provider === undefined) {
    throw invalidToken(
      `No OpenIDConnect provider found in your account for ${issuer.slice(0, 255)}`,
    );
  }
  const audience = requireAudience(jwt, provider);
  await requireSignature(deps, jwt, url);
  requireTime(jwt, deps.clock.now());
  if (typeof sub !== "string" || sub === "") {
    throw new ApiError("IDPRejectedClaimException", "The token has no subject.");
  }
  const conditions = { ...claimKeys(jwt, url), [`${url}:aud`]: audience, [`${url}:sub`]: sub };
  return { providerArn, subject: sub, audience, conditions };
}

/** `azp` is whom the token was made for, where it is for several. */
function requireAudience({ claims }: Jwt, { clientIds }: OidcProvider): string {
  const { aud, azp } = claims;
  const given = (typeof azp === "string" ? [azp] : [aud].flat()).filter(
    (each) => typeof each === "string",
  );
  const found = given.find((each) => clientIds.includes(each));
  if (found === undefined) throw invalidToken("Incorrect token audience");
  return found;
}

async function requireSignature(deps: StsDeps, jwt: Jwt, url: string): Promise<void> {
  const outcome = verifyJwt(jwt, await deps.findProviderKeys(url));
  if (outcome === "valid") return;
  throw invalidToken(
    outcome === "unknownKey"
      ? "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements"
      : "The web identity token that was passed could not be validated.",
  );
}

function requireTime({ claims: { exp, nbf } }: Jwt, now: number): void {
  const seconds = Math.floor(now / 1000);
  if (typeof exp !== "number") throw invalidToken("Missing a required claim: exp");
  if (seconds >= exp) {
    throw new ApiError(
      "ExpiredTokenException",
      `Token expired: current date/time ${seconds} must be before the expiration date/time ${exp}`,
    );
  }
  if (typeof nbf === "number" && seconds + SKEW_SECONDS < nbf) {
    throw invalidToken("The token is not valid yet.");
  }
}

/** The other claims that policies can ask for: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif */
const CLAIMS: readonly string[] = ["amr", "email", "oaud"];

function claimKeys({ claims }: Jwt, url: string): ConditionKeys {
  const keys: Record<string, string | readonly string[]> = {};
  for (const name of CLAIMS) {
    const value = name === "oaud" && claims.azp !== undefined ? claims.aud : claims[name];
    const isList = Array.isArray(value) && value.every((each) => typeof each === "string");
    if (typeof value === "string" || isList) keys[`${url}:${name}`] = value;
  }
  return keys;
}

function invalidToken(message: string): ApiError {
  return new ApiError("InvalidIdentityTokenException", message);
}
