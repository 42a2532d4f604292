/** One VPC on two machines, against the real kernel. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type FeedInterface, NO_NETWORK, type NodeNetwork } from "../protocol/node-feed.ts";
import type { NodeDataplane } from "./linux-dataplane.ts";
import { overlayAddressOf, vniOf } from "./overlay-plan.ts";
import {
  BULK_BYTES,
  BULK_PORT,
  call,
  callBulk,
  callInVain,
  callUdp,
  connected,
  ECHO_PORT,
  linksOf,
  newSystemId,
  nsenter,
  nsenterArgs,
  type TestHost,
  TestHosts,
  unmetNeed,
} from "./testing/hosts.fixture.ts";

const TIMEOUT_MS = 10_000;
const VPC = { vpcId: "vpc-00000000000000001", cidr: "172.31.0.0/16" };
const OTHER_VPC = { vpcId: "vpc-00000000000000002", cidr: "172.30.0.0/16" };
const MACHINES = ["i-1", "i-2"] as const;

/** An interface on the machine of that index. */
interface Placed {
  readonly machine: number;
  readonly eni: FeedInterface;
}

function placed(machine: number, index: number, vpc = VPC): Placed {
  return {
    machine,
    eni: {
      interfaceId: `eni-${machine}${index.toString(16).padStart(16, "0")}`,
      vpcId: vpc.vpcId,
      subnetId: `subnet-${machine}`,
      subnetCidr: vpc.cidr.replace("0.0/16", `${machine * 16}.0/20`),
      macAddress: `0a:00:00:00:0${machine}:${index.toString(16).padStart(2, "0")}`,
      privateIpv4Address: vpc.cidr.replace("0.0/16", `${machine * 16}.${index}`),
    },
  };
}

