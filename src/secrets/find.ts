import type { Call } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import type { StoreRecord } from "../store/store.ts";
import type { SecretsDeps } from "./deps.ts";
import { type Place, type Secret, secretArn, secretKey, secretsPrefix } from "./model.ts";

export interface FoundSecret {
  readonly record: StoreRecord;
  readonly secret: Secret;
}

export function placeOf({ principal, region }: Call): Place {
  return { accountId: principal.accountId, region };
}

const ARN = /^arn:aws:secretsmanager:(?<region>[^:]*):(?<account>\d{12}):secret:(?<rest>.+)$/;

/** The ARN of what a caller calls by name or ARN, for IAM. The suffix of a secret that is not there is anybody's guess. */
export function resourceOf(
  deps: SecretsDeps,
  secretId: string | undefined,
  call: Call,
): readonly string[] {
  const found = findSecret(deps, call, secretId);
  if (found !== undefined) return [secretArn(found.secret)];
  const id = secretId ?? "";
  if (id.startsWith("arn:")) return [id];
  const { accountId, region } = placeOf(call);
  return [`arn:aws:secretsmanager:${region}:${accountId}:secret:${id}-??????`];
}

/** {@link findSecret}. Throws ResourceNotFoundException. */
export function getSecret(
  deps: SecretsDeps,
  call: Call,
  secretId: string | undefined,
): FoundSecret {
  const found = findSecret(deps, call, secretId);
  if (found !== undefined) return found;
  throw new ApiError(
    "ResourceNotFoundException",
    "Secrets Manager can't find the specified secret.",
  );
}

/** By name, ARN, or ARN without suffix. */
export function findSecret(
  deps: SecretsDeps,
  call: Call,
  secretId: string | undefined,
): FoundSecret | undefined {
  const place = placeOf(call);
  const id = secretId ?? "";
  const groups = ARN.exec(id)?.groups;
  const candidates = groups === undefined ? [id] : [groups.rest ?? "", withoutSuffix(groups.rest)];
  const isHere =
    groups === undefined || (groups.account === place.accountId && groups.region === place.region);
  // Half a surrogate pair is no text: it has no UTF-8 form and so no key.
  for (const name of isHere && id.isWellFormed() ? candidates : []) {
    const record = deps.cache.get(secretKey(place, name));
    const secret = record?.value as Secret | undefined;
    if (record === undefined || secret === undefined) continue;
    const isMeant = groups === undefined || name === groups.rest || secretArn(secret) === id;
    if (isMeant) return { record, secret };
  }
  return undefined;
}

/** The name and ARN of a secret that is not there, as far as a caller's word tells them: its suffix is anybody's guess. */
export function namedBy(
  secretId: string,
  call: Call,
): { readonly name: string; readonly arn: string } {
  const rest = ARN.exec(secretId)?.groups?.rest;
  if (rest !== undefined) return { name: withoutSuffix(rest), arn: secretId };
  const { accountId, region } = placeOf(call);
  return {
    name: secretId,
    arn: `arn:aws:secretsmanager:${region}:${accountId}:secret:${secretId}`,
  };
}

function withoutSuffix(rest = ""): string {
  return rest.replace(/-[A-Za-z0-9]{6}$/, "");
}

/** The same, and usable. Throws InvalidRequestException for one that is scheduled for deletion. */
export function getLiveSecret(
  deps: SecretsDeps,
  call: Call,
  secretId: string | undefined,
): FoundSecret {
  const found = getSecret(deps, call, secretId);
  if (found.secret.deletedAt === undefined) return found;
  throw invalidRequest(
    "You can't perform this operation on the secret because it was marked for deletion.",
  );
}

export function allSecrets({ cache }: SecretsDeps, call: Call): readonly Secret[] {
  return cache.list(secretsPrefix(placeOf(call))).map(({ value }) => value as Secret);
}

export function invalidRequest(message: string): ApiError {
  return new ApiError("InvalidRequestException", message);
}
/** For who lost too many races in a row. */
export function stillInProgress(): ApiError {
  return invalidRequest("A previous operation on this secret is still in progress; try again.");
}
export function invalidParameter(message: string): ApiError {
  return new ApiError("InvalidParameterException", message);
}
