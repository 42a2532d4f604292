import type { MessageSocket } from "../lib/message-socket.ts";
import type { Credentials } from "../lib/sigv4.ts";
import type { ImagePullBehavior } from "./image-choice.ts";

export type { Credentials } from "../lib/sigv4.ts";

/** A client of one AWS JSON service. Throws ApiError with the service's code, or UnavailableError. */
export interface ApiClient {
  call(operation: string, input: unknown, signal?: AbortSignal): Promise<unknown>;
}

/** Where a client speaks to. */
export interface ApiTarget {
  readonly service: "ecs" | "logs" | "secretsmanager" | "ssm" | "ecr";
  readonly region: string;
  /** Absent: the node's own server. */
  readonly endpoint?: string;
}

/** Makes clients; `credentials` is asked at each call, so that a refreshed key is used at once. */
export type ApiFactory = (target: ApiTarget, credentials: () => Credentials) => ApiClient;

/** Opens a websocket. Rejects with the body of a refused handshake in the error's message. */
export type Dial = (
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<MessageSocket>;

/** Who and where this agent is. */
export interface AgentConfig {
  /** Name or ARN, passed on as it is. */
  readonly cluster: string;
  readonly region: string;
  readonly availabilityZone: string;
  readonly accountId: string;
  /** `i-…`: names the machine; two agents of one machine share it. */
  readonly ec2InstanceId: string;
  readonly instanceType: string;
  readonly privateIp: string;
  readonly architecture: NodeJS.Architecture;
  /** 1024 per core. */
  readonly cpuUnits: number;
  readonly memoryMiB: number;
  /** TCP ports of the machine that no task may have. */
  readonly reservedPorts: readonly number[];
  /** Who runs this agent's containers: see `ContainerSpec.runtime`. */
  readonly runtime: string;
  /** Tells this agent's containers from those of the machine's other agent, e.g. `ec2` or `fargate`. */
  readonly label: string;
  /**
   * Its instance goes out of service by a long silence only, since no user can deregister it: the agent then registers it again.
   * Absent: it rests, because somebody has meant that.
   */
  readonly comesBack?: boolean;
  readonly version: string;
  readonly imagePullBehavior: ImagePullBehavior;
  /** Between two publications of metrics, in milliseconds; absent: the protocol's 20 s. */
  readonly metricsIntervalMs?: number;
  /** Where tasks find the AWS endpoint unless they say otherwise; undefined: they get no address. */
  readonly awsEndpoint?:
    | {
        /** As a task reaches it, e.g. `http://169.254.170.2:4566`. */
        readonly url: string;
        /** A file with the certificates that tasks trust, where the endpoint's authority is a private one. */
        readonly caBundlePath?: string;
      }
    | undefined;
}
