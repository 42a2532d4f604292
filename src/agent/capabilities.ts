/** Name-only for most capabilities. */
export interface Attribute {
  readonly name: string;
  readonly value?: string;
}

/** Docker API versions whose container settings this agent applies or refuses by name; the ECS agent names the same. */
const DOCKER_API_VERSIONS = [
  "1.17",
  "1.18",
  "1.19",
  "1.20",
  "1.21",
  "1.22",
  "1.23",
  "1.24",
  "1.25",
  "1.28",
  "1.29",
  "1.30",
  "1.32",
];

/**
 * The attributes an agent registers, by ECS's names. The scheduler places by them: whatever is listed here works, and what
 * is not listed is never sent, so a line is added in the change that makes it true.
 */
export function capabilities(architecture: NodeJS.Architecture): readonly Attribute[] {
  return [
    { name: "ecs.os-type", value: "linux" },
    { name: "ecs.os-family", value: "LINUX" },
    { name: "ecs.cpu-architecture", value: architecture === "arm64" ? "arm64" : "x86_64" },
    ...DOCKER_API_VERSIONS.map((version) => ({
      name: `com.amazonaws.ecs.capability.docker-remote-api.${version}`,
    })),
    ...[
      "com.amazonaws.ecs.capability.privileged-container",
      "com.amazonaws.ecs.capability.logging-driver.awslogs",
      "com.amazonaws.ecs.capability.logging-driver.json-file",
      "com.amazonaws.ecs.capability.logging-driver.none",
      "com.amazonaws.ecs.capability.task-iam-role",
      "com.amazonaws.ecs.capability.task-iam-role-network-host",
      "com.amazonaws.ecs.capability.ecr-auth",
      "ecs.capability.execution-role-ecr-pull",
      "ecs.capability.private-registry-authentication.secretsmanager",
      "ecs.capability.secrets.ssm.environment-variables",
      "ecs.capability.secrets.asm.environment-variables",
      "ecs.capability.execution-role-awslogs",
      "ecs.capability.task-eni",
      "ecs.capability.task-cpu-mem-limit",
      "ecs.capability.container-ordering",
      "ecs.capability.container-health-check",
      "ecs.capability.container-restart-policy",
      "ecs.capability.docker-plugin.local",
      "ecs.capability.pid-ipc-namespace-sharing",
      "ecs.capability.increased-task-cpu-limit",
      "ecs.capability.full-sync",
      "ecs.capability.network.container-port-range",
    ].map((name) => ({ name })),
  ];
}
