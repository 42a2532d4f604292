/** The network members of the metadata documents (`ecs-agent-protocol` §5.6). Pure. */
import { formatCidr, readAddress } from "../../lib/cidr.ts";
import type { ElasticNetworkInterface } from "../../protocol/acs.ts";
import { type ContainerRecord, definitionOf, type TaskRecord } from "../task-record.ts";
import type { MetadataVersion } from "./task-document.ts";

/** The networks of a container that has started. */
export function networksOf(
  { task }: TaskRecord,
  _container: ContainerRecord,
  version: MetadataVersion,
): object[] {
  if (task.networkMode === "awsvpc") {
    return (task.elasticNetworkInterfaces ?? []).map((eni, index) =>
      interfaceDocument(eni, index, version),
    );
  }
  // Docker tells no address of the host's own network, and none where there is none.
  return [{ NetworkMode: task.networkMode ?? "bridge", IPv4Addresses: [""] }];
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
  { name }: ContainerRecord,
  _version: MetadataVersion,
): object[] | undefined {
  if (record.task.networkMode !== "host") return undefined;
  const ports = (definitionOf(record, name)?.portMappings ?? []).flatMap(
    ({ containerPort, protocol }) =>
      containerPort === undefined
        ? []
        : [{ ContainerPort: containerPort, Protocol: protocol, HostPort: containerPort }],
  );
  return listOf(ports);
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
