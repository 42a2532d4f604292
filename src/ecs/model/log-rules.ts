import type { LogConfiguration, RegisterTaskDefinitionRequest } from "@aws-sdk/client-ecs";
import { about, type ContainerRule } from "./rule.ts";
import { findSecretViolation } from "./secret-rules.ts";

/** What is wrong with where containers log to (`ecs-behaviour` §2.5). */

const AWSLOGS_REQUIRED: readonly string[] = ["awslogs-region", "awslogs-group"];
const AWSLOGS_ALLOWED: readonly string[] = [
  ...AWSLOGS_REQUIRED,
  "awslogs-create-group",
  "awslogs-datetime-format",
  "awslogs-multiline-pattern",
  "awslogs-stream-prefix",
  "max-buffer-size",
  "mode",
];
/** ECS: of a FireLens output's buffer, in bytes. */
const BUFFER_LIMIT_MAX = 536_870_912;

/** One container's log driver and its options. */
export const hasGoodLog: ContainerRule = (container) => {
  const log = container.logConfiguration;
  if (!log) return undefined;
  const violation = findModeViolation(log) ?? findDriverViolation(log);
  if (violation !== undefined) return violation;
  for (const secret of log.secretOptions ?? []) {
    const secretViolation = findSecretViolation(container, secret);
    if (secretViolation !== undefined) return secretViolation;
  }
  return undefined;
};

function findModeViolation({ logDriver, options = {} }: LogConfiguration): string | undefined {
  const { mode, "max-buffer-size": bufferSize } = options;
  if (mode !== undefined && mode !== "blocking" && mode !== "non-blocking") {
    return `Log driver ${logDriver} has the option mode: it is blocking or non-blocking.`;
  }
  return bufferSize !== undefined && !/^\d+[bkmg]?$/i.test(bufferSize)
    ? `Log driver ${logDriver} has the option max-buffer-size: it is a number of bytes, as in 25m.`
    : undefined;
}

function findDriverViolation({ logDriver, options = {} }: LogConfiguration): string | undefined {
  if (logDriver === "awslogs") return findAwslogsViolation(options);
  const limit = options["log-driver-buffer-limit"];
  if (logDriver !== "awsfirelens" || limit === undefined) return undefined;
  return /^\d+$/.test(limit) && Number(limit) <= BUFFER_LIMIT_MAX
    ? undefined
    : `Log driver awsfirelens has the option log-driver-buffer-limit: it is a number from 0 to ${BUFFER_LIMIT_MAX}.`;
}

function findAwslogsViolation(options: Readonly<Record<string, string>>): string | undefined {
  const missing = AWSLOGS_REQUIRED.filter((name) => !options[name]);
  if (missing.length > 0) return `Log driver awslogs requires options: ${missing.join(", ")}`;
  const unknown = Object.keys(options).filter((name) => !AWSLOGS_ALLOWED.includes(name));
  if (unknown.length > 0) return `Log driver awslogs disallows options: ${unknown.join(", ")}`;
  return options["awslogs-datetime-format"] && options["awslogs-multiline-pattern"]
    ? "Log driver awslogs disallows options: awslogs-multiline-pattern, when awslogs-datetime-format is given"
    : undefined;
}

const FIRELENS_OPTIONS: ReadonlyMap<string, RegExp> = new Map([
  ["enable-ecs-log-metadata", /^(true|false)$/],
  ["config-file-type", /^(s3|file)$/],
  ["config-file-value", /./],
]);

/** One container's part in routing the logs of others. */
export const hasGoodFirelens: ContainerRule = (container) => {
  const options = container.firelensConfiguration?.options ?? {};
  const wrong = Object.keys(options).find(
    (name) => !FIRELENS_OPTIONS.get(name)?.test(options[name] ?? ""),
  );
  if (wrong !== undefined) {
    return about(container, `The option '${wrong}' of its firelensConfiguration is invalid.`);
  }
  const hasType = options["config-file-type"] !== undefined;
  return hasType === (options["config-file-value"] !== undefined)
    ? undefined
    : about(container, "config-file-type and config-file-value go together.");
};

/** A task has one log router at most, and whoever logs through one needs it. */
export function findRouterViolation({
  containerDefinitions = [],
}: RegisterTaskDefinitionRequest): string | undefined {
  const routers = containerDefinitions.filter(({ firelensConfiguration }) => firelensConfiguration);
  if (routers.length > 1) return "Only one container of a task can have a firelensConfiguration.";
  const isRouted = containerDefinitions.some(
    ({ logConfiguration }) => logConfiguration?.logDriver === "awsfirelens",
  );
  return isRouted && routers.length === 0
    ? "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be specified."
    : undefined;
}
