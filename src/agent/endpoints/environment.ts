import type { BindMount } from "../../runtime/runtime.ts";
import type { AgentConfig } from "../agent-deps.ts";

/** Where every task finds its agent, and (on the port of the AWS door) the AWS endpoint. ECS: this address, port 80. */
const AGENT_ADDRESS = "169.254.170.2";
/** Where the certificates lie in a container whose AWS endpoint has a private authority. */
const CA_BUNDLE_TARGET = "/etc/gantry/ca-bundle.pem";

/** What a container learns from its environment about where to ask. */
export interface EndpointEnvironment {
  /** `NAME=value`. The image's and the definition's win over these … */
  readonly defaults: readonly string[];
  /** … and lose against these, as with the ECS agent. */
  readonly injected: readonly string[];
  /** The certificates that the variables name. */
  readonly mounts: readonly BindMount[];
}

/** The variables of one container (`ecs-agent-protocol` §5.4). Pure. */
export function endpointEnvironment(
  { region, awsEndpoint }: Pick<AgentConfig, "region" | "awsEndpoint">,
  container: {
    readonly endpointId: string;
    /** Of the task's role, if it has one. */
    readonly credentialsId: string | undefined;
    /** `NAME=value` of the image and the definition. */
    readonly given: readonly string[];
  },
): EndpointEnvironment {
  const { credentialsId, endpointId, given } = container;
  const hasOwnEndpoint = given.some((variable) => variable.startsWith("AWS_ENDPOINT_URL="));
  const endpoint = hasOwnEndpoint ? undefined : awsEndpoint;
  const caBundlePath = endpoint?.caBundlePath;
  return {
    defaults: [
      `AWS_REGION=${region}`,
      `AWS_DEFAULT_REGION=${region}`,
      ...(endpoint === undefined ? [] : [`AWS_ENDPOINT_URL=${endpoint.url}`]),
      // CLI and most SDKs; SDK for JavaScript.
      ...(caBundlePath === undefined
        ? []
        : [`AWS_CA_BUNDLE=${CA_BUNDLE_TARGET}`, `NODE_EXTRA_CA_CERTS=${CA_BUNDLE_TARGET}`]),
    ],
    injected: [
      ...(credentialsId === undefined
        ? []
        : [`AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/${credentialsId}`]),
      `ECS_CONTAINER_METADATA_URI=http://${AGENT_ADDRESS}/v3/${endpointId}`,
      `ECS_CONTAINER_METADATA_URI_V4=http://${AGENT_ADDRESS}/v4/${endpointId}`,
      `ECS_AGENT_URI=http://${AGENT_ADDRESS}/api/${endpointId}`,
    ],
    mounts:
      caBundlePath === undefined
        ? []
        : [{ source: caBundlePath, target: CA_BUNDLE_TARGET, readonly: true }],
  };
}
