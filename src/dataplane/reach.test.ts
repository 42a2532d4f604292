/** Who reaches whom, on one machine and between two, against the real kernel. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type FeedInterface, NO_NETWORK } from "../protocol/node-feed.ts";
import type { NodeDataplane } from "./linux-dataplane.ts";
import {
  call,
  callUdp,
  newSystemId,
  type TestHost,
  TestHosts,
  unmetNeed,
} from "./testing/hosts.fixture.ts";

const TIMEOUT_MS = 10_000;
const VPC = { vpcId: "vpc-00000000000000001", cidr: "172.31.0.0/16" };
/** Where containers listen, and where the machine does and has it mapped. */
const CONTAINER_PORT = 80;
const MAPPED_PORT = 8080;
const HOST_PORT = 9000;

/** Two interfaces for each machine. */
const INTERFACES: readonly (FeedInterface & { readonly ec2InstanceId: string })[] = [0, 1].flatMap(
  (machine) =>
    [4, 5].map((index) => ({
      interfaceId: `eni-${machine}${String(index).padStart(16, "0")}`,
      vpcId: VPC.vpcId,
      subnetId: `subnet-${machine}`,
      subnetCidr: `172.31.${machine * 16}.0/20`,
      macAddress: `0a:00:00:00:0${machine}:0${index}`,
      privateIpv4Address: `172.31.${machine * 16}.${index}`,
      ec2InstanceId: `i-${machine}`,
    })),
);

/** Namespaces of clients, and of servers with what they are reached by. */
interface Machine {
  readonly clients: Readonly<Record<string, string>>;
  readonly servers: Readonly<
    Record<string, { readonly address: string; readonly port: number; readonly path: string }>
  >;
}

describe("who reaches whom", { skip: unmetNeed() }, () => {
  let world: TestHosts;
  const machines: Machine[] = [];

  before(async () => {
    world = new TestHosts(2);
    for (const [index, host] of world.hosts.entries()) machines.push(await start(index, host));
  });

  after(async () => {
    await world[Symbol.asyncDispose]();
  });

  async function start(index: number, host: TestHost): Promise<Machine> {
    const own = INTERFACES.filter(({ ec2InstanceId }) => ec2InstanceId === `i-${index}`);
    const other = 1 - index;
    const dataplane = world.start({ systemId: newSystemId(), underlayAddress: host.address }, host);
    await dataplane.apply({
      ...NO_NETWORK,
      vpcs: [VPC],
      interfaces: own,
      peers: [{ ec2InstanceId: `i-${other}`, address: world.hosts[other]?.address ?? "" }],
      remoteInterfaces: INTERFACES.filter((eni) => !own.includes(eni)),
    });
    const [client, server] = await Promise.all(
      own.map(({ interfaceId }) => dataplane.attach(interfaceId, interfaceId, TIMEOUT_MS)),
    );
    assert.ok(client !== undefined && server !== undefined);
    const bridgeClient = await dataplane.attachBridge("client", []);
    const bridgeServer = await attachServer(dataplane);
    await Promise.all([
      world.serve(server, [CONTAINER_PORT]),
      world.serve(bridgeServer, [CONTAINER_PORT]),
      world.serve(host.path, [HOST_PORT]),
    ]);
    return {
      clients: { bridge: bridgeClient.path, host: host.path, awsvpc: client },
      servers: {
        "mapped port": { address: host.address, port: MAPPED_PORT, path: bridgeServer },
        host: { address: host.address, port: HOST_PORT, path: host.path },
        awsvpc: { address: own[1]?.privateIpv4Address ?? "", port: CONTAINER_PORT, path: server },
      },
    };
  }

  async function attachServer(dataplane: NodeDataplane): Promise<string> {
    const ports = { first: CONTAINER_PORT, last: CONTAINER_PORT };
    const { path } = await dataplane.attachBridge(
      "server",
      (["tcp", "udp"] as const).map((protocol) => ({
        protocol,
        containerPorts: ports,
        hostPort: MAPPED_PORT,
      })),
    );
    return path;
  }

  for (const [where, to] of [
    ["the same machine", 0],
    ["another machine", 1],
  ] as const)
    for (const client of ["bridge", "host", "awsvpc"])
      for (const server of ["mapped port", "host", "awsvpc"])
        for (const [protocol, ask] of [
          ["TCP", call],
          ["UDP", callUdp],
        ] as const)
          test(`${client} → ${server} of ${where} by ${protocol}`, async () => {
            const from = machines[0]?.clients[client] ?? "";
            const target = machines[to]?.servers[server];
            assert.ok(target !== undefined);
            assert.match(await ask(from, target.address, target.port), /^[\d.]+$/);
          });

  test("a container reaches the port that is mapped to itself", async () => {
    const target = machines[0]?.servers["mapped port"];
    assert.ok(target !== undefined);
    for (const ask of [call, callUdp])
      assert.match(await ask(target.path, target.address, target.port), /^[\d.]+$/);
  });
});
