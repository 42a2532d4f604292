import type { Parameter as ShownParameter } from "@aws-sdk/client-ssm";
import type { Call } from "../door/service.ts";
import { ApiError } from "../lib/errors.ts";
import type { StoreRecord } from "../store/store.ts";
import type { SsmDeps } from "./deps.ts";
import {
  type Parameter,
  type ParameterVersion,
  type Place,
  parameterArn,
  parameterKey,
  parametersPrefix,
  parseSelection,
  versionKey,
} from "./model.ts";

export function placeOf({ principal, region }: Call): Place {
  return { accountId: principal.accountId, region };
}

/** The ARN of what a caller calls by name or ARN, for IAM. */
export function resourceOf(name: string | undefined, call: Call): readonly string[] {
  const { name: plain, place } = parseSelection(name ?? "");
  return [parameterArn(place ?? placeOf(call), plain)];
}

export interface FoundParameter {
  readonly record: StoreRecord;
  readonly parameter: Parameter;
}

/** By name or ARN. Throws ParameterNotFound. */
export function getRecord(deps: SsmDeps, call: Call, text: string | undefined): FoundParameter {
  const { name, place } = parseSelection(text ?? "");
  const own = placeOf(call);
  const isHere =
    place === undefined || (place.accountId === own.accountId && place.region === own.region);
  // An ARN does not tell whether the name began with a slash.
  const names = place === undefined ? [name] : [name, name.slice(1)];
  // Half a surrogate pair is no text: it has no UTF-8 form and so no key.
  for (const candidate of isHere && name.isWellFormed() ? names : []) {
    const record = deps.cache.get(parameterKey(own, candidate));
    if (record !== undefined) return { record, parameter: record.value as Parameter };
  }
  throw notFound(text);
}

/** The same for what concerns all of a parameter: who names a version or a label of it means something else. */
export function getWholeRecord(
  deps: SsmDeps,
  call: Call,
  text: string | undefined,
): FoundParameter {
  if (parseSelection(text ?? "").selector === undefined) return getRecord(deps, call, text);
  throw notFound(text);
}

/** The error for a parameter that is not there, or not any more. */
export function notFound(text: string | undefined): ApiError {
  return new ApiError("ParameterNotFound", `Parameter ${text} not found.`);
}

/** A parameter's value as asked for: the latest, a version, or the one under a label. Throws ParameterNotFound, ParameterVersionNotFound. */
export function getValue(
  deps: SsmDeps,
  call: Call,
  text: string | undefined,
  withDecryption: boolean,
): ShownParameter {
  const { parameter } = getRecord(deps, call, text);
  const { selector } = parseSelection(text ?? "");
  const version = selectedVersion(parameter, selector);
  const found = version === undefined ? undefined : versionOf(deps, parameter, version);
  if (found !== undefined) {
    const shown = present(deps, parameter, found, withDecryption);
    return selector === undefined ? shown : { ...shown, Selector: `:${selector}` };
  }
  throw new ApiError(
    "ParameterVersionNotFound",
    `Systems Manager could not find version ${selector} of ${parameter.name}. Verify the version and try again.`,
  );
}

function selectedVersion(
  { labels, version }: Parameter,
  selector: string | undefined,
): number | undefined {
  if (selector === undefined) return version;
  if (/^\d+$/.test(selector)) return Number(selector);
  return Object.hasOwn(labels, selector) ? labels[selector] : undefined;
}

export function versionOf(
  { cache }: SsmDeps,
  parameter: Parameter,
  version: number,
): ParameterVersion | undefined {
  return cache.get(versionKey(parameter, parameter.name, version))?.value as
    | ParameterVersion
    | undefined;
}

/** As GetParameter shows it; a SecureString that nobody decrypts is shown sealed. */
export function present(
  deps: SsmDeps,
  parameter: Parameter,
  version: ParameterVersion,
  withDecryption: boolean,
): ShownParameter {
  return {
    Name: parameter.name,
    Type: version.type,
    Value: withDecryption ? plainValue(deps, parameter, version) : version.value,
    Version: version.version,
    LastModifiedDate: new Date(version.modifiedAt),
    ARN: parameterArn(parameter, parameter.name),
    DataType: parameter.dataType,
  };
}

/** Throws UnavailableError when it was sealed with another master key. */
export function plainValue(
  { sealer }: SsmDeps,
  parameter: Parameter,
  { type, value, version }: ParameterVersion,
): string {
  if (type !== "SecureString") return value;
  return sealer.open(value, versionKey(parameter, parameter.name, version));
}

/** In order of name. */
export function allParameters({ cache }: SsmDeps, call: Call): readonly Parameter[] {
  return cache
    .list(parametersPrefix(placeOf(call)))
    .map(({ value }) => value as Parameter)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
