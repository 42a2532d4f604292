import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BridgeAttachment, Dataplane, PortMap } from "../../dataplane/dataplane.ts";
import { silentLog } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import { VirtualClock } from "../../lib/virtual-clock.ts";
import type { PayloadContainer, PayloadTask } from "../../protocol/acs.ts";
import type { DockerConfig, DockerHostConfig } from "../../protocol/docker-config.ts";
import { createFakeRuntime, type FakeRuntime, type FakeScript } from "../../runtime/fake.ts";
import { type Agent, type AgentDeps, createAgent } from "../agent.ts";
import type { AgentConfig } from "../agent-deps.ts";
import { machineDisk } from "../disk.ts";
import { EndpointHub } from "../endpoints/hub.ts";
import { CLUSTER_ARN, FakeServer } from "./fake-server.fixture.ts";
import { passUntil } from "./time.fixture.ts";

export const TEST_CONFIG: AgentConfig = {
  cluster: "default",
  region: "eu-west-1",
  availabilityZone: "eu-west-1a",
  accountId: "123456789012",
  ec2InstanceId: "i-0123456789abcdef0",
  instanceType: "test.large",
  privateIp: "10.0.0.1",
  architecture: "x64",
  cpuUnits: 2048,
  memoryMiB: 4096,
  reservedPorts: [22],
  runtime: "runc",
  label: "ec2",
  version: "0.1.0",
  imagePullBehavior: "default",
};

/** Always the middle: jitter then adds nothing. */
export const evenRandom: Random = {
  next: () => 0.5,
  hex: (bytes) => "0".repeat(bytes * 2),
  uuid: () => "00000000-0000-4000-8000-000000000000",
  bytes: (bytes) => new Uint8Array(bytes),
};

/** A dataplane that only remembers who is attached. */
export interface FakeDataplane extends Dataplane {
  readonly attached: ReadonlySet<string>;
  /** By container id. Host ports are counted up from 32768. */
  readonly bridged: ReadonlyMap<string, BridgeAttachment>;
}

export function createFakeDataplane(): FakeDataplane {
  const attached = new Set<string>();
  const attach = async (taskId: string): Promise<string> => {
    attached.add(taskId);
    return `/run/netns/${taskId}`;
  };
  const bridged = new Map<string, BridgeAttachment>();
  let nextPort = 32_768;
  const bind = ({ containerPorts, hostPort, protocol }: PortMap) => {
    const first = hostPort ?? nextPort;
    const last = first + containerPorts.last - containerPorts.first;
    nextPort = Math.max(nextPort, last + 1);
    return { protocol, containerPorts, hostPorts: { first, last } };
  };
  return {
    attached,
    bridged,
    attachBridge: async (containerId, ports) => {
      const attachment = bridged.get(containerId) ?? {
        path: `/run/netns/${containerId}`,
        address: `192.168.240.${bridged.size + 4}`,
        bindings: ports.map(bind),
      };
      bridged.set(containerId, attachment);
      return attachment;
    },
    detachBridge: async (containerId) => {
      bridged.delete(containerId);
    },
    apply: async () => undefined,
    attach,
    isolate: attach,
    namespacePath: (taskId) => `/run/netns/${taskId}`,
    begin: async (taskId) => {
      attached.add(taskId);
    },
    detach: async (taskId) => {
      attached.delete(taskId);
    },
    namespaces: async () => ({ taskIds: [...attached], containerIds: [...bridged.keys()] }),
  };
}

/** One agent's run; `stop` is also how a test crashes it: nothing is tidied up. */
export interface AgentHandle {
  readonly agent: Agent;
  stop(): Promise<void>;
  /** Settles when the run has ended. */
  readonly ended: Promise<void>;
}

/** A machine with a fake engine and network, a server, and a directory for an agent. */
export class Rig implements AsyncDisposable {
  readonly clock: VirtualClock = new VirtualClock(Date.UTC(2026, 0, 1));
  readonly server: FakeServer = new FakeServer(this.clock);
  readonly dataplane: FakeDataplane = createFakeDataplane();
  readonly endpoints: EndpointHub = new EndpointHub();
  readonly runtime: FakeRuntime;
  readonly directory: string;
  #running: AgentHandle[] = [];

  private constructor(directory: string, scripts: Readonly<Record<string, FakeScript>>) {
    this.directory = directory;
    this.runtime = createFakeRuntime(this.clock, scripts);
  }

