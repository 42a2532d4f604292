import type {
  DescribeParametersRequest,
  DescribeParametersResult,
  LabelParameterVersionRequest,
  LabelParameterVersionResult,
  UnlabelParameterVersionRequest,
  UnlabelParameterVersionResult,
} from "@aws-sdk/client-ssm";
import type { Call } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import { updateRecord } from "../store/commit.ts";
import type { SsmDeps } from "./deps.ts";
import { filterOf } from "./filters.ts";
import { allParameters, getWholeRecord, notFound, versionOf } from "./find.ts";
import { latest } from "./get.ts";
import { type Parameter, parameterArn } from "./model.ts";
import { pageOf } from "./page.ts";

const LABELS_PER_VERSION_MAX = 10;
const LABEL = /^(?!aws|ssm|\d)[A-Za-z0-9_.-]{1,100}$/i;

/** All about parameters but their values, in order of name. */
export async function describeParameters(
  deps: SsmDeps,
  input: DescribeParametersRequest,
  call: Call,
): Promise<DescribeParametersResult> {
  const older = (input.Filters ?? []).map(({ Key, Values }) => ({
    Key,
    Option: "BeginsWith",
    Values,
  }));
  const isAsked = filterOf([...(input.ParameterFilters ?? []), ...older]);
  const parameters = allParameters(deps, call).filter((parameter) =>
    isAsked(parameter, latest(deps, parameter)),
  );
  const { page, next } = pageOf(parameters, input, { max: 50, usual: 10 }, ({ name }) => name);
  return {
    Parameters: page.map((parameter) => {
      const { allowedPattern, description, keyId, modifiedAt, modifiedBy } = latest(
        deps,
        parameter,
      );
      return {
        Name: parameter.name,
        ARN: parameterArn(parameter, parameter.name),
        Type: parameter.type,
        Version: parameter.version,
        Tier: parameter.tier,
        DataType: parameter.dataType,
        Policies: [],
        LastModifiedDate: new Date(modifiedAt),
        LastModifiedUser: modifiedBy,
        ...(description !== undefined && { Description: description }),
        ...(allowedPattern !== undefined && { AllowedPattern: allowedPattern }),
        ...(keyId !== undefined && { KeyId: keyId }),
      };
    }),
    ...next,
  };
}

/** Puts labels on a version, the latest if none is given; they leave the one they were on. */
export async function labelParameterVersion(
  deps: SsmDeps,
  input: LabelParameterVersionRequest,
  call: Call,
): Promise<LabelParameterVersionResult> {
  const { record } = getWholeRecord(deps, call, input.Name);
  const given = input.Labels ?? [];
  const valid = given.filter((label) => LABEL.test(label));
  const labelled = await updateRecord(deps, record.key, (found: Parameter) => {
    // At each attempt: a new version may just have pushed out the oldest.
    const version = existingVersion(deps, found, input.ParameterVersion);
    const added = valid.map((label) => [label, version] as const);
    const labels = { ...found.labels, ...Object.fromEntries(added) };
    if (Object.values(labels).filter((one) => one === version).length > LABELS_PER_VERSION_MAX) {
      throw new ApiError(
        "ParameterVersionLabelLimitExceeded",
        `A parameter version can have a maximum of ${LABELS_PER_VERSION_MAX} labels.`,
      );
    }
    return valid.length === 0 ? found : { ...found, labels };
  });
  if (labelled === undefined) throw notFound(input.Name);
  return {
    InvalidLabels: given.filter((label) => !LABEL.test(label)),
    ParameterVersion: input.ParameterVersion ?? labelled.version,
  };
}

export async function unlabelParameterVersion(
  deps: SsmDeps,
  input: UnlabelParameterVersionRequest,
  call: Call,
): Promise<UnlabelParameterVersionResult> {
  const { record, parameter } = getWholeRecord(deps, call, input.Name);
  const version = existingVersion(deps, parameter, input.ParameterVersion);
  const given = input.Labels ?? [];
  const removed = given.filter((label) => parameter.labels[label] === version);
  await updateRecord(deps, record.key, (found: Parameter) => {
    const kept = Object.entries(found.labels).filter(
      ([label, at]) => at !== version || !removed.includes(label),
    );
    return removed.length === 0 ? found : { ...found, labels: Object.fromEntries(kept) };
  });
  return {
    RemovedLabels: removed,
    InvalidLabels: given.filter((label) => !removed.includes(label)),
  };
}

function existingVersion(deps: SsmDeps, parameter: Parameter, given: number | undefined): number {
  const version = given ?? parameter.version;
  if (versionOf(deps, parameter, version) !== undefined) return version;
  throw new ApiError(
    "ParameterVersionNotFound",
    `Systems Manager could not find version ${version} of ${parameter.name}. Verify the version and try again.`,
  );
}
