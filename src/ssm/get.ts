import type {
  DeleteParameterRequest,
  DeleteParametersRequest,
  DeleteParametersResult,
  GetParameterHistoryRequest,
  GetParameterHistoryResult,
  GetParameterRequest,
  GetParameterResult,
  GetParametersByPathRequest,
  GetParametersByPathResult,
  GetParametersRequest,
  GetParametersResult,
  Parameter as ShownParameter,
} from "@aws-sdk/client-ssm";
import type { Call } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import { commit } from "../store/commit.ts";
import type { SsmDeps } from "./deps.ts";
import { filterOf } from "./filters.ts";
import { allParameters, getValue, getWholeRecord, plainValue, present, versionOf } from "./find.ts";
import { type Parameter, type ParameterVersion, versionsPrefix } from "./model.ts";
import { pageOf } from "./page.ts";

/** AWS: names in one call of GetParameters and DeleteParameters. */
const NAMES_MAX = 10;
/** Lost races in a row before the caller is told to try again. */
const ATTEMPTS_MAX = 10;

export async function getParameter(
  deps: SsmDeps,
  input: GetParameterRequest,
  call: Call,
): Promise<GetParameterResult> {
  return { Parameter: getValue(deps, call, input.Name, input.WithDecryption === true) };
}

/** Those that are there, and the names of those that are not. */
export async function getParameters(
  deps: SsmDeps,
  input: GetParametersRequest,
  call: Call,
): Promise<GetParametersResult> {
  const Parameters: ShownParameter[] = [];
  const InvalidParameters: string[] = [];
  for (const name of checkNames(input.Names)) {
    try {
      Parameters.push(getValue(deps, call, name, input.WithDecryption === true));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      InvalidParameters.push(name);
    }
  }
  return { Parameters, InvalidParameters };
}

function checkNames(names: readonly string[] = []): readonly string[] {
  if (names.length >= 1 && names.length <= NAMES_MAX) return names;
  throw new ApiError(
    "ValidationException",
    `1 validation error detected: Value '[${names.join(", ")}]' at 'names' failed to satisfy constraint: Member must have length ${names.length < 1 ? "greater than or equal to 1" : `less than or equal to ${NAMES_MAX}`}`,
  );
}

/** What lies below a path: its own level, or all levels. */
export async function getParametersByPath(
  deps: SsmDeps,
  input: GetParametersByPathRequest,
  call: Call,
): Promise<GetParametersByPathResult> {
  const path = input.Path ?? "";
  if (!path.startsWith("/")) {
    throw new ApiError(
      "ValidationException",
      `The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "/". It can't be prefixed with "aws" or "ssm" (case-insensitive).`,
    );
  }
  const below = path.endsWith("/") ? path : `${path}/`;
  const isAsked = filterOf(input.ParameterFilters ?? []);
  const parameters = allParameters(deps, call).filter(
    (parameter) =>
      isBelow(parameter, below, input.Recursive === true) &&
      isAsked(parameter, latest(deps, parameter)),
  );
  const { page, next } = pageOf(parameters, input, { max: 10, usual: 10 }, ({ name }) => name);
  return {
    Parameters: page.map((parameter) =>
      present(deps, parameter, latest(deps, parameter), input.WithDecryption === true),
    ),
    ...next,
  };
}

function isBelow({ name }: Parameter, path: string, isRecursive: boolean): boolean {
  const full = name.startsWith("/") ? name : `/${name}`;
  return full.startsWith(path) && (isRecursive || !full.slice(path.length).includes("/"));
}

/** Parameter and latest version are written together. */
export function latest(deps: SsmDeps, parameter: Parameter): ParameterVersion {
  return versionOf(deps, parameter, parameter.version) as ParameterVersion;
}

/** All versions that are kept, oldest first. */
export async function getParameterHistory(
  deps: SsmDeps,
  input: GetParameterHistoryRequest,
  call: Call,
): Promise<GetParameterHistoryResult> {
  const { parameter } = getWholeRecord(deps, call, input.Name);
  const versions = deps.cache
    .list(versionsPrefix(parameter, parameter.name))
    .map(({ value }) => value as ParameterVersion);
  const order = ({ version }: ParameterVersion): string => String(version).padStart(9, "0");
  const { page, next } = pageOf(versions, input, { max: 50, usual: 50 }, order);
  return {
    Parameters: page.map((version) => ({
      Name: parameter.name,
      Type: version.type,
      Value: input.WithDecryption ? plainValue(deps, parameter, version) : version.value,
      Version: version.version,
      Labels: labelsOf(parameter, version.version),
      LastModifiedDate: new Date(version.modifiedAt),
      LastModifiedUser: version.modifiedBy,
      Tier: parameter.tier,
      DataType: parameter.dataType,
      Policies: [],
      ...(version.description !== undefined && { Description: version.description }),
      ...(version.allowedPattern !== undefined && { AllowedPattern: version.allowedPattern }),
      ...(version.keyId !== undefined && { KeyId: version.keyId }),
    })),
    ...next,
  };
}

function labelsOf({ labels }: Parameter, version: number): string[] {
  return Object.keys(labels).filter((label) => labels[label] === version);
}

export async function deleteParameter(
  deps: SsmDeps,
  input: DeleteParameterRequest,
  call: Call,
): Promise<Record<never, never>> {
  await remove(deps, call, input.Name ?? "");
  return {};
}

export async function deleteParameters(
  deps: SsmDeps,
  input: DeleteParametersRequest,
  call: Call,
): Promise<DeleteParametersResult> {
  const DeletedParameters: string[] = [];
  const InvalidParameters: string[] = [];
  for (const name of checkNames(input.Names)) {
    try {
      await remove(deps, call, name);
      DeletedParameters.push(name);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      InvalidParameters.push(name);
    }
  }
  return { DeletedParameters, InvalidParameters };
}

/** Throws ParameterNotFound, also for whoever was second to delete it. */
async function remove(deps: SsmDeps, call: Call, name: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const { record, parameter } = getWholeRecord(deps, call, name);
    const versions = deps.cache.list(versionsPrefix(parameter, parameter.name));
    const keys = [record.key, ...versions.map(({ key }) => key)];
    const { key, revision } = record;
    const isGone = await commit(
      deps,
      [{ key, revision }],
      keys.map((one) => ({ key: one, value: undefined })),
    );
    if (isGone) return;
  }
  throw new ApiError("TooManyUpdates", "There are concurrent updates to the parameter.");
}
