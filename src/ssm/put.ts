import type { PutParameterRequest, PutParameterResult, Tag } from "@aws-sdk/client-ssm";
import type { Call } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import { LinearRegex } from "../lib/linear-regex.ts";
import { commit } from "../store/commit.ts";
import type { StoreRecord, Write } from "../store/store.ts";
import type { SsmDeps } from "./deps.ts";
import { placeOf } from "./find.ts";
import {
  findNameViolation,
  type Parameter,
  type ParameterType,
  type ParameterVersion,
  parameterKey,
  versionKey,
} from "./model.ts";
import { toTags } from "./tags.ts";

/** https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html */
const VALUE_BYTES_MAX = { Standard: 4096, Advanced: 8192 } as const;
const VERSIONS_MAX = 100;
const ATTEMPTS_MAX = 10;
/** AWS: whether or not there is a parameter to overwrite. */
const TAGS_AND_OVERWRITE =
  "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.";

/** Makes a parameter, or a new version of one when overwriting is wanted. */
export async function putParameter(
  deps: SsmDeps,
  input: PutParameterRequest,
  call: Call,
): Promise<PutParameterResult> {
  const name = input.Name ?? "";
  const violation = findNameViolation(name);
  if (violation !== undefined) throw new ApiError(violation.code, violation.message);
  checkLengths(input);
  if (input.Overwrite === true && input.Tags?.length) throw invalid(TAGS_AND_OVERWRITE);
  const key = parameterKey(placeOf(call), name);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const record = deps.cache.get(key);
    const { parameter, writes } = decide(deps, input, call, record);
    const compare = [{ key, revision: record?.revision ?? 0 }];
    if (await commit(deps, compare, [{ key, value: parameter }, ...writes])) {
      return { Version: parameter.version, Tier: parameter.tier };
    }
  }
  throw new ApiError("TooManyUpdates", "There are concurrent updates to the parameter.");
}

function decide(
  deps: SsmDeps,
  input: PutParameterRequest,
  call: Call,
  record: StoreRecord | undefined,
): { readonly parameter: Parameter; readonly writes: readonly Write[] } {
  const before = record?.value as Parameter | undefined;
  if (before !== undefined && input.Overwrite !== true) {
    throw new ApiError(
      "ParameterAlreadyExists",
      "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
    );
  }
  const type = typeOf(input, before);
  const tier = tierOf(input, before);
  checkValue(input, type, tier);
  const place = placeOf(call);
  const name = input.Name ?? "";
  const version = (before?.version ?? 0) + 1;
  const { writes, labels } = withinLimit(deps, before, version);
  return {
    parameter: {
      ...place,
      name,
      type,
      tier,
      dataType: input.DataType ?? before?.dataType ?? "text",
      tags: before?.tags ?? toTags(input.Tags as readonly Tag[] | undefined),
      version,
      labels,
    },
    writes: [...writes, newVersion(deps, input, call, { type, version })],
  };
}

function newVersion(
  { clock, sealer }: SsmDeps,
  input: PutParameterRequest,
  call: Call,
  { type, version }: { readonly type: ParameterType; readonly version: number },
): Write {
  const key = versionKey(placeOf(call), input.Name ?? "", version);
  const { AllowedPattern: allowedPattern, Description: description } = input;
  const isSecure = type === "SecureString";
  const text = input.Value ?? "";
  const value: ParameterVersion = {
    version,
    type,
    value: isSecure ? sealer.seal(text, key) : text,
    ...(description !== undefined && { description }),
    ...(allowedPattern !== undefined && { allowedPattern }),
    ...(isSecure && { keyId: input.KeyId ?? "alias/aws/ssm" }),
    modifiedAt: clock.now(),
    modifiedBy: call.principal.arn,
  };
  return { key, value };
}

