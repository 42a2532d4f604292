/**
 * The dataplane against the real kernel. The "host" is a network namespace made here, with a neighbour behind it: the machine's
 * own network is never touched.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import type { FeedInterface, NodeNetwork } from "../protocol/node-feed.ts";
import { hostRoutes } from "./host-routes.ts";
import { createDataplane, type NodeDataplane } from "./linux-dataplane.ts";

const NEIGHBOUR = "192.168.77.1";
const HOST = "192.168.77.2";
const TIMEOUT_MS = 10_000;
const VPC = { vpcId: "vpc-00000000000000001", cidr: "172.31.0.0/16" };

/** Tells every client the address that it came from. */
const SERVER = `require("net").createServer((s) => s.end(s.remoteAddress)).listen(80, "0.0.0.0", () => console.log("ready"))`;
const CLIENT = `const s = require("net").connect({ port: 80, host: process.argv[1] });
s.setTimeout(1000, () => s.destroy(new Error("timeout")));
s.on("error", (e) => console.log(e.code ?? e.message)); s.pipe(process.stdout)`;

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

const missing = unmetNeed();
describe("the dataplane", { skip: missing }, () => {
  let host: string;
  let neighbour: string;
  let systems: NodeDataplane[];
  let servers: ChildProcess[];

  beforeEach(() => {
    const run = randomBytes(3).toString("hex");
    [host, neighbour] = [`test-${run}-host`, `test-${run}-neighbour`];
    [systems, servers] = [[], []];
    for (const name of [host, neighbour]) ip(`netns add ${name}`);
    ip(`-n ${host} link add eth0 mtu 1420 type veth peer name eth0 netns ${neighbour}`);
    for (const [name, address] of [
      [host, HOST],
      [neighbour, NEIGHBOUR],
    ] as const) {
      ip(`-n ${name} link set lo up`);
      ip(`-n ${name} addr add ${address}/24 dev eth0`);
      ip(`-n ${name} link set eth0 up`);
    }
    ip(`-n ${host} route add default via ${NEIGHBOUR}`);
    ip(`-n ${neighbour} route add 172.16.0.0/12 via ${HOST}`);
  });

  afterEach(async () => {
    for (const server of servers) {
      server.kill("SIGKILL");
      await once(server, "exit");
    }
    for (const system of systems) await system.removeAll();
    for (const name of [host, neighbour]) ip(`netns del ${name}`);
  });

  function start(systemId: string): NodeDataplane {
    const dataplane = createDataplane({
      systemId,
      clock: systemClock,
      log: silentLog,
      hostNamespacePath: `/run/netns/${host}`,
    });
    systems.push(dataplane);
    return dataplane;
  }

  async function serve(namespace: string): Promise<void> {
    const child = spawn("nsenter", [`--net=${namespace}`, process.execPath, "-e", SERVER], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    servers.push(child);
    await once(child.stdout, "data");
  }

  /** What the server at `address` answers to a client in `namespace`, or the client's error code. */
  async function call(namespace: string, address: string): Promise<string> {
    const child = spawn("nsenter", [`--net=${namespace}`, process.execPath, "-e", CLIENT, address]);
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    await once(child, "close");
    return text.trim();
  }

  const path = (name: string): string => `/run/netns/${name}`;

  test("carries traffic between tasks, host and outside, and lets nobody in", async () => {
    const dataplane = start(newSystemId());
    const far = eni(9, { subnetCidr: "172.31.16.0/20", privateIpv4Address: "172.31.16.9" });
    await dataplane.apply({ vpcs: [VPC], interfaces: [eni(4), eni(5), far] });
    const [a, b, c] = await Promise.all([
      dataplane.attach("task-a", eni(4).interfaceId, TIMEOUT_MS),
      dataplane.attach("task-b", eni(5).interfaceId, TIMEOUT_MS),
      dataplane.attach("task-c", far.interfaceId, TIMEOUT_MS),
    ]);
    await Promise.all([a, b, c, path(host), path(neighbour)].map(serve));
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
      call(path(host), "172.31.0.4"),
      call(a, "172.31.0.5"),
      call(a, "172.31.16.9"),
      call(a, HOST),
      call(a, "172.31.0.3"),
      call(c, NEIGHBOUR),
      call(path(neighbour), "172.31.0.4"),
      call(a, "172.31.0.77"),
      call(a, "172.31.0.4"),
    ]);
    assert.equal(fromHost, "172.31.0.3");
    assert.equal(sameSubnet, "172.31.0.4");
    assert.equal(otherSubnet, "172.31.0.4");
    assert.equal(toHost, "172.31.0.4");
    assert.equal(toHostInVpc, "172.31.0.4");
    assert.equal(outside, HOST);
    assert.match(inside, /timeout/);
    assert.match(nobody, /EHOSTUNREACH|timeout/);
    assert.equal(itself, "172.31.0.4");
    const [link] = JSON.parse(nsenter(a, "ip -j link show eth0"));
    assert.equal(link.address, eni(4).macAddress);
    assert.equal(link.mtu, 1420);
  });

  test("adopts a running network after a restart and keeps its connections", async () => {
    const systemId = newSystemId();
    const network = { vpcs: [VPC], interfaces: [eni(4)] };
    const first = start(systemId);
    await first.apply(network);
    const before = await first.attach("task-a", eni(4).interfaceId, TIMEOUT_MS);
    await serve(before);
    await first.close();
    const second = start(systemId);
    await second.apply(network);
    assert.equal(await second.attach("task-a", eni(4).interfaceId, TIMEOUT_MS), before);
    assert.equal(await call(path(host), "172.31.0.4"), "172.31.0.3");
    await second.detach("task-a");
    await second.apply({ vpcs: [VPC], interfaces: [] });
    assert.equal(existsSync(before), false);
  });

  test("completes what a killed process left half-made", async () => {
    const systemId = newSystemId();
    const prefix = `gantry-${systemId}-`;
    ip(`netns add ${prefix}vpc-00000000000000001`);
    ip(`netns add ${prefix}task-a`);
    writeFileSync(`/run/netns/${prefix}task-b`, "");
    const dataplane = start(systemId);
    await dataplane.apply({ vpcs: [VPC], interfaces: [eni(4), eni(5), eni(6)] });
    // One end of task c's pair is left of a namespace that is going away.
    ip(
      `-n ${prefix}vpc-00000000000000001 link add eni-${"6".padStart(11, "0")} type veth peer name gone`,
    );
    const [a, b, c] = await Promise.all([
      dataplane.attach("a", eni(4).interfaceId, TIMEOUT_MS),
      dataplane.attach("b", eni(5).interfaceId, TIMEOUT_MS),
      dataplane.attach("c", eni(6).interfaceId, TIMEOUT_MS),
    ]);
    await serve(a);
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
    await one.apply({ vpcs: [VPC], interfaces: [eni(4)] });
    await two.apply({ vpcs: [vpc], interfaces: [other] });
    const a = await one.attach("a", eni(4).interfaceId, TIMEOUT_MS);
    const b = await two.attach("a", other.interfaceId, TIMEOUT_MS);
    await Promise.all([a, b].map(serve));
    assert.match(await call(a, "172.30.0.4"), /timeout/);
    assert.ok((await hostRoutes(path(host))).includes("172.31.0.0/16"));
    await one.removeAll();
    assert.equal(existsSync(a), false);
    assert.equal(await call(path(host), "172.30.0.4"), "172.30.0.3");
  });

  test("refuses a VPC that overlaps the host's network, and says what to do", async () => {
    const dataplane = start(newSystemId());
    const vpc = { vpcId: "vpc-00000000000000002", cidr: "192.168.0.0/16" };
    const network: NodeNetwork = {
      vpcs: [vpc, VPC],
      interfaces: [eni(4), eni(5, { vpcId: vpc.vpcId })],
    };
    const refusal = {
      name: "DataplaneError",
      message: /192\.168\.0\.0\/16 .* 192\.168\.77\.0\/24 \(eth0\).*--vpc-cidr.*GANTRY_VPC_CIDR/,
    };
    await assert.rejects(dataplane.apply(network), refusal);
    await assert.rejects(dataplane.attach("b", eni(5).interfaceId, TIMEOUT_MS), refusal);
    assert.ok(existsSync(await dataplane.attach("a", eni(4).interfaceId, TIMEOUT_MS)));
  });

  test("removes what the feed no longer names, and everything at the end", async () => {
    const systemId = newSystemId();
    const dataplane = start(systemId);
    await dataplane.apply({ vpcs: [VPC], interfaces: [eni(4)] });
    const a = await dataplane.attach("a", eni(4).interfaceId, TIMEOUT_MS);
    await dataplane.apply({ vpcs: [VPC], interfaces: [] });
    assert.deepEqual(linksOf(a), ["lo"]);
    await dataplane.apply({ vpcs: [], interfaces: [] });
    await dataplane.apply({ vpcs: [VPC], interfaces: [] });
    const alone = await dataplane.isolate("alone");
    assert.equal(await dataplane.isolate("alone"), alone);
    assert.deepEqual(linksOf(alone), ["lo"]);
    await dataplane.removeAll();
    await dataplane.detach("alone");
    assert.deepEqual(linksOf(path(host)), ["eth0", "lo"]);
    assert.equal(nsenter(path(host), "nft list tables"), "");
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
    await dataplane.apply({ vpcs: [VPC], interfaces: [eni(4)] });
    assert.ok(existsSync(await waiting));
  });
});

function unmetNeed(): string | false {
  if (process.getuid?.() !== 0) return "needs root";
  try {
    for (const tool of ["ip -V", "nft --version", "nsenter --version"])
      execFileSync("sh", ["-c", tool], { stdio: "ignore" });
    execFileSync("unshare", ["--net", "true"], { stdio: "ignore" });
    return false;
  } catch (error) {
    return `needs ip, nft and network namespaces: ${String(error)}`;
  }
}

function newSystemId(): string {
  return randomBytes(3).toString("hex");
}

function ip(line: string): void {
  execFileSync("ip", line.split(" "));
}

function nsenter(namespace: string, line: string): string {
  return execFileSync("nsenter", [`--net=${namespace}`, ...line.split(" ")]).toString();
}

/** Names of the links in a namespace, but for those the kernel puts into every one. */
function linksOf(namespace: string): readonly string[] {
  const links: { ifname: string; link_type: string }[] = JSON.parse(
    nsenter(namespace, "ip -j link show"),
  );
  return links
    .filter((link) => link.link_type === "ether" || link.link_type === "loopback")
    .map((link) => link.ifname)
    .sort();
}
