/**
 * The ECS agent protocol on the ACS websocket: message shapes exactly as the published agent reads and writes them.
 * One JSON text frame per message: `{"type": …, "message": …}`. Source: aws/amazon-ecs-agent 1.105 (facts only).
 */

/** Paths of the two websockets below the endpoint that DiscoverPollEndpoint answers. The agent appends `/ws`. */
export const ACS_PATH = "/acs";
export const TCS_PATH = "/tcs";
/** Query member `agentHash` of Gantry's own agent, where AWS's has the commit that it was built from. */
export const GANTRY_AGENT_HASH = "gantry";

/** Server → agent. */
export type ServerMessage =
  | { readonly type: "HeartbeatMessage"; readonly message: { healthy: boolean; messageId: string } }
  | { readonly type: "PayloadMessage"; readonly message: PayloadMessage }
  | { readonly type: "IAMRoleCredentialsMessage"; readonly message: IamRoleCredentialsMessage }
  | { readonly type: "TaskManifestMessage"; readonly message: TaskManifestMessage }
  | { readonly type: "TaskStopVerificationAck"; readonly message: TaskStopVerificationAck };

/** Agent → server. */
export type AgentMessage =
  | { readonly type: "HeartbeatAckRequest"; readonly message: { messageId: string } }
  | { readonly type: "AckRequest"; readonly message: AckRequest }
  | { readonly type: "NackRequest"; readonly message: AckRequest & { reason: string } }
  | {
      readonly type: "IAMRoleCredentialsAckRequest";
      readonly message: { messageId: string; credentialsId: string; expiration: string };
    }
  | {
      readonly type: "TaskStopVerificationMessage";
      readonly message: { messageId: string; stopCandidates: readonly ManifestTask[] };
    };

export interface AckRequest {
  readonly cluster: string;
  readonly containerInstance: string;
  readonly messageId: string;
}

export interface PayloadMessage {
  readonly clusterArn: string;
  readonly containerInstanceArn: string;
  readonly messageId: string;
  /** Of 32 bits: the published agent's newer versions read no more. */
  readonly seqNum: number;
  readonly generatedAt: number;
  readonly tasks: readonly PayloadTask[];
}

export interface IamRoleCredentialsMessage {
  readonly messageId: string;
  readonly taskArn: string;
  readonly taskClusterArn: string;
  readonly roleType: "TaskApplication" | "TaskExecution";
  readonly roleCredentials: RoleCredentials;
}

export interface ManifestTask {
  readonly taskArn: string;
  readonly taskClusterArn: string;
  readonly desiredStatus: "RUNNING" | "STOPPED";
}

export interface TaskManifestMessage {
  readonly messageId: string;
  readonly clusterArn: string;
  readonly containerInstanceArn: string;
  readonly generatedAt: number;
  /** Of 64 bits. The agent discards a manifest that is not above every `timeline` and `seqNum` that it has seen. */
  readonly timeline: number;
  readonly tasks: readonly ManifestTask[];
}

export interface TaskStopVerificationAck {
  readonly messageId: string;
  readonly generatedAt: number;
  readonly stopTasks: readonly ManifestTask[];
}

/** A task as the agent is told of it. For STOPPED only `arn` and `desiredStatus` matter. */
export interface PayloadTask {
  readonly arn: string;
  readonly taskClusterArn: string;
  readonly family: string;
  /** The revision, as text. */
  readonly version: string;
  readonly group?: string;
  readonly serviceName?: string;
  readonly desiredStatus: "RUNNING" | "STOPPED";
  /** Always `"{}"`: the server has merged them. */
  readonly overrides: string;
  /** vCPUs (0.25) of the whole task; absent: no task limit. */
  readonly cpu?: number;
  /** MiB of the whole task; absent: no task limit. */
  readonly memory?: number;
  readonly networkMode?: "awsvpc" | "bridge" | "host" | "none";
  readonly pidMode?: string;
  readonly ipcMode?: string;
  readonly launchType?: string;
  readonly containers: readonly PayloadContainer[];
  readonly volumes: readonly PayloadVolume[];
  readonly roleCredentials?: RoleCredentials;
  readonly executionRoleCredentials?: RoleCredentials;
  readonly elasticNetworkInterfaces?: readonly ElasticNetworkInterface[];
  /** One for each GPU, named by its id. */
  readonly associations?: readonly {
    readonly name: string;
    readonly type: "gpu";
    readonly containers: readonly string[];
    readonly content: { readonly encoding: "identity"; readonly value: string };
  }[];
  /** Volumes of S3 Files. The agent refuses properties without a value. */
  readonly attachments?: readonly {
    readonly attachmentType: "s3files";
    readonly attachmentProperties: readonly { readonly name: string; readonly value: string }[];
  }[];
  readonly enableFaultInjection?: boolean;
  /** App Mesh: the container that the traffic of the others is led through. */
  readonly proxyConfiguration?: {
    readonly type: string;
    readonly containerName: string;
    readonly properties: Readonly<Record<string, string>>;
  };
  /**
   * What the task may write in all. An addition of ours: the published protocol has no member for it, and agents that do
   * not know it ignore it.
   */
  readonly ephemeralStorage?: { readonly sizeInGiB: number };
}