  static async create(scripts: Readonly<Record<string, FakeScript>> = {}): Promise<Rig> {
    const directory = await mkdtemp(join(tmpdir(), "gantry-agent-"));
    return new Rig(directory, { app: {}, ...scripts });
  }

  /** Starts an agent on the machine, without waiting for its connection. */
  start(overrides: Partial<AgentDeps> = {}): AgentHandle {
    const agent = createAgent({
      runtime: this.runtime,
      dataplane: this.dataplane,
      api: this.server.api,
      dial: this.server.dial,
      disk: machineDisk,
      endpoints: this.endpoints,
      credentials: () => ({ accessKeyId: "NODE", secretAccessKey: "secret" }),
      vpcId: () => "vpc-1",
      config: TEST_CONFIG,
      directory: this.directory,
      volumesDirectory: join(this.directory, "volumes"),
      clock: this.clock,
      random: evenRandom,
      log: silentLog,
      ...overrides,
    });
    const over = new AbortController();
    const ended = agent.run(over.signal);
    ended.catch(() => undefined);
    const stop = async (): Promise<void> => {
      over.abort();
      await ended;
    };
    const handle = { agent, stop, ended };
    this.#running.push(handle);
    return handle;
  }

  /** Starts an agent and waits for its connection. */
  async connect(overrides: Partial<AgentDeps> = {}): Promise<AgentHandle> {
    const before = this.server.dialled.length;
    const handle = this.start(overrides);
    await passUntil(this.clock, () => this.server.dialled.length > before && !!this.server.socket);
    return handle;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map(({ stop }) => stop().catch(() => undefined)));
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** A task on the host's network whose one essential container `web` runs image `app`. */
export function payloadTask(id: string, overrides: Partial<PayloadTask> = {}): PayloadTask {
  return {
    arn: `arn:aws:ecs:eu-west-1:123456789012:task/default/${id}`,
    taskClusterArn: CLUSTER_ARN,
    family: "hello",
    version: "1",
    desiredStatus: "RUNNING",
    overrides: "{}",
    networkMode: "host",
    containers: [payloadContainer("web")],
    volumes: [],
    ...overrides,
  };
}

/** An awsvpc task's members. */
export const AWSVPC: Partial<PayloadTask> = {
  networkMode: "awsvpc",
  elasticNetworkInterfaces: [
    {
      attachmentArn: "arn:aws:ecs:eu-west-1:123456789012:attachment/default/a",
      ec2Id: "eni-1",
      macAddress: "02:00:00:00:00:06",
      ipv4Addresses: [{ privateAddress: "10.9.0.6", primary: true }],
      ipv6Addresses: [],
      subnetGatewayIpv4Address: "10.9.0.1/24",
      domainName: ["lab.internal"],
      domainNameServers: ["10.9.0.2"],
      privateDnsName: "ip-10-9-0-6.lab.internal",
    },
  ],
};

/** An essential container that runs image `app` without logs. */
export function payloadContainer(
  name: string,
  overrides: Partial<PayloadContainer> & {
    readonly config?: DockerConfig;
    readonly hostConfig?: DockerHostConfig;
  } = {},
): PayloadContainer {
  const { config = {}, hostConfig = {}, ...rest } = overrides;
  return {
    name,
    image: "app",
    essential: true,
    cpu: 0,
    memory: 0,
    environment: {},
    overrides: "{}",
    portMappings: [],
    dockerConfig: {
      version: "1.21",
      config: JSON.stringify(config),
      hostConfig: JSON.stringify(hostConfig),
    },
    ...rest,
  };
}

/** A health check's members, in seconds. */
export function checked(
  check: { interval?: number; timeout?: number; startPeriod?: number; retries?: number } = {},
): { readonly healthCheckType: "docker"; readonly config: DockerConfig } {
  const ns = (seconds: number | undefined): number => (seconds ?? 0) * 1e9;
  return {
    healthCheckType: "docker",
    config: {
      Healthcheck: {
        Test: ["CMD-SHELL", "check me"],
        Interval: ns(check.interval),
        Timeout: ns(check.timeout),
        StartPeriod: ns(check.startPeriod),
        Retries: check.retries ?? 0,
      },
    },
  };
}

/** A log configuration that ships to stream `/demo/<stream>`. */
export function awslogs(stream: string, more: Record<string, string> = {}): DockerHostConfig {
  return {
    LogConfig: {
      Type: "awslogs",
      Config: { "awslogs-group": "/demo", "awslogs-stream": stream, ...more },
    },
  };
}
