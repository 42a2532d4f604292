import type { Scope } from "./keys.ts";

/** A setting as one principal has it. What nobody has set is at its default and not stored. */
export interface AccountSetting extends Scope {
  readonly name: string;
  readonly value: string;
  /** A user's or role's ARN; the root's stands for the whole account. */
  readonly principalArn: string;
}

interface SettingKind {
  readonly values: readonly string[];
  readonly initial: string;
  /** Set by AWS, shown to users. */
  readonly isManaged?: true;
}

const LONG_ARN: SettingKind = { values: ["enabled"], initial: "enabled" };
const OFF_OR_ON: SettingKind = { values: ["enabled", "disabled"], initial: "disabled" };

/** Every setting with its values (`ecs-behaviour` §8.1), in the order in which ECS lists their names. */
const SETTINGS: ReadonlyMap<string, SettingKind> = new Map<string, SettingKind>([
  ["serviceLongArnFormat", LONG_ARN],
  ["taskLongArnFormat", LONG_ARN],
  ["containerInstanceLongArnFormat", LONG_ARN],
  ["awsvpcTrunking", OFF_OR_ON],
  ["containerInsights", { values: ["enabled", "disabled", "enhanced"], initial: "disabled" }],
  ["dualStackIPv6", { values: ["enabled", "disabled"], initial: "enabled" }],
  ["fargateFIPSMode", OFF_OR_ON],
  ["tagResourceAuthorization", { values: ["on", "off"], initial: "on" }],
  ["fargateTaskRetirementWaitPeriod", { values: ["0", "7", "14"], initial: "7" }],
  ["guardDutyActivate", { values: ["on", "off"], initial: "off", isManaged: true }],
  ["defaultLogDriverMode", { values: ["non-blocking", "blocking"], initial: "non-blocking" }],
  ["fargateEventWindows", OFF_OR_ON],
]);

/** The names of all settings. */
export const SETTING_NAMES: readonly string[] = [...SETTINGS.keys()];

/** What a setting is where nobody has set it; undefined for what is none. */
export function initialSetting(name: string): string | undefined {
  return SETTINGS.get(name)?.initial;
}

/** `aws_managed` for what users can only read. */
export function settingType(name: string): "user" | "aws_managed" {
  return SETTINGS.get(name)?.isManaged ? "aws_managed" : "user";
}

/** What is wrong with a setting's name, as the message of an InvalidParameterException. */
export function findSettingNameViolation(name: string): string | undefined {
  return SETTINGS.has(name) ? undefined : `${name} should be one of [${SETTING_NAMES.join(",")}]`;
}

/** What is wrong with setting `name` to `value`, as the message of an InvalidParameterException. */
export function findSettingViolation(name: string, value: string): string | undefined {
  const kind = SETTINGS.get(name);
  if (!kind) return findSettingNameViolation(name);
  if (kind.isManaged) return `The setting ${name} is managed by AWS and cannot be changed.`;
  if (kind === LONG_ARN && value === "disabled") {
    return "You can no longer disable Long Arn settings";
  }
  return kind.values.includes(value) ? undefined : "Invalid setting 'value'";
}

/** The principal that stands for a whole account. */
export function rootArn(accountId: string): string {
  return `arn:aws:iam::${accountId}:root`;
}

/** Whose settings a caller has: a session has those of its role. */
export function settingsPrincipal(callerArn: string): string {
  return callerArn.replace(
    /^arn:aws:sts::(\d{12}):assumed-role\/([^/]+)\/.*$/,
    "arn:aws:iam::$1:role/$2",
  );
}

/** Whether an ARN is of something in this account that can have settings. */
export function isSettingsPrincipal(arn: string, accountId: string): boolean {
  const isIamName = /^arn:aws:iam::\d{12}:(root|(user|role)\/[\w+=,.@/-]{1,576})$/.test(arn);
  return isIamName && arn.split(":")[4] === accountId;
}
