/** ECS's link-local endpoints against the real kernel: who reaches them, and what nobody reaches by them. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { NO_NETWORK } from "../protocol/node-feed.ts";
import type { NodeDataplane } from "./linux-dataplane.ts";
import {
  call,
  callInVain,
  callUdp,
  ip,
  NEIGHBOUR,
  newSystemId,
  nsenter,
  TestHosts,
  unmetNeed,
} from "./testing/hosts.fixture.ts";

const TIMEOUT_MS = 10_000;
const ENDPOINT_PORT = 40_001;
const LOOPBACK_PORT = 40_002;
const VPC = { vpcId: "vpc-00000000000000001", cidr: "172.31.0.0/16" };
const ENI = {
  interfaceId: "eni-00000000000000004",
  vpcId: VPC.vpcId,
  subnetId: "subnet-1",
  subnetCidr: "172.31.0.0/20",
  macAddress: "0a:00:00:00:00:04",
  privateIpv4Address: "172.31.0.4",
};

describe("the link-local endpoints", { skip: unmetNeed() }, () => {
  let world: TestHosts;
  let host: string;
  let dataplane: NodeDataplane;
  const firstId = newSystemId();
  /** Path and address of a task in the VPC, and of a container on the bridge. */
  let tasks: readonly { readonly path: string; readonly address: string }[];

  before(async () => {
    world = new TestHosts();
    host = world.host.path;
    dataplane = world.start({
      systemId: firstId,
      endpointPort: ENDPOINT_PORT,
      apiForward: { address: NEIGHBOUR, port: 4570 },
    });
    await dataplane.apply({ ...NO_NETWORK, vpcs: [VPC], interfaces: [ENI] });
    const inVpc = await dataplane.attach("a", ENI.interfaceId, TIMEOUT_MS);
    const onBridge = await dataplane.attachBridge("b", []);
    tasks = [{ path: inVpc, address: ENI.privateIpv4Address }, onBridge];
    // The wire's cloud: what a machine there finds at the metadata's address.
    ip(`-n ${world.neighbour.split("/").at(-1)} address add 169.254.169.254/32 dev lo`);
    await Promise.all([
      world.serve(host, [ENDPOINT_PORT, LOOPBACK_PORT], "127.0.0.1"),
      world.serve(world.neighbour, [4570]),
      world.serve(world.neighbour, [53, 80], "169.254.169.254"),
    ]);
  });

  after(async () => {
    await world[Symbol.asyncDispose]();
  });

  test("every task reaches the endpoint server, which sees the task's own address", async () => {
    for (const { address, path } of tasks) assert.equal(await call(path, "169.254.170.2"), address);
    assert.match(await call(host, "169.254.170.2"), /^(10\.77\.0\.2|127\.0\.0\.1)$/, "host mode");
  });

  test("port 4566 there is the AWS endpoint, wherever it is", async () => {
    for (const path of [...tasks.map((task) => task.path), host])
      assert.equal(await call(path, "169.254.170.2", 4566), world.host.address);
  });

  test("nobody reaches other services of the machine's loopback by it", async () => {
    for (const { path } of tasks) {
      nsenter(path, "ip route add 127.0.0.2/32 dev eth0");
      nsenter(path, "sysctl -qw net.ipv4.conf.all.route_localnet=1");
      assert.equal(await callInVain(path, "169.254.170.2", LOOPBACK_PORT), "timeout");
      assert.match(await callInVain(path, "127.0.0.2", LOOPBACK_PORT), /timeout|refused/);
    }
    assert.equal(nsenter(host, "sysctl -n net.ipv4.conf.all.route_localnet").trim(), "0");
    assert.equal(nsenter(host, "sysctl -n net.ipv4.conf.eth0.route_localnet").trim(), "0");
  });

  test("a task cannot pass for another", async () => {
    for (const { address, path } of tasks) {
      const [gateway, another] = [".1", ".77"].map((end) => address.replace(/\.\d+$/, end));
      nsenter(path, `ip address add ${another}/32 dev lo`);
      nsenter(path, `ip route replace 169.254.170.2 via ${gateway} src ${another}`);
      assert.equal(await callInVain(path, "169.254.170.2"), "timeout");
      nsenter(path, "ip route del 169.254.170.2");
      assert.equal(await call(path, "169.254.170.2"), address);
    }
  });

  test("the cloud's metadata stay hidden from tasks, but not a resolver at the same address", async () => {
    assert.equal(await call(host, "169.254.169.254"), world.host.address);
    for (const { path } of tasks) {
      assert.equal(await callInVain(path, "169.254.169.254"), "timeout");
      assert.equal(await call(path, "169.254.169.254", 53), world.host.address);
      assert.equal(await callUdp(path, "169.254.169.254", 53), world.host.address);
      assert.equal(await callInVain(path, "169.254.170.23"), "timeout");
    }
  });

  test("a second Gantry of the machine takes from the first nothing but what is its own", async () => {
    const systemId = newSystemId();
    // Where nobody listens.
    const endpointPort = 40_003;
    const vpc = { vpcId: "vpc-00000000000000002", cidr: "172.30.0.0/16" };
    const eni = {
      ...{ ...ENI, interfaceId: "eni-00000000000000005", vpcId: vpc.vpcId },
      ...{ subnetCidr: "172.30.0.0/20", privateIpv4Address: "172.30.0.5" },
    };
    const network = { ...NO_NETWORK, vpcs: [vpc], interfaces: [eni] };
    for (let start = 0; start < 2; start++) {
      const second = world.start({ systemId, endpointPort });
      await second.apply(network);
      const path = await second.attach("c", eni.interfaceId, TIMEOUT_MS);
      const { path: onBridge } = await second.attachBridge("d", []);
      for (const own of [path, onBridge])
        assert.equal(await call(own, "169.254.170.2"), "Connection refused");
      assert.match(await call(host, "169.254.170.2"), /^(10\.77\.0\.2|127\.0\.0\.1)$/);
      for (const task of tasks) assert.equal(await call(task.path, "169.254.170.2"), task.address);
    }
    // The first starts again and finds the second.
    dataplane = world.start({ systemId: firstId, endpointPort: ENDPOINT_PORT });
    await dataplane.apply({ ...NO_NETWORK, vpcs: [VPC], interfaces: [ENI] });
    assert.match(await call(host, "169.254.170.2"), /^(10\.77\.0\.2|127\.0\.0\.1)$/);
  });

  test("what a Gantry left that is no more does not keep the next one from the endpoints", async () => {
    await using other = new TestHosts();
    const { path } = other.host;
    await other.start({ endpointPort: 40_003 }).apply(NO_NETWORK);
    assert.equal(await call(path, "169.254.170.2"), "Connection refused");
    await other.start({ endpointPort: ENDPOINT_PORT }).apply(NO_NETWORK);
    await other.serve(path, [ENDPOINT_PORT], "127.0.0.1");
    assert.match(await call(path, "169.254.170.2"), /^(10\.77\.0\.2|127\.0\.0\.1)$/);
  });
});
