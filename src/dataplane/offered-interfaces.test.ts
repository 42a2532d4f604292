/** Interfaces for an agent that is not ours: what the vpc-eni plugin of the ECS agent does with them, against the real kernel. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type FeedInterface, NO_NETWORK, type NodeNetwork } from "../protocol/node-feed.ts";
import {
  call,
  ip,
  linksOf,
  newSystemId,
  nsenter,
  TestHosts,
  unmetNeed,
} from "./testing/hosts.fixture.ts";

const VPC = { vpcId: "vpc-00000000000000001", cidr: "172.31.0.0/16" };
const GATEWAY = "172.31.0.1";

function eni(index: number): FeedInterface {
  return {
    interfaceId: `eni-${index.toString(16).padStart(17, "0")}`,
    vpcId: VPC.vpcId,
    subnetId: "subnet-1",
    subnetCidr: "172.31.0.0/20",
    macAddress: `02:4f:00:00:00:${index.toString(16).padStart(2, "0")}`,
    privateIpv4Address: `172.31.0.${index}`,
  };
}

function networkOf(...interfaces: readonly FeedInterface[]): NodeNetwork {
  return { ...NO_NETWORK, vpcs: [VPC], interfaces };
}

describe("interfaces that are offered", { skip: unmetNeed() }, () => {
  let world: TestHosts;
  let host: string;
  const pauses: string[] = [];

  beforeEach(() => {
    world = new TestHosts();
    host = world.host.path;
  });

  afterEach(async () => {
    for (const name of pauses.splice(0)) ip(`netns del ${name}`);
    await world[Symbol.asyncDispose]();
  });

  /** The link with this MAC address in a namespace. */
  function linkOf({ macAddress }: FeedInterface, namespace: string): string | undefined {
    const links: { ifname: string; address: string }[] = JSON.parse(
      nsenter(namespace, "ip -j link show"),
    );
    return links.find(({ address }) => address === macAddress)?.ifname;
  }

  /** CNI ADD: the pause container's namespace with the interface in it. */
  function take(interfaceOf: FeedInterface): string {
    const link = linkOf(interfaceOf, host);
    assert.ok(link, `no link has ${interfaceOf.macAddress}`);
    const name = `test-${newSystemId()}-pause`;
    pauses.push(name);
    ip(`netns add ${name}`);
    const path = `/run/netns/${name}`;
    nsenter(host, `ip link set ${link} netns ${name}`);
    for (const line of [
      `ip link set ${link} name eth0`,
      `ip addr add ${interfaceOf.privateIpv4Address}/20 dev eth0`,
      "ip link set eth0 up",
      `ip route add default via ${GATEWAY} dev eth0`,
    ]) {
      nsenter(path, line);
    }
    return path;
  }

  test("stand in the host by their MAC address, carry traffic where they are taken, and go wherever they are", async () => {
    const dataplane = world.start({ systemId: newSystemId(), offersInterfaces: true });
    await dataplane.apply(networkOf(eni(4), eni(5)));
    assert.deepEqual(
      linksOf(host).filter((name) => name.startsWith("e")),
      ["eth0"],
      "network managers take what is called so for theirs",
    );
    const [a, b] = [take(eni(4)), take(eni(5))];
    await Promise.all([a, b].map((each) => world.serve(each)));
    assert.deepEqual(
      await Promise.all([call(a, "172.31.0.5"), call(b, "172.31.0.4"), call(host, "172.31.0.4")]),
      ["172.31.0.4", "172.31.0.5", "172.31.0.3"],
    );
    // CNI DEL: back to the host, by another name.
    nsenter(a, "ip link set eth0 down");
    nsenter(a, "ip link set eth0 name ecs24f0");
    nsenter(a, `ip link set ecs24f0 netns ${host.split("/").at(-1)}`);
    assert.equal(linkOf(eni(4), host), "ecs24f0");
    await dataplane.apply(networkOf());
    assert.deepEqual([linkOf(eni(4), host), linkOf(eni(5), b)], [undefined, undefined]);
  });

  test("are reached by what Docker has on its bridge", async () => {
    const dataplane = world.start({ systemId: newSystemId(), offersInterfaces: true });
    await dataplane.apply(networkOf(eni(4)));
    await world.serve(take(eni(4)));
    const container = `test-${newSystemId()}-docker`;
    pauses.push(container);
    ip(`netns add ${container}`);
    const path = `/run/netns/${container}`;
    nsenter(host, `ip link add docker0 type veth peer name eth0 netns ${container}`);
    for (const [namespace, line] of [
      [host, "ip addr add 172.17.0.1/16 dev docker0"],
      [host, "ip link set docker0 up"],
      [path, "ip addr add 172.17.0.2/16 dev eth0"],
      [path, "ip link set eth0 up"],
      [path, "ip route add default via 172.17.0.1"],
      [host, "nft add table ip docker"],
    ] as const)
      nsenter(namespace, line);
    const masquerade = "{ type nat hook postrouting priority srcnat; }";
    nsenter(host, `nft add chain ip docker post ${masquerade}`);
    nsenter(host, "nft add rule ip docker post ip saddr 172.17.0.0/16 masquerade");
    assert.equal(await call(path, "172.31.0.4"), "172.31.0.3");
  });

  test("that are taken stay taken over a restart, and only new ones are made", async () => {
    const systemId = newSystemId();
    const first = world.start({ systemId, offersInterfaces: true });
    await first.apply(networkOf(eni(4)));
    const a = take(eni(4));
    await world.serve(a);
    await first.close();
    const second = world.start({ systemId, offersInterfaces: true });
    await second.apply(networkOf(eni(4), eni(5)));
    assert.equal(linkOf(eni(4), host), undefined);
    const b = take(eni(5));
    assert.equal(await call(b, "172.31.0.4"), "172.31.0.5");
  });
});
