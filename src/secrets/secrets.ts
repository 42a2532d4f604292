import type {
  CreateSecretRequest,
  CreateSecretResponse,
  DeleteSecretRequest,
  DeleteSecretResponse,
  DescribeSecretRequest,
  DescribeSecretResponse,
  GetResourcePolicyRequest,
  GetResourcePolicyResponse,
  RestoreSecretRequest,
  RestoreSecretResponse,
  UpdateSecretRequest,
  UpdateSecretResponse,
} from "@aws-sdk/client-secrets-manager";
import type { Call } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import { commit } from "../store/commit.ts";
import type { Write } from "../store/store.ts";
import type { SecretsDeps } from "./deps.ts";
import {
  findSecret,
  getSecret,
  invalidParameter,
  invalidRequest,
  namedBy,
  placeOf,
  stillInProgress,
} from "./find.ts";
import { CURRENT, type Secret, secretArn, secretKey, versionsPrefix } from "./model.ts";
import { toTags } from "./tags.ts";
import {
  ATTEMPTS_MAX,
  changeSecret,
  givenValue,
  newVersion,
  refuseOtherValue,
  versionIdOf,
} from "./values.ts";

const NAME = /^[A-Za-z0-9/_+=.@!-]{1,512}$/;
const SUFFIX_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const SUFFIX_LENGTH = 6;
const DAY_MS = 86_400_000;
/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html */
const RECOVERY_DAYS = { default: 30, min: 7, max: 30 };
const TEXT_LENGTH_MAX = 2048;

/** Makes a secret, with its first value if one is given. The same token and value again is the same secret. */
export async function createSecret(
  deps: SecretsDeps,
  input: CreateSecretRequest,
  call: Call,
): Promise<CreateSecretResponse> {
  const name = input.Name ?? "";
  if (!NAME.test(name)) {
    throw new ApiError(
      "ValidationException",
      "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
    );
  }
  checkTexts(input);
  const value = givenValue(input);
  const versionId = versionIdOf(deps, input);
  const made = build(deps, input, name, call);
  const first = value && newVersion(deps, made, { versionId, stages: [CURRENT], ...value });
  const secret = first?.secret ?? made;
  const key = secretKey(secret, name);
  const writes = [{ key, value: secret }, ...(first?.writes ?? [])];
  if (await commit(deps, [{ key, revision: 0 }], writes)) {
    return created(secret, value && versionId);
  }
  const existing = deps.cache.get(key)?.value as Secret | undefined;
  if (existing?.deletedAt !== undefined) {
    throw invalidRequest(
      "You can't create this secret because a secret with this name is already scheduled for deletion.",
    );
  }
  if (existing?.versions[versionId] === undefined || value === undefined) {
    throw new ApiError(
      "ResourceExistsException",
      `The operation failed because the secret ${name} already exists.`,
    );
  }
  refuseOtherValue(deps, existing, versionId, value.text);
  return created(existing, versionId);
}

function build(deps: SecretsDeps, input: CreateSecretRequest, name: string, call: Call): Secret {
  const { Description: description, KmsKeyId: kmsKeyId } = input;
  const now = deps.clock.now();
  const letters = [...deps.random.bytes(SUFFIX_LENGTH)].map(
    (byte) => SUFFIX_LETTERS[byte % SUFFIX_LETTERS.length],
  );
  return {
    ...placeOf(call),
    name,
    suffix: letters.join(""),
    ...(description !== undefined && { description }),
    ...(kmsKeyId !== undefined && { kmsKeyId }),
    tags: toTags(input.Tags),
    versions: {},
    createdAt: now,
    changedAt: now,
  };
}

function created(secret: Secret, versionId: string | undefined): CreateSecretResponse {
  return {
    ARN: secretArn(secret),
    Name: secret.name,
    ...(versionId !== undefined && { VersionId: versionId }),
  };
}

function checkTexts({
  Description = "",
  KmsKeyId = "",
}: Pick<UpdateSecretRequest, "Description" | "KmsKeyId">): void {
  for (const [name, text] of Object.entries({ Description, KmsKeyId })) {
    if (text.length > TEXT_LENGTH_MAX) {
      throw invalidParameter(`${name} has at most ${TEXT_LENGTH_MAX} characters.`);
    }
  }
}

/** All about a secret but its values. */
export async function describeSecret(
  deps: SecretsDeps,
  input: DescribeSecretRequest,
  call: Call,
): Promise<DescribeSecretResponse> {
  return presentSecret(getSecret(deps, call, input.SecretId).secret);
}

