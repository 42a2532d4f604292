import type {
  BatchGetSecretValueRequest,
  BatchGetSecretValueResponse,
  GetSecretValueRequest,
  GetSecretValueResponse,
  PutSecretValueRequest,
  PutSecretValueResponse,
  UpdateSecretVersionStageRequest,
  UpdateSecretVersionStageResponse,
} from "@aws-sdk/client-secrets-manager";
import type { Call } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import { commit } from "../store/commit.ts";
import type { Write } from "../store/store.ts";
import type { SecretsDeps } from "./deps.ts";
import {
  type FoundSecret,
  getLiveSecret,
  invalidParameter,
  invalidRequest,
  stillInProgress,
} from "./find.ts";
import { checkLabelCount, checkLabels } from "./labels.ts";
import {
  CURRENT,
  type Secret,
  type SecretVersion,
  secretArn,
  versionAt,
  versionKey,
  withStages,
} from "./model.ts";

/** https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html */
const VALUE_BYTES_MAX = 65_536;
const VERSIONS_MAX = 100;
const BATCH_MAX = 20;
/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html */
const TOKEN_LENGTH = { min: 32, max: 64 };
const CURRENT_STAYS =
  "You can only move staging label AWSCURRENT to a different secret version. It can’t be completely removed.";
/** Lost races in a row before the caller is told to try again. */
export const ATTEMPTS_MAX = 10;

/** A value as a caller gives it. */
interface GivenValue {
  readonly SecretString?: string | undefined;
  readonly SecretBinary?: Uint8Array | undefined;
}

/** Text that is sealed, and how it is shown again. Throws InvalidParameterException. */
export function givenValue(
  input: GivenValue,
): { readonly text: string; readonly kind: SecretVersion["kind"] } | undefined {
  const { SecretString, SecretBinary } = input;
  if (SecretString !== undefined && SecretBinary !== undefined) {
    throw invalidParameter("You can't specify both SecretString and SecretBinary.");
  }
  const isBinary = SecretBinary !== undefined;
  const text = isBinary ? Buffer.from(SecretBinary).toString("base64") : SecretString;
  if (text === undefined) return undefined;
  const bytes = isBinary ? SecretBinary.length : Buffer.byteLength(text);
  if (bytes > VALUE_BYTES_MAX) {
    throw invalidParameter(
      `A secret value has at most ${VALUE_BYTES_MAX} bytes, this has ${bytes}.`,
    );
  }
  return { text, kind: isBinary ? "binary" : "string" };
}

/** The id of a version that a caller wants to add: their token, or one of ours. Throws InvalidParameterException. */
export function versionIdOf(
  { random }: SecretsDeps,
  { ClientRequestToken: token }: { readonly ClientRequestToken?: string | undefined },
): string {
  if (token === undefined) return random.uuid();
  const isLong = token.length >= TOKEN_LENGTH.min && token.length <= TOKEN_LENGTH.max;
  if (isLong && token.isWellFormed()) return token;
  throw invalidParameter("ClientRequestToken must be 32-64 characters long.");
}

/** What the store has to take for a new version, and the secret with it. */
export function newVersion(
  deps: SecretsDeps,
  secret: Secret,
  version: {
    versionId: string;
    stages: readonly string[];
    text: string;
    kind: "string" | "binary";
  },
): { readonly secret: Secret; readonly writes: readonly Write[] } {
  const { versionId, stages, text, kind } = version;
  const now = deps.clock.now();
  const versions = { ...withStages(secret, versionId, stages) };
  const key = versionKey(secret, versionId);
  const value: SecretVersion = {
    versionId,
    sealed: deps.sealer.seal(text, key),
    kind,
    createdAt: now,
  };
  const writes: Write[] = [{ key, value }];
  const deprecated = Object.keys(versions).filter((id) => versions[id]?.length === 0);
  // Oldest first: members of an object keep the order in which they came.
  while (Object.keys(versions).length > VERSIONS_MAX && deprecated.length > 0) {
    const gone = deprecated.shift() ?? "";
    delete versions[gone];
    writes.push({ key: versionKey(secret, gone), value: undefined });
  }
  if (Object.keys(versions).length > VERSIONS_MAX) {
    throw new ApiError("LimitExceededException", `A secret has at most ${VERSIONS_MAX} versions.`);
  }
  checkLabelCount(versions);
  return { secret: { ...secret, versions, changedAt: now }, writes };
}

/** Adds a version; the same token and value again is the same version. */
export async function putSecretValue(
  deps: SecretsDeps,
  input: PutSecretValueRequest,
  call: Call,
): Promise<PutSecretValueResponse> {
  const value = givenValue(input);
  if (value === undefined) {
    throw invalidRequest("You must provide either SecretString or SecretBinary.");
  }
  const versionId = versionIdOf(deps, input);
  const stages = checkLabels(input.VersionStages ?? [CURRENT]);
  const secret = await changeSecret(deps, input.SecretId, call, ({ secret: found }) => {
    if (found.versions[versionId] !== undefined) {
      refuseOtherValue(deps, found, versionId, value.text);
      return { secret: found, writes: [] };
    }
    // AWS: a secret's first version is its current one, whatever else it is.
    const isFirst = Object.keys(found.versions).length === 0;
    const labels = isFirst ? [...new Set([...stages, CURRENT])] : stages;
    return newVersion(deps, found, { versionId, stages: labels, ...value });
  });
  return {
    ARN: secretArn(secret),
    Name: secret.name,
    VersionId: versionId,
    VersionStages: [...(secret.versions[versionId] ?? [])],
  };
}

