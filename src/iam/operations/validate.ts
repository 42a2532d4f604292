import { SHOWN_VALUE_LENGTH_MAX } from "../../door/limits.ts";
import type { ApiError } from "../../lib/errors.ts";
import { POLICY_DOCUMENT_LENGTH_MAX } from "../limits.ts";
import { invalidInput, validationError } from "./errors.ts";

/** The rules of IAM for single members, with its messages. All throw ValidationError unless they say otherwise. */

const NAME = /^[\w+=,.@-]+$/;
const PATH = /^\/([!-~]*\/)?$/;
const PATH_PREFIX = /^\/[!-~]*$/;
const PATH_LENGTH_MAX = 512;
const ARN_LENGTH = { min: 20, max: 2048 };
const DESCRIPTION_LENGTH_MAX = 1000;
/** Line breaks, printable ASCII and Latin-1. */
const DESCRIPTION = /^[\t\n\r -~¡-ÿ]*$/;
const DESCRIPTION_PATTERN = "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*";

/** The form in which AWS reports that a member breaks a rule of its shape. */
export function constraintViolation(value: unknown, member: string, constraint: string): ApiError {
  const shown =
    value === undefined ? "null" : `'${String(value).slice(0, SHOWN_VALUE_LENGTH_MAX)}'`;
  return validationError(
    `1 validation error detected: Value ${shown} at '${member}' failed to satisfy constraint: ${constraint}`,
  );
}

export function checkLength(text: string, member: string, min: number, max: number): string {
  if (text.length < min) {
    const rule = `Member must have length greater than or equal to ${min}`;
    throw constraintViolation(text, member, rule);
  }
  if (text.length > max) {
    throw constraintViolation(text, member, `Member must have length less than or equal to ${max}`);
  }
  return text;
}

/** A name of up to 128 characters (64 for users and roles) of letters, digits and `+=,.@_-`. */
export function checkName(name: string | undefined, member: string, max = 128): string {
  if (name === undefined) throw constraintViolation(undefined, member, "Member must not be null");
  checkLength(name, member, 1, max);
  if (NAME.test(name)) return name;
  throw validationError(
    `The specified value for ${member} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-`,
  );
}

/** `/` when absent. */
export function checkPath(path = "/", member = "path"): string {
  checkLength(path, member, 1, PATH_LENGTH_MAX);
  if (PATH.test(path)) return path;
  throw validationError(
    `The specified value for ${member} is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.`,
  );
}

/** `/` when absent: everything. */
export function checkPathPrefix(prefix = "/"): string {
  checkLength(prefix, "pathPrefix", 1, PATH_LENGTH_MAX);
  if (PATH_PREFIX.test(prefix)) return prefix;
  throw validationError(
    "The specified value for pathPrefix is invalid. It must begin with / and contain only alphanumeric characters and/or / characters.",
  );
}

export function checkArn(arn: string | undefined, member: string): string {
  if (arn === undefined) throw constraintViolation(undefined, member, "Member must not be null");
  return checkLength(arn, member, ARN_LENGTH.min, ARN_LENGTH.max);
}

/** Empty when absent. */
export function checkDescription(description = ""): string {
  checkLength(description, "description", 0, DESCRIPTION_LENGTH_MAX);
  if (DESCRIPTION.test(description)) return description;
  const rule = `Member must satisfy regular expression pattern: ${DESCRIPTION_PATTERN}`;
  throw constraintViolation(description, "description", rule);
}

export function checkNumber(
  value: number | undefined,
  member: string,
  { min, max, byDefault }: { min: number; max: number; byDefault: number },
): number {
  if (value === undefined) return byDefault;
  if (!Number.isInteger(value) || value < min) {
    const rule = `Member must have value greater than or equal to ${min}`;
    throw constraintViolation(value, member, rule);
  }
  if (value <= max) return value;
  throw constraintViolation(value, member, `Member must have value less than or equal to ${max}`);
}

/** The outer bounds of a policy's text; what it says is `parsePolicy()`'s. */
export function checkDocumentLength(document: string | undefined, member: string): string {
  if (document === undefined) {
    throw constraintViolation(undefined, member, "Member must not be null");
  }
  return checkLength(document, member, 1, POLICY_DOCUMENT_LENGTH_MAX);
}

/** Throws InvalidInput unless exactly the text `arn:…` could be an ARN. */
export function checkArnForm(arn: string): string {
  if (/^arn:[a-z-]+:iam::/.test(arn)) return arn;
  throw invalidInput(`ARN ${arn} is not valid.`);
}
