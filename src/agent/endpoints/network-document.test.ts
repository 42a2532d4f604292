import assert from "node:assert/strict";
import { test } from "node:test";
import type { PayloadTask } from "../../protocol/acs.ts";
import { type ContainerRecord, newRecord, type TaskRecord } from "../task-record.ts";
import { AWSVPC, payloadContainer, payloadTask } from "../testing/rig.fixture.ts";
import { networksOf, portsOf } from "./network-document.ts";

function runningWeb(
  task: Partial<PayloadTask>,
  known: Partial<ContainerRecord> = {},
): { readonly record: TaskRecord; readonly web: ContainerRecord } {
  const record = newRecord(payloadTask("a1", task));
  return { record, web: { name: "web", status: "RUNNING", ...known } };
}

test("a container of the bridge network has an address while it runs", () => {
  const { record, web } = runningWeb({ networkMode: "bridge" }, { address: "192.168.240.4" });
  assert.deepEqual(networksOf(record, web, 4), [
    { NetworkMode: "bridge", IPv4Addresses: ["192.168.240.4"] },
  ]);
  assert.deepEqual(networksOf(record, { ...web, status: "STOPPED" }, 4), [
    { NetworkMode: "bridge", IPv4Addresses: [""] },
  ]);
});

test("ports of the bridge network are those of the machine; version 4 says at which address", () => {
  const { record, web } = runningWeb(
    { networkMode: "bridge" },
    {
      networkBindings: [
        { bindIP: "0.0.0.0", protocol: "tcp", containerPort: 80, hostPort: 32_768 },
        {
          bindIP: "0.0.0.0",
          protocol: "udp",
          containerPortRange: "5000-5001",
          hostPortRange: "32770-32771",
        },
      ],
    },
  );
  assert.deepEqual(portsOf(record, web, 3), [
    { ContainerPort: 80, Protocol: "tcp", HostPort: 32_768 },
    { ContainerPort: 5000, Protocol: "udp", HostPort: 32_770 },
    { ContainerPort: 5001, Protocol: "udp", HostPort: 32_771 },
  ]);
  assert.deepEqual(portsOf(record, web, 4)?.[0], {
    ContainerPort: 80,
    Protocol: "tcp",
    HostPort: 32_768,
    HostIp: "0.0.0.0",
  });
});

test("in host mode a container's ports are the machine's; in awsvpc there is nothing to map", () => {
  const portMappings = [{ containerPort: 80, protocol: "tcp" as const }];
  const containers = [payloadContainer("web", { portMappings })];
  const host = runningWeb({ containers });
  assert.deepEqual(portsOf(host.record, host.web, 4), [
    { ContainerPort: 80, Protocol: "tcp", HostPort: 80 },
  ]);
  assert.deepEqual(networksOf(host.record, host.web, 4), [
    { NetworkMode: "host", IPv4Addresses: [""] },
  ]);
  const awsvpc = runningWeb({ ...AWSVPC, containers });
  assert.equal(portsOf(awsvpc.record, awsvpc.web, 4), undefined);
});

test("a subnet is the gateway's network", () => {
  const [eni] = AWSVPC.elasticNetworkInterfaces ?? [];
  assert.ok(eni);
  const subnetOf = (subnetGatewayIpv4Address: string): unknown => {
    const elasticNetworkInterfaces = [{ ...eni, subnetGatewayIpv4Address }];
    const { record, web } = runningWeb({ ...AWSVPC, elasticNetworkInterfaces });
    const [network] = networksOf(record, web, 4);
    return (network as Record<string, unknown>).IPv4SubnetCIDRBlock;
  };
  assert.equal(subnetOf("172.31.17.1/20"), "172.31.16.0/20");
  assert.equal(subnetOf("10.255.255.1/8"), "10.0.0.0/8");
  assert.equal(subnetOf("192.168.1.1"), undefined);
});
