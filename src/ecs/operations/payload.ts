import type { ProxyConfiguration } from "@aws-sdk/client-ecs";
import { gatewayOf, internalDomain } from "../../ec2/model/addresses.ts";
import type { NetworkInterface, Subnet } from "../../ec2/model.ts";
import { formatAddress, parseCidr } from "../../lib/cidr.ts";
import type { ElasticNetworkInterface, PayloadTask, RoleCredentials } from "../../protocol/acs.ts";
import { attachmentArn, clusterArn, taskArn } from "../model/arn.ts";
import { defined } from "../model/defined.ts";
import type { Task } from "../model/task.ts";
import type { TaskDefinition } from "../model/task-definition.ts";
import { toPayloadContainer } from "./payload-container.ts";
import { attachmentsOf, toPayloadVolume } from "./payload-volumes.ts";

/** All that a payload is made of. */
export interface PayloadSource {
  readonly task: Task;
  readonly definition: TaskDefinition;
  /** The account's `defaultLogDriverMode`. */
  readonly logDriverMode?: string;
  /**
   * The AWS endpoint as an agent reaches it that is not Gantry's own: what it starts would ask AWS's. Gantry's agent tells its
   * tasks of the endpoint itself.
   */
  readonly door?: string;
  /** awsvpc only. */
  readonly network?: {
    readonly interface: NetworkInterface;
    readonly subnet: Subnet;
  };
  readonly roleCredentials?: RoleCredentials;
  readonly executionRoleCredentials?: RoleCredentials;
}

const SERVICE_GROUP = "service:";

/** A task as its agent is told of it (`ecs-agent-protocol` §2.6). Pure: the same source gives the same payload. */
export function toPayloadTask(source: PayloadSource): PayloadTask {
  const { task, definition } = source;
  const { document } = definition;
  // A task without a size of its own shows the sum of its containers: that is not a limit.
  const hasCpuLimit = (task.overrides.cpu ?? document.cpu) !== undefined;
  const hasMemoryLimit = (task.overrides.memory ?? document.memory) !== undefined;
  return {
    arn: taskArn(task, task.clusterName, task.id),
    taskClusterArn: clusterArn(task, task.clusterName),
    family: task.family,
    version: String(task.revision),
    group: task.group,
    desiredStatus: task.desiredStatus,
    overrides: "{}",
    networkMode: task.networkMode,
    launchType: task.launchType,
    containers: task.containers.map((record) =>
      toPayloadContainer(task, definition, record, source),
    ),
    volumes: (document.volumes ?? []).map(toPayloadVolume),
    ...defined({
      serviceName: task.group.startsWith(SERVICE_GROUP)
        ? task.group.slice(SERVICE_GROUP.length)
        : undefined,
      cpu: hasCpuLimit && task.cpu !== undefined ? Number(task.cpu) / 1024 : undefined,
      memory: hasMemoryLimit && task.memory !== undefined ? Number(task.memory) : undefined,
      ephemeralStorage:
        task.ephemeralStorageGiB === undefined
          ? undefined
          : { sizeInGiB: task.ephemeralStorageGiB },
      pidMode: document.pidMode,
      ipcMode: document.ipcMode,
      roleCredentials: source.roleCredentials,
      executionRoleCredentials: source.executionRoleCredentials,
      associations: associationsOf(task),
      attachments: attachmentsOf(document.volumes ?? []),
      enableFaultInjection: document.enableFaultInjection || undefined,
      proxyConfiguration:
        document.proxyConfiguration && toPayloadProxy(document.proxyConfiguration),
      elasticNetworkInterfaces: source.network && [toElasticNetworkInterface(task, source.network)],
    }),
  };
}

function associationsOf({ containers }: Task): PayloadTask["associations"] {
  const associations = containers.flatMap(({ name, gpuIds = [] }) =>
    gpuIds.map((id) => ({
      name: id,
      type: "gpu" as const,
      containers: [name],
      content: { encoding: "identity" as const, value: "" },
    })),
  );
  return associations.length > 0 ? associations : undefined;
}

function toPayloadProxy({
  containerName,
  properties = [],
  type = "APPMESH",
}: ProxyConfiguration): NonNullable<PayloadTask["proxyConfiguration"]> {
  const pairs = properties.map(({ name, value }) => [name ?? "", value ?? ""]);
  return { type, containerName: containerName ?? "", properties: Object.fromEntries(pairs) };
}

/** All that an agent needs to end a task, be it that it knows the task or not (`ecs-agent-protocol` §0.11). */
export function toStopPayload(
  task: Pick<Task, "accountId" | "region" | "clusterName" | "id" | "family" | "revision">,
): PayloadTask {
  return {
    arn: taskArn(task, task.clusterName, task.id),
    taskClusterArn: clusterArn(task, task.clusterName),
    family: task.family,
    version: String(task.revision),
    desiredStatus: "STOPPED",
    overrides: "{}",
    containers: [],
    volumes: [],
  };
}

function toElasticNetworkInterface(
  task: Task,
  network: NonNullable<PayloadSource["network"]>,
): ElasticNetworkInterface {
  const record = network.interface;
  const subnet = parseCidr(network.subnet.cidr);
  return {
    attachmentArn: attachmentArn(task, task.clusterName, task.attachment?.id ?? ""),
    ec2Id: record.interfaceId,
    macAddress: record.macAddress,
    ipv4Addresses: [{ privateAddress: record.privateIpv4Address, primary: true }],
    ipv6Addresses: [],
    subnetGatewayIpv4Address: `${formatAddress(gatewayOf(subnet))}/${subnet.prefixLength}`,
    domainName: [internalDomain(task.region)],
    // Nobody answers at the VPC's third address: agents give a task the servers of its machine where there are none here.
    domainNameServers: [],
    privateDnsName: record.privateDnsName,
  };
}