export interface RoleCredentials {
  readonly credentialsId: string;
  readonly roleArn: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** RFC 3339, UTC. */
  readonly expiration: string;
}

export interface PayloadContainer {
  readonly name: string;
  readonly image: string;
  readonly essential: boolean;
  readonly containerArn?: string;
  /** CPU shares; 0 and 1 mean 2. */
  readonly cpu: number;
  /** MiB hard limit; 0: none. */
  readonly memory: number;
  readonly command?: readonly string[];
  /** Absent is not the same as empty. */
  readonly entryPoint?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Only `{"command": […]}` is legal inside; the server sends `"{}"`. */
  readonly overrides: string;
  readonly portMappings: readonly PayloadPortMapping[];
  readonly mountPoints?: readonly PayloadMountPoint[];
  readonly volumesFrom?: readonly { sourceContainer: string; readOnly: boolean }[];
  readonly links?: readonly string[];
  readonly dependsOn?: readonly {
    containerName: string;
    condition: "START" | "COMPLETE" | "SUCCESS" | "HEALTHY";
  }[];
  /** Seconds. */
  readonly startTimeout?: number;
  /** Seconds from the stop signal to SIGKILL; absent: 30. */
  readonly stopTimeout?: number;
  readonly healthCheckType?: "docker";
  readonly dockerConfig: DockerConfigStrings;
  /** `ExecutionRole`: the log driver signs with the execution role's credentials. */
  readonly logsAuthStrategy?: "ExecutionRole";
  readonly secrets?: readonly PayloadSecret[];
  readonly registryAuthentication?: RegistryAuthentication;
  readonly environmentFiles?: readonly unknown[];
  readonly firelensConfiguration?: unknown;
  readonly credentialSpecs?: readonly string[];
  readonly restartPolicy?: RestartPolicy;
}

export interface RestartPolicy {
  readonly enabled?: boolean | undefined;
  readonly ignoredExitCodes?: readonly number[] | undefined;
  /** Seconds that a container must have run to be started again. */
  readonly restartAttemptPeriod?: number | undefined;
}

/** Where the login for a container's image comes from: a secret, or ECR. */
export type RegistryAuthentication =
  | {
      readonly type: "asm";
      readonly asmAuthData: {
        /** ARN or name of a secret with JSON {username, password}. */
        readonly credentialsParameter: string;
        readonly region: string;
      };
    }
  | {
      readonly type: "ecr";
      readonly ecrAuthData: {
        readonly registryId: string;
        readonly region: string;
        readonly endpointOverride?: string;
        /** Asks with the execution role instead of the instance's own. */
        readonly useExecutionRole?: boolean;
      };
    };

/** A value that the agent fetches in the execution role before the container starts. */
export interface PayloadSecret {
  /** Of the variable, or of the log driver's option. */
  readonly name: string;
  /** As the task definition has it. */
  readonly valueFrom: string;
  readonly region: string;
  readonly provider: "ssm" | "asm";
  readonly type: "ENVIRONMENT_VARIABLE" | "BOOTSTRAP";
  readonly target: "CONTAINER" | "LOG_DRIVER";
}

export interface PayloadPortMapping {
  readonly containerPort?: number;
  readonly containerPortRange?: string;
  readonly hostPort?: number;
  readonly protocol: "tcp" | "udp";
}

export interface PayloadMountPoint {
  readonly sourceVolume: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
}

export interface PayloadVolume {
  readonly name: string;
  /** Absent: there is an attachment for it. */
  readonly type?: string;
  readonly host?: { readonly sourcePath: string };
  readonly dockerVolumeConfiguration?: {
    readonly scope?: string | undefined;
    readonly autoprovision?: boolean | undefined;
    readonly driver?: string | undefined;
    readonly driverOpts?: Readonly<Record<string, string>> | undefined;
    readonly labels?: Readonly<Record<string, string>> | undefined;
  };
  readonly efsVolumeConfiguration?: unknown;
}

/** `config` and `hostConfig` are JSON texts of the types in `docker-config.ts`. */
export interface DockerConfigStrings {
  readonly version?: string;
  readonly config: string;
  readonly hostConfig: string;
}

/** The awsvpc interface of a task. */
export interface ElasticNetworkInterface {
  readonly attachmentArn: string;
  /** `eni-…`. */
  readonly ec2Id: string;
  readonly macAddress: string;
  readonly ipv4Addresses: readonly { privateAddress: string; primary: boolean }[];
  readonly ipv6Addresses: readonly { address: string; primary: boolean }[];
  /** With the subnet's prefix length: `172.31.0.1/20`. */
  readonly subnetGatewayIpv4Address: string;
  readonly domainName: readonly string[];
  readonly domainNameServers: readonly string[];
  readonly privateDnsName: string;
}