/** AWS: a hundred versions; the oldest goes for a new one, unless it has a label. */
function withinLimit(
  { cache }: SsmDeps,
  before: Parameter | undefined,
  version: number,
): { readonly writes: readonly Write[]; readonly labels: Parameter["labels"] } {
  if (before === undefined) return { writes: [], labels: {} };
  const { labels, name } = before;
  const oldest = version - VERSIONS_MAX;
  if (oldest < 1) return { writes: [], labels };
  const label = Object.entries(labels).find(([, labelled]) => labelled === oldest)?.[0];
  if (label !== undefined) {
    throw new ApiError(
      "ParameterMaxVersionLimitExceeded",
      `You attempted to create a new version of ${name} by calling the PutParameter API with the overwrite flag. Version ${oldest}, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.`,
    );
  }
  const key = versionKey(before, name, oldest);
  return { writes: cache.get(key) ? [{ key, value: undefined }] : [], labels };
}

function typeOf(input: PutParameterRequest, before: Parameter | undefined): ParameterType {
  const type = input.Type ?? before?.type;
  if (type === undefined) {
    throw invalid("A parameter type is required when you create a parameter.");
  }
  return type;
}

function tierOf(input: PutParameterRequest, before: Parameter | undefined): Parameter["tier"] {
  if (before?.tier === "Advanced" && input.Tier === "Standard") {
    throw invalid(
      "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier.",
    );
  }
  if (input.Tier === "Advanced" || before?.tier === "Advanced") return "Advanced";
  const isLarge = Buffer.byteLength(input.Value ?? "") > VALUE_BYTES_MAX.Standard;
  return input.Tier === "Intelligent-Tiering" && isLarge ? "Advanced" : "Standard";
}

/** https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html */
const LENGTHS_MAX = { AllowedPattern: 1024, Description: 1024, KeyId: 256 } as const;

function checkLengths(input: PutParameterRequest): void {
  const names = Object.keys(LENGTHS_MAX) as (keyof typeof LENGTHS_MAX)[];
  for (const name of names) {
    const max = LENGTHS_MAX[name];
    if ((input[name] ?? "").length <= max) continue;
    const member = name.charAt(0).toLowerCase() + name.slice(1);
    throw invalid(
      `1 validation error detected: Value at '${member}' failed to satisfy constraint: Member must have length less than or equal to ${max}`,
    );
  }
}

function checkValue(
  input: PutParameterRequest,
  type: ParameterType,
  tier: Parameter["tier"],
): void {
  const {
    AllowedPattern: pattern,
    DataType: dataType,
    Policies: policies,
    Value: value = "",
  } = input;
  if (value === "") {
    throw invalid(
      "1 validation error detected: Value at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1",
    );
  }
  if (Buffer.byteLength(value) > VALUE_BYTES_MAX[tier]) {
    throw invalid(
      `${tier} tier parameters support a maximum parameter value of ${VALUE_BYTES_MAX[tier]} characters.${tier === "Standard" ? " To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier." : ""}`,
    );
  }
  if (value.split("\n").some(hasReference)) {
    throw invalid('Parameter value can\'t nest another parameter. Do not use "{{}}" in the value.');
  }
  if (policies)
    throw new ApiError("UnsupportedOperationException", "Parameter policies are not supported.");
  if (dataType !== undefined && dataType !== "text") {
    throw invalid(`The data type ${dataType} is not supported: text is.`);
  }
  if (type === "StringList" && value.split(",").some((item) => item === "")) {
    throw invalid("A StringList holds no empty values.");
  }
  if (pattern) checkPattern(pattern, value);
}

/** AWS: values do not refer to other parameters. */
function hasReference(line: string): boolean {
  const start = line.indexOf("{{");
  return start >= 0 && line.indexOf("}}", start + 2) >= 0;
}

function checkPattern(pattern: string, value: string): void {
  let allowed: LinearRegex;
  try {
    allowed = new LinearRegex(`^(?:${pattern})$`);
  } catch {
    throw new ApiError(
      "InvalidAllowedPatternException",
      "The request does not meet the regular expression requirement.",
    );
  }
  if (allowed.test(value)) return;
  throw new ApiError(
    "ParameterPatternMismatchException",
    `Parameter value, cannot be validated against allowedPattern: ${pattern}`,
  );
}

function invalid(message: string): ApiError {
  return new ApiError("ValidationException", message);
}