/** That a secret has no policy of its own: nothing here can give it one. */
export async function getResourcePolicy(
  deps: SecretsDeps,
  input: GetResourcePolicyRequest,
  call: Call,
): Promise<GetResourcePolicyResponse> {
  const { secret } = getSecret(deps, call, input.SecretId);
  return { ARN: secretArn(secret), Name: secret.name };
}

/** As DescribeSecret and ListSecrets show it. */
export function presentSecret(secret: Secret): DescribeSecretResponse {
  const { name, description, kmsKeyId, tags, versions, createdAt, changedAt, deletedAt } = secret;
  const staged = Object.entries(versions).filter(([, stages]) => stages.length > 0);
  return {
    ARN: secretArn(secret),
    Name: name,
    ...(description !== undefined && { Description: description }),
    ...(kmsKeyId !== undefined && { KmsKeyId: kmsKeyId }),
    CreatedDate: new Date(createdAt),
    LastChangedDate: new Date(changedAt),
    ...(deletedAt !== undefined && { DeletedDate: new Date(deletedAt) }),
    Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
    VersionIdsToStages: Object.fromEntries(staged.map(([id, stages]) => [id, [...stages]])),
  };
}

/** Changes what is said of a secret, and gives it a new current value if one is given. */
export async function updateSecret(
  deps: SecretsDeps,
  input: UpdateSecretRequest,
  call: Call,
): Promise<UpdateSecretResponse> {
  checkTexts(input);
  const value = givenValue(input);
  const versionId = versionIdOf(deps, input);
  const secret = await changeSecret(deps, input.SecretId, call, ({ secret: found }) => {
    const { Description: description, KmsKeyId: kmsKeyId } = input;
    const changed: Secret = {
      ...found,
      ...(description !== undefined && { description }),
      ...(kmsKeyId !== undefined && { kmsKeyId }),
      changedAt: deps.clock.now(),
    };
    if (value === undefined) return { secret: changed, writes: [] };
    if (found.versions[versionId] !== undefined) {
      refuseOtherValue(deps, found, versionId, value.text);
      return { secret: changed, writes: [] };
    }
    return newVersion(deps, changed, { versionId, stages: [CURRENT], ...value });
  });
  return created(secret, value && versionId);
}

/** Schedules a deletion, or deletes at once. */
export async function deleteSecret(
  deps: SecretsDeps,
  input: DeleteSecretRequest,
  call: Call,
): Promise<DeleteSecretResponse> {
  const { ForceDeleteWithoutRecovery: force = false, RecoveryWindowInDays: days } = input;
  if (force && days !== undefined) {
    throw invalidParameter(
      "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
    );
  }
  const { default: usual, min, max } = RECOVERY_DAYS;
  if (days !== undefined && (days < min || days > max)) {
    throw invalidParameter(
      `RecoveryWindowInDays must be between ${min} and ${max} days (inclusive).`,
    );
  }
  const now = deps.clock.now();
  if (force) {
    const { name, arn } = await removeSecret(deps, input.SecretId, call);
    return { ARN: arn, Name: name, DeletionDate: new Date(now) };
  }
  const purgeAt = now + (days ?? usual) * DAY_MS;
  const secret = await changeSecret(deps, input.SecretId, call, ({ secret: found }) => ({
    secret: { ...found, deletedAt: now, purgeAt },
    writes: [],
  }));
  return { ARN: secretArn(secret), Name: secret.name, DeletionDate: new Date(purgeAt) };
}

/** Takes back a scheduled deletion. */
export async function restoreSecret(
  deps: SecretsDeps,
  input: RestoreSecretRequest,
  call: Call,
): Promise<RestoreSecretResponse> {
  const restore = ({
    secret: { deletedAt: _at, purgeAt: _final, ...kept },
  }: {
    secret: Secret;
  }) => ({
    secret: kept,
    writes: [],
  });
  const secret = await changeSecret(deps, input.SecretId, call, restore, getSecret);
  return { ARN: secretArn(secret), Name: secret.name };
}

/** AWS: a secret that is not there (any more) is as good as deleted. */
async function removeSecret(
  deps: SecretsDeps,
  secretId: string | undefined,
  call: Call,
): Promise<{ readonly name: string; readonly arn: string }> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const found = findSecret(deps, call, secretId);
    if (found === undefined) return namedBy(secretId ?? "", call);
    const { secret, record } = found;
    if (await commit(deps, [record], removal(deps, secret))) {
      return { name: secret.name, arn: secretArn(secret) };
    }
  }
  throw stillInProgress();
}

/** Everything of a secret, to be deleted. */
export function removal({ cache }: SecretsDeps, secret: Secret): readonly Write[] {
  const versions = cache.list(versionsPrefix(secret)).map(({ key }) => key);
  return [secretKey(secret, secret.name), ...versions].map((key) => ({ key, value: undefined }));
}
