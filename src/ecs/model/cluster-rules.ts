import type { ClusterConfiguration, ClusterSetting as GivenSetting } from "@aws-sdk/client-ecs";
import type { ClusterSetting } from "./cluster.ts";

/** The one setting a cluster has, and its values (`ecs-behaviour` §8.1). */
export const CONTAINER_INSIGHTS = "containerInsights";
const CONTAINER_INSIGHTS_VALUES: readonly string[] = ["enabled", "disabled", "enhanced"];

/** Chosen: characters of a configuration as JSON, far above names of buckets, groups and keys. */
const CONFIGURATION_LENGTH_MAX = 8192;

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

/** What is wrong with a cluster's configuration, mostly how its ExecuteCommand sessions are to be logged, as the message of an InvalidParameterException. */
export function findClusterConfigurationViolation(
  configuration: ClusterConfiguration | undefined,
): string | undefined {
  if (JSON.stringify(configuration ?? {}).length > CONFIGURATION_LENGTH_MAX) {
    return `A cluster's configuration can have up to ${CONFIGURATION_LENGTH_MAX} characters.`;
  }
  const { logging, logConfiguration } = configuration?.executeCommandConfiguration ?? {};
  const { cloudWatchLogGroupName, s3BucketName, s3EncryptionEnabled } = logConfiguration ?? {};
  if (logging === "OVERRIDE" && !cloudWatchLogGroupName && !s3BucketName) {
    return "A CloudWatch log group name or S3 bucket name must be specified when overriding the default log configuration.";
  }
  if (logging !== "OVERRIDE" && logConfiguration) {
    return "You must set logging to 'OVERRIDE' when you supply a log configuration.";
  }
  return s3EncryptionEnabled && !s3BucketName
    ? "An s3BucketName must be given when s3EncryptionEnabled is true."
    : undefined;
}
