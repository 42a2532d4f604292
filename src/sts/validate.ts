import { ApiError } from "../lib/errors.ts";

/** The rules of STS for single members, with its messages. All throw ValidationError. */

export function validationError(message: string): ApiError {
  return new ApiError("ValidationError", message, { status: 400 });
}

/** The form in which AWS reports that a member breaks a rule of its shape. */
export function constraintViolation(value: unknown, member: string, constraint: string): ApiError {
  const shown = String(value).slice(0, 200);
  return validationError(
    `1 validation error detected: Value '${shown}' at '${member}' failed to satisfy constraint: Member must ${constraint}`,
  );
}

/** What a text may be. Source: the API reference of STS. */
interface TextRule {
  readonly min: number;
  readonly max: number;
  readonly pattern?: { readonly test: RegExp; readonly shown: string };
}

const NAME_PATTERN = { test: /^[\w+=,.@-]*$/, shown: "[\\w+=,.@-]*" };

export type TextMember =
  | "roleArn"
  | "roleSessionName"
  | "sourceIdentity"
  | "externalId"
  | "policy"
  | "webIdentityToken"
  | "accessKeyId"
  | "encodedMessage";

const TEXT_RULES: Readonly<Record<TextMember, TextRule>> = {
  roleArn: { min: 20, max: 2048 },
  roleSessionName: { min: 2, max: 64, pattern: NAME_PATTERN },
  sourceIdentity: { min: 2, max: 64, pattern: NAME_PATTERN },
  externalId: {
    min: 2,
    max: 1224,
    pattern: { test: /^[\w+=,.@:/-]*$/, shown: "[\\w+=,.@:\\/-]*" },
  },
  policy: { min: 1, max: 2048 },
  webIdentityToken: { min: 4, max: 20_000 },
  accessKeyId: { min: 16, max: 128, pattern: { test: /^\w*$/, shown: "[\\w]*" } },
  encodedMessage: { min: 1, max: 10_240 },
};

/** Checks a text by the rule of its member. */
export function checkText(text: string | undefined, member: TextMember): string {
  const { min, max, pattern } = TEXT_RULES[member];
  const given = text ?? "";
  if (given.length < min) {
    throw constraintViolation(given, member, `have length greater than or equal to ${min}`);
  }
  if (given.length > max) {
    throw constraintViolation(given, member, `have length less than or equal to ${max}`);
  }
  if (pattern !== undefined && !pattern.test.test(given)) {
    throw constraintViolation(
      given,
      member,
      `satisfy regular expression pattern: ${pattern.shown}`,
    );
  }
  return given;
}

/** STS: no session is shorter. */
const SECONDS_MIN = 900;

/** Checks how long a session is to last. */
export function checkDuration(
  seconds: number | undefined,
  limits: { readonly initial: number; readonly max: number },
): number {
  const given = seconds ?? limits.initial;
  const member = "durationSeconds";
  if (!Number.isInteger(given) || given < SECONDS_MIN) {
    throw constraintViolation(given, member, `have value greater than or equal to ${SECONDS_MIN}`);
  }
  if (given > limits.max) {
    throw constraintViolation(given, member, `have value less than or equal to ${limits.max}`);
  }
  return given;
}