describe("the overlay between machines", { skip: unmetNeed() }, () => {
  let world: TestHosts;
  let hosts: readonly TestHost[];
  const systemIds = [newSystemId(), newSystemId()];
  let dataplanes: NodeDataplane[];
  const [a, b] = [placed(0, 4), placed(1, 4)];

  before(() => {
    world = new TestHosts(2);
    hosts = world.hosts;
    dataplanes = [startOn(0), startOn(1)];
  });

  after(async () => {
    await world[Symbol.asyncDispose]();
  });

  function startOn(machine: number): NodeDataplane {
    const host = hostOf(machine);
    return world.start({ systemId: systemIds[machine] ?? "", underlayAddress: host.address }, host);
  }

  function hostOf(machine: number): TestHost {
    const host = hosts[machine];
    assert.ok(host !== undefined);
    return host;
  }

  /** What the feed tells a machine when these interfaces are there. */
  function network(machine: number, all: readonly Placed[], vpcs = [VPC]): NodeNetwork {
    const other = 1 - machine;
    return {
      ...NO_NETWORK,
      vpcs,
      interfaces: all.filter((one) => one.machine === machine).map(({ eni }) => eni),
      peers: [{ ec2InstanceId: MACHINES[other] ?? "", address: hostOf(other).address }],
      remoteInterfaces: all
        .filter((one) => one.machine === other)
        .map(({ eni: { interfaceId, privateIpv4Address, vpcId } }) => ({
          interfaceId,
          vpcId,
          privateIpv4Address,
          ec2InstanceId: MACHINES[other] ?? "",
        })),
    };
  }

  async function apply(all: readonly Placed[], vpcs = [VPC]): Promise<void> {
    await Promise.all(
      dataplanes.map((dataplane, machine) => dataplane.apply(network(machine, all, vpcs))),
    );
  }

  function attach({ eni, machine }: Placed, taskId: string): Promise<string> {
    const dataplane = dataplanes[machine];
    assert.ok(dataplane !== undefined);
    return dataplane.attach(taskId, eni.interfaceId, TIMEOUT_MS);
  }

  let pathA: string;
  let pathB: string;

  test("tasks of one VPC reach each other under their own addresses, large packets included", async () => {
    await apply([a, b]);
    [pathA, pathB] = await Promise.all([attach(a, "a"), attach(b, "b")]);
    await Promise.all(
      [pathA, pathB].map((path) => world.serve(path, [80, 53, BULK_PORT, ECHO_PORT])),
    );
    const [addressA, addressB] = [a.eni.privateIpv4Address, b.eni.privateIpv4Address];
    assert.equal(await call(pathA, addressB), addressA);
    assert.equal(await call(pathB, addressA), addressB);
    assert.equal(await callUdp(pathA, addressB, 53), addressA);
    assert.equal(await callBulk(pathA, addressB), BULK_BYTES);
    assert.equal(await callUdp(pathA, addressB, 53, 3000), addressA, "in pieces from the start");
    // Fits a task's link and not the overlay: the router says so, sooner or later, and the next one comes in pieces.
    let answer = "";
    for (let sent = 0; sent < 3 && answer !== addressA; sent++) {
      answer = await callUdp(pathA, addressB, 53, 1380);
    }
    assert.equal(answer, addressA);
  });

  test("a machine reaches tasks on the other, which see it as itself", async () => {
    const answer = await call(hostOf(0).path, b.eni.privateIpv4Address);
    assert.equal(answer, overlayAddressOf(hostOf(0).address));
    assert.equal(await call(hostOf(1).path, b.eni.privateIpv4Address), "172.31.0.3");
  });

  test("a restart on either side disturbs no connection and finds what is there", async () => {
    const link = nsenter(pathOfVpc(0), "ip -o link show dev overlay");
    const outcome = await connected(pathA, b.eni.privateIpv4Address, async () => {
      for (const machine of [0, 1]) {
        await dataplanes[machine]?.close();
        dataplanes[machine] = startOn(machine);
        await dataplanes[machine]?.apply(network(machine, [a, b]));
      }
    });
    assert.equal(outcome, "ok");
    assert.equal(nsenter(pathOfVpc(0), "ip -o link show dev overlay"), link);
  });

  test("tasks come and go; the routes of a machine that is gone go with its interfaces", async () => {
    const c = placed(1, 5);
    await apply([a, b, c]);
    const pathC = await attach(c, "c");
    await world.serve(pathC);
    assert.equal(await call(pathA, c.eni.privateIpv4Address), a.eni.privateIpv4Address);
    await apply([a, b]);
    assert.match(await callInVain(pathA, c.eni.privateIpv4Address), /No route to host|timeout/);
    assert.doesNotMatch(routesOfVpc(0), /172\.31\.16\.5/);
    await dataplanes[0]?.apply({ ...network(0, [a]), peers: [] });
    assert.deepEqual(linksOf(pathOfVpc(0)).includes("overlay"), false);
    assert.match(await callInVain(pathA, b.eni.privateIpv4Address), /No route to host|timeout/);
    await apply([a, b]);
    assert.equal(await call(pathA, b.eni.privateIpv4Address), a.eni.privateIpv4Address);
  });

  test("another VPC is another network, and no task can put packets into one", async () => {
    const [x, y] = [placed(0, 9, OTHER_VPC), placed(1, 9, OTHER_VPC)];
    await apply([a, b, x, y], [VPC, OTHER_VPC]);
    const [pathX, pathY] = await Promise.all([attach(x, "x"), attach(y, "y")]);
    await world.serve(pathY);
    assert.equal(await call(pathX, y.eni.privateIpv4Address), x.eni.privateIpv4Address);
    assert.equal(await callInVain(pathA, y.eni.privateIpv4Address), "timeout");
    const before = received(pathB);
    // A datagram as the overlay's own, with a ping for task b inside: from a task, and from a stranger on the wire.
    for (const [path, to] of [
      [pathX, hostOf(0).address],
      [pathX, hostOf(1).address],
      [world.neighbour, hostOf(1).address],
    ] as const)
      forge(path, to);
    assert.equal(received(pathB), before);
    // The same from the other machine, which is believed: the forgery would have been good.
    forge(hostOf(0).path, hostOf(1).address);
    assert.equal(received(pathB), before + 1);
  });

  test("nothing is left at the end", async () => {
    for (const dataplane of dataplanes) await dataplane.removeAll();
    for (const { path } of hosts) {
      assert.deepEqual(linksOf(path), ["eth0", "lo"]);
      assert.equal(nsenter(path, "nft list tables"), "");
      assert.doesNotMatch(nsenter(path, "ss -Hlun"), /:4789\b/);
    }
  });

  function pathOfVpc(machine: number): string {
    return `/run/netns/gantry-${systemIds[machine]}-vpc-00000000000000001`;
  }

  function routesOfVpc(machine: number): string {
    return nsenter(pathOfVpc(machine), "ip route show");
  }

  /** Datagrams that have arrived for port 9 of task b, where nobody listens. */
  function received(path: string): number {
    const [names = "", values = ""] = nsenter(path, "grep ^Udp: /proc/net/snmp").split("\n");
    return Number(values.split(" ")[names.split(" ").indexOf("NoPorts")]);
  }

  /** Sends an overlay datagram to a machine: VXLAN, Ethernet, IPv4 and UDP from task a to port 9 of task b. */
  function forge(namespace: string, machine: string): void {
    const script = `
const hex = (text) => Buffer.from(text.replaceAll(" ", ""), "hex");
const ip = hex("4500 001d 0000 0000 4011 0000 ac1f 0004 ac1f 1004");
let sum = 0;
for (let i = 0; i < 20; i += 2) sum += ip.readUInt16BE(i);
while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
ip.writeUInt16BE(~sum & 0xffff, 10);
const vxlan = hex("08000000 00000000");
vxlan.writeUIntBE(${vniOf(VPC.vpcId)}, 4, 3);
const mac = (address) => Buffer.from([2, 0x67, ...address.split(".").map(Number)]);
const frame = Buffer.concat([vxlan, mac("${machine}"), mac("10.77.0.2"), hex("0800"), ip, hex("0007 0009 0009 0000 00")]);
const socket = require("dgram").createSocket("udp4");
socket.send(frame, 4789, "${machine}", () => setTimeout(() => socket.close(), 50));`;
    nsenterArgs(namespace, [process.execPath, "-e", script]);
  }
});
