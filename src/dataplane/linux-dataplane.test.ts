/** The dataplane against the real kernel, on machines made of network namespaces. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type FeedInterface, NO_NETWORK, type NodeNetwork } from "../protocol/node-feed.ts";
import { hostRoutes } from "./host-routes.ts";
import type { NodeDataplane } from "./linux-dataplane.ts";
import {
  call,
  callInVain,
  ip,
  linksOf,
  NEIGHBOUR,
  newSystemId,
  nsenter,
  TestHosts,
  unmetNeed,
} from "./testing/hosts.fixture.ts";

const TIMEOUT_MS = 10_000;
const VPC = { vpcId: "vpc-00000000000000001", cidr: "172.31.0.0/16" };

function eni(index: number, overrides: Partial<FeedInterface> = {}): FeedInterface {
  return {
    interfaceId: `eni-${index.toString(16).padStart(17, "0")}`,
    vpcId: VPC.vpcId,
    subnetId: "subnet-1",
    subnetCidr: "172.31.0.0/20",
    macAddress: `0a:00:00:00:00:${index.toString(16).padStart(2, "0")}`,
    privateIpv4Address: `172.31.0.${index}`,
    ...overrides,
  };
}

describe("the dataplane", { skip: unmetNeed() }, () => {
  let world: TestHosts;
  let host: string;

  beforeEach(() => {
    world = new TestHosts();
    host = world.host.path;
  });

  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  const start = (systemId: string): NodeDataplane => world.start({ systemId });

  test("carries traffic between tasks, host and outside, and lets nobody in", async () => {
    const dataplane = start(newSystemId());
    const far = eni(9, { subnetCidr: "172.31.16.0/20", privateIpv4Address: "172.31.16.9" });
    await dataplane.apply({ ...NO_NETWORK, vpcs: [VPC], interfaces: [eni(4), eni(5), far] });
    await dataplane.begin("task-a");
    const [a, b, c] = await Promise.all([
      dataplane.attach("task-a", eni(4).interfaceId, TIMEOUT_MS),
      dataplane.attach("task-b", eni(5).interfaceId, TIMEOUT_MS),
      dataplane.attach("task-c", far.interfaceId, TIMEOUT_MS),
    ]);
    assert.equal(a, dataplane.namespacePath("task-a"));
    await Promise.all([a, b, c, host, world.neighbour].map((each) => world.serve(each)));
    const [
      fromHost,
      sameSubnet,
      otherSubnet,
      toHost,
      toHostInVpc,
      outside,
      inside,
      nobody,
      itself,
    ] = await Promise.all([
      call(host, "172.31.0.4"),
      call(a, "172.31.0.5"),
      call(a, "172.31.16.9"),
      call(a, world.host.address),
      call(a, "172.31.0.3"),
      call(c, NEIGHBOUR),
      callInVain(world.neighbour, "172.31.0.4"),
      callInVain(a, "172.31.0.77"),
      call(a, "172.31.0.4"),
    ]);
    assert.equal(fromHost, "172.31.0.3");
    assert.equal(sameSubnet, "172.31.0.4");
    assert.equal(otherSubnet, "172.31.0.4");
    assert.equal(toHost, "172.31.0.4");
    assert.equal(toHostInVpc, "172.31.0.4");
    assert.equal(outside, world.host.address);
    assert.match(inside, /timeout/);
    assert.match(nobody, /No route to host|timeout/);
    assert.equal(itself, "172.31.0.4");
    const [link] = JSON.parse(nsenter(a, "ip -j link show eth0"));
    assert.equal(link.address, eni(4).macAddress);
    assert.equal(link.mtu, 1420);
  });

  test("adopts a running network after a restart and keeps its connections", async () => {
    const systemId = newSystemId();
    const network = { ...NO_NETWORK, vpcs: [VPC], interfaces: [eni(4)] };
    const first = start(systemId);
    await first.apply(network);
    const before = await first.attach("task-a", eni(4).interfaceId, TIMEOUT_MS);
    await world.serve(before);
    await first.close();
    const second = start(systemId);
    await second.apply(network);
    assert.equal(await second.attach("task-a", eni(4).interfaceId, TIMEOUT_MS), before);
    assert.equal(await call(host, "172.31.0.4"), "172.31.0.3");
    await second.detach("task-a");
    await second.apply({ ...NO_NETWORK, vpcs: [VPC], interfaces: [] });
    assert.equal(existsSync(before), false);
  });

  test("completes what a killed process left half-made", async () => {
    const systemId = newSystemId();
    const prefix = `gantry-${systemId}-`;
    ip(`netns add ${prefix}vpc-00000000000000001`);
    ip(`netns add ${prefix}task-a`);
    writeFileSync(`/run/netns/${prefix}task-b`, "");
    const dataplane = start(systemId);
    await dataplane.apply({ ...NO_NETWORK, vpcs: [VPC], interfaces: [eni(4), eni(5), eni(6)] });
    // One end of task c's pair is left of a namespace that is going away.
    ip(
      `-n ${prefix}vpc-00000000000000001 link add eni-${"6".padStart(11, "0")} type veth peer name gone`,
    );
    const [a, b, c] = await Promise.all([
      dataplane.attach("a", eni(4).interfaceId, TIMEOUT_MS),
      dataplane.attach("b", eni(5).interfaceId, TIMEOUT_MS),
      dataplane.attach("c", eni(6).interfaceId, TIMEOUT_MS),
    ]);
    await world.serve(a);
    assert.equal(await call(b, "172.31.0.4"), "172.31.0.5");
    assert.equal(await call(c, "172.31.0.4"), "172.31.0.6");
  });

  test("two systems with their own networks share nothing", async () => {
    const [one, two] = [start(newSystemId()), start(newSystemId())];
    const vpc = { vpcId: "vpc-00000000000000002", cidr: "172.30.0.0/16" };
    const other = eni(4, {
      vpcId: vpc.vpcId,
      subnetCidr: "172.30.0.0/20",
      privateIpv4Address: "172.30.0.4",
    });
    await one.apply({ ...NO_NETWORK, vpcs: [VPC], interfaces: [eni(4)] });
    await two.apply({ ...NO_NETWORK, vpcs: [vpc], interfaces: [other] });
    const a = await one.attach("a", eni(4).interfaceId, TIMEOUT_MS);
    const b = await two.attach("a", other.interfaceId, TIMEOUT_MS);
    await Promise.all([a, b].map((each) => world.serve(each)));
    assert.match(await callInVain(a, "172.30.0.4"), /timeout/);
    assert.ok((await hostRoutes(host)).includes("172.31.0.0/16"));
    await one.removeAll();
    assert.equal(existsSync(a), false);
    assert.equal(await call(host, "172.30.0.4"), "172.30.0.3");
  });

  test("refuses a VPC that overlaps the host's network, and says what to do", async () => {
    const dataplane = start(newSystemId());
    const vpc = { vpcId: "vpc-00000000000000002", cidr: "10.77.0.0/16" };
    const network: NodeNetwork = {
      ...NO_NETWORK,
      vpcs: [vpc, VPC],
      interfaces: [eni(4), eni(5, { vpcId: vpc.vpcId })],
    };
    const refusal = {
      name: "DataplaneError",
      message: /10\.77\.0\.0\/16 .* 10\.77\.0\.0\/24 \(eth0\).*--vpc-cidr.*GANTRY_VPC_CIDR/,
    };
    await assert.rejects(dataplane.apply(network), refusal);
    await assert.rejects(dataplane.attach("b", eni(5).interfaceId, TIMEOUT_MS), refusal);
    assert.ok(existsSync(await dataplane.attach("a", eni(4).interfaceId, TIMEOUT_MS)));
  });

  test("removes what the feed no longer names, and everything at the end", async () => {
    const systemId = newSystemId();
    const dataplane = start(systemId);
    await dataplane.apply({ ...NO_NETWORK, vpcs: [VPC], interfaces: [eni(4)] });
    const a = await dataplane.attach("a", eni(4).interfaceId, TIMEOUT_MS);
    await dataplane.apply({ ...NO_NETWORK, vpcs: [VPC], interfaces: [] });
    assert.deepEqual(linksOf(a), ["lo"]);
    await dataplane.apply(NO_NETWORK);
    await dataplane.apply({ ...NO_NETWORK, vpcs: [VPC], interfaces: [] });
    const alone = await dataplane.isolate("alone");
    assert.equal(await dataplane.isolate("alone"), alone);
    assert.deepEqual(linksOf(alone), ["lo"]);
    await dataplane.removeAll();
    await dataplane.detach("alone");
    assert.deepEqual(linksOf(host), ["eth0", "lo"]);
    assert.equal(nsenter(host, "nft list tables"), "");
    assert.deepEqual(
      readdirSync("/run/netns").filter((name) => name.includes(systemId)),
      [],
    );
  });

  test("attach() waits for the feed, at most its time, and not for a task that is given up", async () => {
    const dataplane = start(newSystemId());
    await assert.rejects(dataplane.attach("a", eni(4).interfaceId, 1), /not ready after 1 ms/);
    const given = dataplane.attach("b", eni(4).interfaceId, TIMEOUT_MS);
    const waiting = dataplane.attach("a", eni(4).interfaceId, TIMEOUT_MS);
    await Promise.all([assert.rejects(given, /gave up/), dataplane.detach("b")]);
    await dataplane.apply({ ...NO_NETWORK, vpcs: [VPC], interfaces: [eni(4)] });
    assert.ok(existsSync(await waiting));
  });

  test("tells who has a namespace, whoever made it, and of no other system's", async () => {
    const [systemId, other] = [newSystemId(), newSystemId()];
    const earlier = start(systemId);
    assert.deepEqual(await earlier.namespaces(), { taskIds: [], containerIds: [] });
    await earlier.isolate("task-a");
    await earlier.attachBridge("task-b-web", []);
    await start(other).isolate("task-c");
    await earlier.close();
    const dataplane = start(systemId);
    const found = { taskIds: ["task-a"], containerIds: ["task-b-web"] };
    assert.deepEqual(await dataplane.namespaces(), found);
    await dataplane.detach("task-a");
    await dataplane.detachBridge("task-b-web");
    assert.deepEqual(await dataplane.namespaces(), { taskIds: [], containerIds: [] });
  });
});
