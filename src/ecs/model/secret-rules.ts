import type { ContainerDefinition, Secret } from "@aws-sdk/client-ecs";
import { about } from "./rule.ts";

/** What is wrong with the environment of containers (`ecs-behaviour` §2.5). */

/** ECS: files of one container. */
const ENVIRONMENT_FILES_MAX = 10;

/** Variables, secrets and files of one container. */
export const hasGoodEnvironment = (container: ContainerDefinition): string | undefined => {
  const { environment = [], secrets = [], environmentFiles: files = [] } = container;
  if (environment.some(({ name }) => !name)) {
    return about(container, "An environment variable needs a 'name'.");
  }
  const names = new Set(environment.map(({ name }) => name));
  for (const secret of secrets) {
    const violation = findSecretViolation(container, secret);
    if (violation !== undefined) return violation;
    if (names.has(secret.name)) {
      return `The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '${secret.name}'.`;
    }
    names.add(secret.name);
  }
  if (files.length > ENVIRONMENT_FILES_MAX) {
    return "The maximum number of environment files was exceeded. Specify ten or less and try again.";
  }
  return files.some(({ value }) => !/^arn:[^:]+:s3:::.+\.env$/.test(value ?? ""))
    ? about(container, "An environment file is the ARN of an S3 object that ends in .env.")
    : undefined;
};

/** A secret of a container, or of its log driver. */
export function findSecretViolation(
  container: ContainerDefinition,
  { name, valueFrom }: Secret,
): string | undefined {
  if (!name || !valueFrom) return about(container, "A secret needs 'name' and 'valueFrom'.");
  const [, , service = "", , , ...rest] = valueFrom.split(":");
  if (!valueFrom.startsWith("arn:")) return isParameterName(valueFrom) ? undefined : badName(name);
  if (service === "ssm") {
    const [, parameter = ""] = /^parameter(\/.+)$/.exec(rest.join(":")) ?? [];
    return isParameterName(parameter) ? undefined : badName(name);
  }
  if (service !== "secretsmanager" || rest[0] !== "secret" || !rest[1] || rest.length > 5) {
    return about(
      container,
      `The 'valueFrom' of secret '${name}' is the ARN of neither a parameter nor a secret.`,
    );
  }
  const [, , , versionStage, versionId] = rest;
  return versionStage && versionId
    ? about(container, `Secret '${name}' has both a version stage and a version id.`)
    : undefined;
}

function isParameterName(text: string): boolean {
  return /^[a-zA-Z0-9_.\-/]{1,2048}$/.test(text);
}

function badName(name: string): string {
  return `The Systems Manager parameter name specified for secret ${name} is invalid. The parameter name can be up to 2048 characters and include the following letters and symbols: a-zA-Z0-9_.-,`;
}
