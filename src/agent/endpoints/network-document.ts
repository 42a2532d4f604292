/** The network members of the metadata documents (`ecs-agent-protocol` §5.6). Pure. */
import { formatCidr, readAddress } from "../../lib/cidr.ts";
import type { ElasticNetworkInterface } from "../../protocol/acs.ts";
import type { NetworkBinding } from "../network-bindings.ts";
import {
  type ContainerRecord,
  definitionOf,
  networkModeOf,
  type TaskRecord,
} from "../task-record.ts";
import type { MetadataVersion } from "./task-document.ts";

/** The networks of a container that has started. */
export function networksOf(
  { task }: TaskRecord,
  { address, status }: ContainerRecord,
  version: MetadataVersion,
): object[] {
  const mode = networkModeOf(task);
  if (mode === "awsvpc") {
    return (task.elasticNetworkInterfaces ?? []).map((eni, index) =>
      interfaceDocument(eni, index, version),
    );
  }
  // Docker tells no address of the host's own network, and none of a container that has stopped.
  const shown = status === "RUNNING" ? (address ?? "") : "";
  return [{ NetworkMode: mode, IPv4Addresses: [shown] }];
}

function interfaceDocument(
  eni: ElasticNetworkInterface,
  index: number,
  version: MetadataVersion,
): object {
  const addresses = {
    NetworkMode: "awsvpc",
    IPv4Addresses: listOf(eni.ipv4Addresses?.map(({ privateAddress }) => privateAddress)),
    IPv6Addresses: listOf(eni.ipv6Addresses?.map(({ address }) => address)),
  };
  if (version !== 4) return addresses;
  return {
    ...addresses,
    AttachmentIndex: index,
    MACAddress: eni.macAddress,
    IPv4SubnetCIDRBlock: subnetOf(eni.subnetGatewayIpv4Address),
    DomainNameServers: listOf(eni.domainNameServers),
    DomainNameSearchList: listOf(eni.domainName),
    PrivateDNSName: eni.privateDnsName || undefined,
    SubnetGatewayIpv4Address: eni.subnetGatewayIpv4Address || undefined,
  };
}

/** The container's ports of the machine. In awsvpc a container's ports are the task's own: there is nothing to map. */
export function portsOf(
  record: TaskRecord,
  container: ContainerRecord,
  version: MetadataVersion,
): object[] | undefined {
  const mode = networkModeOf(record.task);
  if (mode === "host") return listOf(hostPorts(record, container));
  if (mode === "awsvpc") return undefined;
  const ports = (container.networkBindings ?? []).flatMap((binding) =>
    portPairs(binding).map(([containerPort, hostPort]) => ({
      ContainerPort: containerPort,
      Protocol: binding.protocol,
      HostPort: hostPort,
      ...(version === 4 && { HostIp: binding.bindIP }),
    })),
  );
  return listOf(ports);
}

function hostPorts(record: TaskRecord, { name }: ContainerRecord): object[] {
  return (definitionOf(record, name)?.portMappings ?? []).flatMap(({ containerPort, protocol }) =>
    containerPort === undefined
      ? []
      : [{ ContainerPort: containerPort, Protocol: protocol, HostPort: containerPort }],
  );
}

/** Each port of the container with its port of the machine. */
function portPairs(binding: NetworkBinding): readonly (readonly [number, number])[] {
  const { containerPort, containerPortRange, hostPort, hostPortRange } = binding;
  if (containerPort !== undefined) return [[containerPort, hostPort ?? 0]];
  const [first = 0, last = -1] = (containerPortRange ?? "").split("-").map(Number);
  const [hostFirst = 0] = (hostPortRange ?? "").split("-").map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => [first + index, hostFirst + index]);
}

/** `10.9.0.0/24` of the gateway's `10.9.0.1/24`. */
function subnetOf(gateway: string): string | undefined {
  const [text = "", length = ""] = gateway.split("/");
  const address = readAddress(text);
  const prefixLength = Number(length);
  if (address === undefined || !(prefixLength > 0 && prefixLength <= 32)) return undefined;
  const size = 2 ** (32 - prefixLength);
  return formatCidr({ base: Math.floor(address / size) * size, prefixLength });
}

function listOf<T>(list: readonly T[] | undefined): T[] | undefined {
  return list && list.length > 0 ? [...list] : undefined;
}
