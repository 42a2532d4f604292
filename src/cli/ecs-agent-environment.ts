import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { rootCertificates } from "node:tls";

export interface AgentEnvironment {
  /** Where the files go. */
  readonly directory: string;
  /** The server's door. */
  readonly endpoint: string;
  /** Its certificate authority, PEM; undefined: a public one, or plain HTTP. */
  readonly ca: string | undefined;
  readonly region: string;
  readonly cluster: string;
  /** On 127.0.0.1. */
  readonly metadataPort: number;
}

/** Where a containerised agent is to find the authority: mounted there from {@link AUTHORITY_FILE}. */
const MOUNTED_AUTHORITY = "/etc/ecs/gantry-ca.pem";
const AUTHORITY_FILE = "ecs-agent-ca.pem";
const ENVIRONMENT_FILE = "ecs-agent.env";

/**
 * The variables of an amazon-ecs-agent that works for this Gantry, one a line as `docker run --env-file` and ecs-init's
 * `/etc/ecs/ecs.config` take them. None is a secret: the agent finds its keys in the metadata.
 */
export function agentEnvironmentLines(options: AgentEnvironment): string {
  const { ca, cluster, endpoint, metadataPort, region } = options;
  const variables: Readonly<Record<string, string>> = {
    ECS_CLUSTER: cluster,
    ECS_BACKEND_HOST: endpoint,
    AWS_DEFAULT_REGION: region,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${metadataPort}`,
    // Secrets are looked up by the agent.
    AWS_ENDPOINT_URL_SSM: endpoint,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoint,
    // Its state is kept only where this is set.
    ECS_DATADIR: "/data",
    ECS_ENABLE_TASK_ENI: "true",
    ECS_AWSVPC_BLOCK_IMDS: "true",
    ECS_ENABLE_TASK_IAM_ROLE: "true",
    ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST: "true",
    // ecs-init's own choice.
    ECS_AVAILABLE_LOGGING_DRIVERS: '["json-file","syslog","awslogs","fluentd","none"]',
    ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE: "true",
    // There are no EBS volumes outside of EC2.
    ECS_EBSTA_SUPPORTED: "false",
    // The agent dies of AWS_CA_BUNDLE.
    ...(ca === undefined ? {} : { SSL_CERT_FILE: MOUNTED_AUTHORITY }),
  };
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return `${lines.join("\n")}\n`;
}

/** Writes the variables, and the authorities that the agent is to trust; returns the path of the former. */
export async function writeAgentEnvironment(options: AgentEnvironment): Promise<string> {
  const { ca, directory } = options;
  if (ca !== undefined) {
    // In place of the public authorities, which therefore stay in it.
    const bundle = [...rootCertificates, ca.trim(), ""].join("\n");
    await replace(join(directory, AUTHORITY_FILE), bundle);
  }
  const path = join(directory, ENVIRONMENT_FILE);
  await replace(path, agentEnvironmentLines(options));
  return path;
}

async function replace(path: string, content: string): Promise<void> {
  await writeFile(`${path}.new`, content, { mode: 0o644 });
  await rename(`${path}.new`, path);
}
