import type { ClusterConfiguration, ClusterSetting as GivenSetting } from "@aws-sdk/client-ecs";
import type { ClusterSetting } from "./cluster.ts";

/** The one setting a cluster has, and its values (`ecs-behaviour` §8.1). */
export const CONTAINER_INSIGHTS = "containerInsights";
const CONTAINER_INSIGHTS_VALUES: readonly string[] = ["enabled", "disabled", "enhanced"];

/** What is wrong with settings that a caller gave, as the message of an InvalidParameterException. */
export function findClusterSettingsViolation(
  settings: readonly GivenSetting[] = [],
): string | undefined {
  const names = settings.map(({ name }) => name);
  if (new Set(names).size < names.length) return "A cluster setting is given more than once.";
  for (const { name = "", value = "" } of settings) {
    if (name !== CONTAINER_INSIGHTS) {
      return `Cluster setting name should be one of [${CONTAINER_INSIGHTS}]`;
    }
    if (!CONTAINER_INSIGHTS_VALUES.includes(value)) {
      return `Invalid value '${value}' for cluster setting ${name}: it should be one of [${CONTAINER_INSIGHTS_VALUES.join(",")}]`;
    }
  }
  return undefined;
}

/** Settings as they are stored; where both lists have a name, `given` has its way. Expects settings that pass the rules. */
export function mergeClusterSettings(
  before: readonly ClusterSetting[],
  given: readonly GivenSetting[] = [],
): readonly ClusterSetting[] {
  const names = new Set<string | undefined>(given.map(({ name }) => name));
  return [
    ...before.filter(({ name }) => !names.has(name)),
    ...given.map(({ name = CONTAINER_INSIGHTS, value = "" }) => ({ name, value })),
  ];
}

/** What is wrong with how a cluster's ExecuteCommand sessions are to be logged, as the message of an InvalidParameterException. */
export function findClusterConfigurationViolation(
  configuration: ClusterConfiguration | undefined,
): string | undefined {
  const { logging, logConfiguration } = configuration?.executeCommandConfiguration ?? {};
  if (logging === "OVERRIDE" && !logConfiguration) {
    return "A logConfiguration must be given when logging is OVERRIDE.";
  }
  if (logging !== "OVERRIDE" && logConfiguration) {
    return "A logConfiguration can only be given when logging is OVERRIDE.";
  }
  return logConfiguration?.s3EncryptionEnabled && !logConfiguration.s3BucketName
    ? "An s3BucketName must be given when s3EncryptionEnabled is true."
    : undefined;
}