/** A token stands for one value. Throws ResourceExistsException. */
export function refuseOtherValue(
  deps: SecretsDeps,
  secret: Secret,
  versionId: string,
  text: string,
): void {
  if (openVersion(deps, secret, versionId)?.text === text) return;
  throw new ApiError(
    "ResourceExistsException",
    `You can't use ClientRequestToken ${versionId} because that value is already in use for a version of secret ${secretArn(secret)}.`,
  );
}

/** Reads one value, by version, by label, or the current one. */
export async function getSecretValue(
  deps: SecretsDeps,
  input: GetSecretValueRequest,
  call: Call,
): Promise<GetSecretValueResponse> {
  const { secret } = getLiveSecret(deps, call, input.SecretId);
  const { VersionId, VersionStage } = input;
  const stage = VersionStage ?? CURRENT;
  const id = VersionId ?? versionAt(secret, stage);
  const isThere = id !== undefined && Object.hasOwn(secret.versions, id);
  const opened = isThere ? openVersion(deps, secret, id) : undefined;
  if (id === undefined || opened === undefined) {
    const what = VersionId === undefined ? `staging label: ${stage}` : `VersionId: ${VersionId}`;
    throw new ApiError(
      "ResourceNotFoundException",
      `Secrets Manager can't find the specified secret value for ${what}`,
    );
  }
  const stages = secret.versions[id] ?? [];
  if (VersionId !== undefined && VersionStage !== undefined && !stages.includes(VersionStage)) {
    throw invalidRequest(
      "You provided a VersionStage that is not associated to the provided VersionId.",
    );
  }
  return {
    ARN: secretArn(secret),
    Name: secret.name,
    VersionId: id,
    VersionStages: [...stages],
    CreatedDate: new Date(opened.createdAt),
    ...(opened.kind === "string"
      ? { SecretString: opened.text }
      : { SecretBinary: Buffer.from(opened.text, "base64") }),
  };
}

/** Several values; what cannot be read is told beside those that can. */
export async function batchGetSecretValue(
  deps: SecretsDeps,
  input: BatchGetSecretValueRequest,
  call: Call,
): Promise<BatchGetSecretValueResponse> {
  const { SecretIdList, Filters } = input;
  if ((SecretIdList === undefined) === (Filters === undefined)) {
    throw invalidParameter("Exactly one of SecretIdList and Filters must be given.");
  }
  if (Filters !== undefined)
    throw invalidParameter("Filters are not supported: give SecretIdList.");
  const ids = SecretIdList ?? [];
  if (ids.length < 1 || ids.length > BATCH_MAX) {
    throw invalidParameter(`SecretIdList must have 1 to ${BATCH_MAX} entries.`);
  }
  const SecretValues: GetSecretValueResponse[] = [];
  const Errors: { SecretId: string; ErrorCode: string; Message: string }[] = [];
  for (const SecretId of ids) {
    try {
      SecretValues.push(await getSecretValue(deps, { SecretId }, call));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      Errors.push({ SecretId, ErrorCode: error.code, Message: error.message });
    }
  }
  return { SecretValues, Errors };
}

/** Moves one label from a version to another, or takes it away. */
export async function updateSecretVersionStage(
  deps: SecretsDeps,
  input: UpdateSecretVersionStageRequest,
  call: Call,
): Promise<UpdateSecretVersionStageResponse> {
  const { VersionStage: stage = "", MoveToVersionId: to, RemoveFromVersionId: from } = input;
  checkLabels([stage]);
  const secret = await changeSecret(deps, input.SecretId, call, ({ secret: found }) => {
    const holder = versionAt(found, stage);
    if (holder !== undefined && from !== holder && to !== holder) {
      throw invalidParameter(
        `The parameter RemoveFromVersionId must be ${holder}, which staging label ${stage} is attached to.`,
      );
    }
    for (const id of [to, from]) {
      if (id !== undefined && !Object.hasOwn(found.versions, id)) {
        throw new ApiError(
          "ResourceNotFoundException",
          `Secrets Manager can't find the specified secret value for VersionId: ${id}`,
        );
      }
    }
    if (to !== undefined) {
      const versions = withStages(found, to, [stage]);
      checkLabelCount(versions);
      return { secret: { ...found, versions }, writes: [] };
    }
    if (stage === CURRENT) throw invalidParameter(CURRENT_STAYS);
    const kept = (found.versions[from ?? ""] ?? []).filter((one) => one !== stage);
    const versions = { ...found.versions, ...(from !== undefined && { [from]: kept }) };
    return { secret: { ...found, versions }, writes: [] };
  });
  return { ARN: secretArn(secret), Name: secret.name };
}

interface OpenedVersion extends Pick<SecretVersion, "kind" | "createdAt"> {
  readonly text: string;
}

function openVersion(
  { cache, sealer }: SecretsDeps,
  secret: Secret,
  versionId: string,
): OpenedVersion | undefined {
  const key = versionKey(secret, versionId);
  const version = cache.get(key)?.value as SecretVersion | undefined;
  if (version === undefined) return undefined;
  const { kind, createdAt, sealed } = version;
  return { kind, createdAt, text: sealer.open(sealed, key) };
}

/** Replaces a secret by what `change` makes of it, with what goes along. Throws what finding it and `change` throw. */
export async function changeSecret(
  deps: SecretsDeps,
  secretId: string | undefined,
  call: Call,
  change: (found: FoundSecret) => { readonly secret: Secret; readonly writes: readonly Write[] },
  find: typeof getLiveSecret = getLiveSecret,
): Promise<Secret> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const found = find(deps, call, secretId);
    const { secret, writes } = change(found);
    if (secret === found.secret && writes.length === 0) return secret;
    const { key, revision } = found.record;
    const done = await commit(deps, [{ key, revision }], [{ key, value: secret }, ...writes]);
    if (done) return secret;
  }
  throw stillInProgress();
}
