/**
 * What amazon-ecs-agent asks Docker for when it makes a container of a task (`agent/api/task/task.go`, `agent/engine`): its own
 * settings first, the payload's JSON decoded over them, then what a network mode overrides.
 */
import { randomBytes } from "node:crypto";
import type { PayloadContainer, PayloadTask } from "../../src/protocol/acs.ts";

type Json = Record<string, unknown>;

export interface CreateRequest {
  readonly name: string;
  /** Docker's API version. */
  readonly version: string;
  readonly body: Json;
}

/** What the request names beside the task itself. */
export interface Made {
  /** Docker's names of the task's other containers. */
  readonly names: ReadonlyMap<string, string>;
  /** Docker's names of its volumes, those that are no directories. */
  readonly volumes: ReadonlyMap<string, string>;
  /** Of an awsvpc task, whose network the others are in. */
  readonly pauseId: string | undefined;
}

/** The oldest API that Docker 20.10 and later still speak, from which the agent raises what a payload asks for. */
const VERSION_MIN = "1.21";

/** A container of a task. */
export function createRequest(
  task: PayloadTask,
  container: PayloadContainer,
  made: Made,
): CreateRequest {
  const { dockerConfig } = container;
  const config = { ...ownConfig(task, container), ...JSON.parse(dockerConfig.config) };
  const hostConfig = {
    ...ownHostConfig(task, container, made),
    ...JSON.parse(dockerConfig.hostConfig),
  };
  if (made.pauseId !== undefined) hostConfig.NetworkMode = `container:${made.pauseId}`;
  if (task.pidMode === "host") hostConfig.PidMode = "host";
  if (container.logsAuthStrategy === "ExecutionRole") {
    const id = task.executionRoleCredentials?.credentialsId;
    if (id === undefined) throw new Error("HostConfigError: No execution credentials set");
    hostConfig.LogConfig.Config["awslogs-credentials-endpoint"] = `/v2/credentials/${id}`;
  }
  config.Labels = { ...config.Labels, ...labelsOf(task, container.name) };
  return {
    name: dockerName(task, container.name),
    version: dockerConfig.version ?? VERSION_MIN,
    body: { ...config, HostConfig: hostConfig },
  };
}

/** The container that holds an awsvpc task's network: named, known and served as the interface says. */
export function pauseRequest(task: PayloadTask, image: string): CreateRequest {
  const [eni] = task.elasticNetworkInterfaces ?? [];
  if (eni === undefined) throw new Error("an awsvpc task has no interface");
  return {
    name: dockerName(task, "internalecspause"),
    version: VERSION_MIN,
    body: {
      Image: image,
      Entrypoint: ["/bin/sleep", "86400"],
      Hostname: eni.privateDnsName,
      Labels: labelsOf(task, "~internal~ecs~pause"),
      HostConfig: {
        NetworkMode: "none",
        ExtraHosts: eni.ipv4Addresses.map(
          ({ privateAddress }) => `${eni.privateDnsName}:${privateAddress}`,
        ),
        Dns: eni.domainNameServers,
        DnsSearch: eni.domainName,
      },
    },
  };
}

function ownConfig(task: PayloadTask, container: PayloadContainer): Json {
  const environment = { ...container.environment };
  const { roleCredentials } = task;
  if (roleCredentials !== undefined) {
    environment.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = `/v2/credentials/${roleCredentials.credentialsId}`;
  }
  return {
    Image: container.image,
    Cmd: container.command ?? null,
    Entrypoint: container.entryPoint ?? null,
    ExposedPorts: Object.fromEntries(portsOf(container).map(({ port }) => [port, {}])),
    Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
  };
}

function ownHostConfig(task: PayloadTask, container: PayloadContainer, made: Made): Json {
  const nameOf = (name: string): string => {
    const found = made.names.get(name);
    if (found === undefined) throw new Error(`target not available: ${name}`);
    return found;
  };
  return {
    Memory: container.memory * 2 ** 20,
    // `dockerCPUShares`: Docker's least is 2.
    CpuShares: Math.max(container.cpu, 2),
    Links: (container.links ?? []).map((link) => {
      const [target = "", alias = target] = link.split(":");
      return `${nameOf(target)}:${alias}`;
    }),
    VolumesFrom: (container.volumesFrom ?? []).map(
      ({ readOnly, sourceContainer }) => `${nameOf(sourceContainer)}${readOnly ? ":ro" : ""}`,
    ),
    Binds: (container.mountPoints ?? []).map(({ containerPath, readOnly, sourceVolume }) => {
      const volume = task.volumes.find(({ name }) => name === sourceVolume);
      const source = volume?.host?.sourcePath || made.volumes.get(sourceVolume);
      if (!source) throw new Error(`Invalid volume referenced: ${sourceVolume}`);
      return `${source}:${containerPath}${readOnly ? ":ro" : ""}`;
    }),
    PortBindings: Object.fromEntries(
      portsOf(container).map(({ hostPort, port }) => [port, [{ HostPort: String(hostPort) }]]),
    ),
  };
}

/** As Docker writes them. Of a range each, which the agent gives a range of the machine's, and the player any. */
function portsOf({ portMappings }: PayloadContainer): { port: string; hostPort: number }[] {
  return portMappings.flatMap(({ containerPort, containerPortRange, hostPort = 0, protocol }) => {
    const [first = 0, last = first] = (containerPortRange ?? String(containerPort))
      .split("-")
      .map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => ({
      port: `${first + index}/${protocol}`,
      hostPort,
    }));
  });
}

/** `agent/engine/docker_task_engine.go`: letters, digits and hyphens of the container's name, and something drawn. */
export function dockerName({ family, version }: PayloadTask, name: string): string {
  const clean = name.replaceAll(/[^A-Za-z0-9-]+/g, "");
  return `ecs-${family}-${version}-${clean}-${randomBytes(10).toString("hex")}`;
}

function labelsOf(task: PayloadTask, name: string): Record<string, string> {
  return {
    "com.amazonaws.ecs.cluster": task.taskClusterArn.replace(/^.*\//, ""),
    "com.amazonaws.ecs.container-name": name,
    "com.amazonaws.ecs.task-arn": task.arn,
    "com.amazonaws.ecs.task-definition-family": task.family,
    "com.amazonaws.ecs.task-definition-version": task.version,
  };
}
