/** The bridge network against the real kernel. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { systemClock } from "../lib/clock.ts";
import { NO_NETWORK } from "../protocol/node-feed.ts";
import { createCommandRunner } from "./commands.ts";
import type { PortMap } from "./dataplane.ts";
import { readHostRoutes } from "./host-routes.ts";
import type { NodeDataplane } from "./linux-dataplane.ts";
import {
  call,
  callInVain,
  callUdp,
  type DatagramClient,
  linksOf,
  NEIGHBOUR,
  newSystemId,
  nsenter,
  openDatagramClient,
  TestHosts,
  unmetNeed,
} from "./testing/hosts.fixture.ts";

function tcp(containerPort: number, hostPort?: number): PortMap {
  return {
    protocol: "tcp",
    containerPorts: { first: containerPort, last: containerPort },
    hostPort,
  };
}

function udp(containerPort: number, hostPort?: number): PortMap {
  return { ...tcp(containerPort, hostPort), protocol: "udp" };
}

const BLOCK = /^192\.168\.\d+\.\d+$/;

describe("the bridge network", { skip: unmetNeed() }, () => {
  let world: TestHosts;
  let host: string;
  let systemId: string;
  let dataplane: NodeDataplane;

  before(() => {
    world = new TestHosts();
    host = world.host.path;
    systemId = newSystemId();
    dataplane = world.start({ systemId });
  });

  after(async () => {
    await world[Symbol.asyncDispose]();
  });

  test("containers reach each other, the host and the outside, and nobody reaches them unasked", async () => {
    const [a, b] = await Promise.all([
      dataplane.attachBridge("a", []),
      dataplane.attachBridge("b", []),
    ]);
    assert.match(a.address, BLOCK);
    assert.notEqual(a.address, b.address);
    assert.deepEqual(await dataplane.attachBridge("a", []), a);
    await Promise.all([b.path, host, world.neighbour].map((each) => world.serve(each)));
    assert.equal(await call(a.path, b.address), a.address);
    assert.equal(await call(a.path, world.host.address), a.address);
    assert.equal(await call(a.path, NEIGHBOUR), world.host.address);
    assert.match(await call(host, b.address), BLOCK);
    assert.equal(await callInVain(world.neighbour, b.address), "timeout");
    await dataplane.detachBridge("a");
    await dataplane.detachBridge("b");
    assert.equal(existsSync(a.path), false);
  });

  test("ports are mapped for outside, host and containers, and given back", async () => {
    const web = await dataplane.attachBridge("web", [
      tcp(80, 8080),
      tcp(80),
      udp(53, 5353),
      { protocol: "tcp", containerPorts: { first: 7000, last: 7002 }, hostPort: undefined },
    ]);
    const client = await dataplane.attachBridge("client", []);
    await world.serve(web.path, [80, 53, 7000, 7001, 7002]);
    const [fixed, drawn, datagrams, range] = web.bindings;
    assert.ok(fixed && drawn && datagrams && range);
    assert.deepEqual(fixed.hostPorts, { first: 8080, last: 8080 });
    assert.deepEqual(datagrams.hostPorts, { first: 5353, last: 5353 });
    assert.ok(drawn.hostPorts.first >= 32_768);
    assert.equal(range.hostPorts.last - range.hostPorts.first, 2);
    const { address } = world.host;
    const routerHost = web.address.replace(/\.\d+$/, ".3");
    assert.equal(await call(world.neighbour, address, 8080), NEIGHBOUR);
    assert.equal(await call(world.neighbour, address, drawn.hostPorts.first), NEIGHBOUR);
    assert.equal(await call(world.neighbour, address, range.hostPorts.last), NEIGHBOUR);
    assert.equal(await callUdp(world.neighbour, address, 5353), NEIGHBOUR);
    assert.equal(await call(host, "127.0.0.1", 8080), routerHost);
    assert.equal(await callUdp(host, "127.0.0.1", 5353), routerHost);
    assert.equal(await call(host, address, 8080), address);
    assert.equal(await call(client.path, address, 8080), routerHost, "from another container");
    assert.equal(await call(web.path, address, 8080), routerHost, "from the container itself");
    await dataplane.detachBridge("client");
    await dataplane.detachBridge("web");
    assert.equal(await call(host, "127.0.0.1", 8080), "Connection refused");
    assert.doesNotMatch(nsenter(host, "ss -Hltun"), /:(8080|5353)\b/);
  });

  test("a port that a process or a container has is refused by its number, and never drawn", async () => {
    const range = nsenter(host, "cat /proc/sys/net/ipv4/ip_local_port_range").trim();
    const [first = 0] = range.split(/\s+/).map(Number);
    const server = await world.serve(host, [9090, first + 100], "127.0.0.1");
    await assert.rejects(dataplane.attachBridge("late", [tcp(80, 9090)]), {
      name: "PortUnavailableError",
      message: /0\.0\.0\.0:9090: bind: address already in use/,
    });
    await dataplane.attachBridge("first", [tcp(80, 9091)]);
    await assert.rejects(dataplane.attachBridge("second", [tcp(80, 9092), tcp(80, 9091)]), {
      name: "PortUnavailableError",
      message: "Bind for 0.0.0.0:9091 failed: port is already allocated",
    });
    await dataplane.detachBridge("second");
    const third = await dataplane.attachBridge("third", [tcp(80, 9092), udp(80, 9091)]);
    nsenter(host, `sysctl -qw net.ipv4.ip_local_port_range=${first + 99}\t${first + 101}`);
    const drawn = await dataplane.attachBridge("fourth", [tcp(1), tcp(2)]);
    await assert.rejects(dataplane.attachBridge("fifth", [tcp(1)]), {
      name: "PortUnavailableError",
      message: new RegExp(`no port of ${first + 99}-${first + 101} \\(tcp\\) left`),
    });
    const ports = drawn.bindings.map(({ hostPorts }) => hostPorts.first).toSorted();
    assert.deepEqual(ports, [first + 99, first + 101]);
    nsenter(host, `sysctl -qw net.ipv4.ip_local_port_range=${range.replace(/\s+/, "\t")}`);
    assert.equal(third.bindings.length, 2);
    for (const id of ["late", "first", "third", "fourth", "fifth"])
      await dataplane.detachBridge(id);
    server.kill();
  });

  test("clients that keep their UDP socket follow a port to the container that it is mapped to", async () => {
    const { address } = world.host;
    const clients = [
      [world.neighbour, address],
      [host, "127.0.0.1"],
      [host, address],
    ] as const;
    const process = await world.serve(host, [5354]);
    using stack = new DisposableStack();
    const open = clients.map(([namespace, to]) =>
      stack.use(openDatagramClient(namespace, to, 5354)),
    );
    const answers = (): Promise<readonly string[]> => Promise.all(open.map(answerOf));
    const silence = ["silence", "silence", "silence"];
    assert.deepEqual(await answers(), [NEIGHBOUR, "127.0.0.1", address]);
    process.kill();
    await once(process, "exit");
    for (const id of ["old", "new"]) {
      const container = await dataplane.attachBridge(id, [udp(53, 5354)]);
      await world.serve(container.path, [53]);
      const routerHost = container.address.replace(/\.\d+$/, ".3");
      assert.deepEqual(await answers(), [NEIGHBOUR, routerHost, address], `${id} container`);
      await dataplane.detachBridge(id);
      // Sent to nobody, what comes next would go there too.
      assert.deepEqual(await open[0]?.ask(), "silence");
    }
    assert.deepEqual(await answers(), silence);
  });

  /** Sends again until there is an answer: a server may be slow. */
  async function answerOf({ ask }: DatagramClient): Promise<string> {
    let answer = "";
    for (let sent = 0; sent < 5 && (answer === "" || answer === "silence"); sent++) {
      answer = await ask();
    }
    return answer;
  }

  test("a restarted process adopts addresses and ports, and connections go on", async () => {
    const maps = [tcp(80), udp(80, 7777), tcp(80, 8081)];
    const before = await dataplane.attachBridge("stays", maps);
    const gone = await dataplane.attachBridge("goes", [tcp(80, 8082)]);
    await world.serve(before.path);
    await dataplane.close();
    dataplane = world.start({ systemId });
    await dataplane.apply(NO_NETWORK);
    assert.equal(await call(world.neighbour, world.host.address, 8081), NEIGHBOUR);
    assert.deepEqual(await dataplane.attachBridge("stays", maps), before);
    const next = await dataplane.attachBridge("next", [tcp(80)]);
    assert.ok(![before.address, gone.address].includes(next.address));
    assert.notEqual(next.bindings[0]?.hostPorts.first, before.bindings[0]?.hostPorts.first);
    await dataplane.detachBridge("goes");
    assert.equal((await dataplane.attachBridge("again", [tcp(80, 8082)])).bindings.length, 1);
    for (const id of ["stays", "next", "again"]) await dataplane.detachBridge(id);
  });

  test("two systems have networks of their own, and ports that differ", async () => {
    const other = world.start();
    const [a, b] = [
      await dataplane.attachBridge("a", [tcp(80)]),
      await other.attachBridge("a", [tcp(80)]),
    ];
    await Promise.all([a.path, b.path].map((each) => world.serve(each)));
    assert.notEqual(a.address.split(".")[2], b.address.split(".")[2]);
    assert.notEqual(a.bindings[0]?.hostPorts.first, b.bindings[0]?.hostPorts.first);
    assert.equal(await callInVain(a.path, b.address), "timeout");
    assert.equal(
      await call(host, "127.0.0.1", b.bindings[0]?.hostPorts.first),
      b.address.replace(/\.\d+$/, ".3"),
    );
    await assert.rejects(other.attachBridge("b", [tcp(80, a.bindings[0]?.hostPorts.first)]), {
      name: "PortUnavailableError",
    });
    await other.removeAll();
    assert.equal(await call(a.path, a.address), a.address);
  });

  test("nothing is left at the end", async () => {
    const routes = await readHostRoutes(
      createCommandRunner({ hostNamespacePath: host, clock: systemClock }),
    );
    assert.ok(routes.some(({ cidr }) => cidr.endsWith("/20")));
    await dataplane.removeAll();
    assert.deepEqual(linksOf(host), ["eth0", "lo"]);
    assert.equal(nsenter(host, "nft list tables"), "");
    assert.deepEqual(
      readdirSync("/run/netns").filter((name) => name.includes(systemId)),
      [],
    );
  });
});
