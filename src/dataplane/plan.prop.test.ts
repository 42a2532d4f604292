/** Plans run against a model of the kernel that refuses what the kernel refuses, and may stop after any command (kill -9). */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type FeedInterface,
  type FeedVpc,
  NO_NETWORK,
  type NodeNetwork,
} from "../protocol/node-feed.ts";
import type { Command } from "./command.ts";
import { namesOf, TASK_LINK, UPLINK } from "./names.ts";
import * as plan from "./plan.ts";
import { type ObservedTask, planSeat } from "./router-plan.ts";

const names = namesOf("a1b2c3");
const MTU_BYTES = 1500;
const SETTINGS = {
  endpoints: { port: 40_000, api: { address: "10.0.0.1", port: 4566 } },
  localAddress: "10.0.0.2",
  bridgeLink: "bridge",
  overlayPort: 4789,
};

interface ModelNamespace {
  isMounted: boolean;
  /** Link → where its other end is. */
  readonly links: Map<string, { readonly peerNamespace: string; readonly peer: string }>;
  readonly up: Set<string>;
  /** Addresses and routes, each with the link that it needs. */
  readonly settings: Map<string, string>;
}

const HOST = "";

/** What the real kernel and tools would do with our commands, as far as our commands go. */
class ModelKernel {
  readonly namespaces = new Map<string, ModelNamespace>([[HOST, empty()]]);
  readonly rules = new Map<string, string>();

  run(commands: readonly Command[]): void {
    for (const command of commands) this.#runOne(command);
  }

  /** Everything but what went unseen: order, and settings that a plan makes again anyway. */
  state(): unknown {
    return [...this.namespaces]
      .map(([name, each]) => [name, each.isMounted, sorted(each.links), [...each.up].sort()])
      .map((row, index) => [...row, sorted([...this.namespaces.values()][index]?.settings ?? [])])
      .sort((a, b) => String(a[0]).localeCompare(String(b[0])));
  }

  observe(): plan.ObservedHost {
    const own = [...this.namespaces].filter(([name]) => name !== HOST);
    return {
      namespaces: new Map(own.map(([name, each]) => [name, each.isMounted ? "mounted" : "broken"])),
      links: new Set(this.#at(HOST).links.keys()),
      routers: new Map(),
      rules: undefined,
      mtuBytes: MTU_BYTES,
    };
  }

  observeTask(task: string, router: string, link: string): ObservedTask {
    const state = this.namespaces.get(task);
    return {
      namespace: state === undefined ? "absent" : state.isMounted ? "mounted" : "broken",
      hasTaskLink: state?.links.has(TASK_LINK) ?? false,
      hasRouterLink: this.#at(router).links.has(link),
    };
  }

  /** As a kill in the middle of `ip netns add` leaves it. */
  breakNamespace(name: string): void {
    this.namespaces.set(name, { ...empty(), isMounted: false });
  }

  #runOne(command: Command): void {
    const here = this.#at(command.namespace ?? HOST);
    if (command.tool === "nft") this.rules.set(command.namespace ?? HOST, command.script);
    if (command.tool !== "ip") return;
    const line = command.args.join(" ");
    const [object = "", verb = "", name = ""] = command.args;
    const word = (key: string): string => command.args[command.args.lastIndexOf(key) + 1] ?? "";
    const hasLink = (link: string): boolean => link === "lo" || here.links.has(link);
    switch (`${object} ${verb}`) {
      case "netns add":
        assert.ok(!this.namespaces.has(name), `${line}: file exists`);
        this.namespaces.set(name, empty());
        return;
      case "netns del":
        assert.ok(this.namespaces.has(name) || command.absentIsFine, `${line}: no such file`);
        for (const link of this.namespaces.get(name)?.links.keys() ?? []) this.#unlink(name, link);
        this.namespaces.delete(name);
        return;
      case "link add": {
        const peerNamespace = word("netns");
        assert.ok(!here.links.has(name), `${line}: file exists`);
        const there = this.#at(peerNamespace);
        assert.ok(!there.links.has(word("name")), `${line}: peer exists`);
        here.links.set(name, { peerNamespace, peer: word("name") });
        there.links.set(word("name"), { peerNamespace: command.namespace ?? HOST, peer: name });
        return;
      }
      case "link del":
        assert.ok(hasLink(name) || command.absentIsFine, `${line}: no such device`);
        this.#unlink(command.namespace ?? HOST, name);
        return;
      case "link set":
        assert.ok(hasLink(name), `${line}: no such device`);
        here.up.add(name);
        return;
      case "address replace":
      case "route replace": {
        const device = line.includes(" dev ") ? word("dev") : "lo";
        assert.ok(hasLink(device), `${line}: no such device`);
        assert.ok(object === "address" || here.up.has(device), `${line}: network is down`);
        here.settings.set(line, device);
        return;
      }
      case "ntable change":
        assert.ok(hasLink(word("dev")), `${line}: no such device`);
        return;
      default:
        assert.fail(`the model does not know: ip ${line}`);
    }
  }

  #unlink(namespace: string, link: string): void {
    const end = this.#at(namespace).links.get(link);
    this.#drop(namespace, link);
    if (end !== undefined) this.#drop(end.peerNamespace, end.peer);
  }

  #drop(namespace: string, link: string): void {
    const each = this.namespaces.get(namespace);
    each?.links.delete(link);
    each?.up.delete(link);
    for (const [line, device] of each?.settings ?? [])
      if (device === link) each?.settings.delete(line);
  }

  #at(name: string): ModelNamespace {
    const found = this.namespaces.get(name);
    assert.ok(found?.isMounted, `no namespace ${name}`);
    return found;
  }
}

function empty(): ModelNamespace {
  return { isMounted: true, links: new Map(), up: new Set(), settings: new Map() };
}

function sorted(entries: Iterable<unknown>): readonly string[] {
  return [...entries].map((entry) => JSON.stringify(entry)).sort();
}

const vpcs: readonly FeedVpc[] = [31, 30, 29].map((second) => ({
  vpcId: `vpc-${String(second).padStart(17, "0")}`,
  cidr: `172.${second}.0.0/16`,
}));

const interfaces: readonly FeedInterface[] = vpcs.flatMap((vpc, which) =>
  [0, 16].map((third) => ({
    interfaceId: `eni-${String(which * 100 + third).padStart(17, "0")}`,
    vpcId: vpc.vpcId,
    subnetId: `subnet-${third}`,
    subnetCidr: vpc.cidr.replace("0.0/16", `${third}.0/20`),
    macAddress: `0a:00:00:00:${String(which).padStart(2, "0")}:${String(third).padStart(2, "0")}`,
    privateIpv4Address: vpc.cidr.replace("0.0/16", `${third}.9`),
  })),
);

const network: fc.Arbitrary<NodeNetwork> = fc.record({
  vpcs: fc.subarray([...vpcs]),
  interfaces: fc.subarray([...interfaces]),
  peers: fc.constant([]),
  remoteInterfaces: fc.constant([]),
});

/** A kernel in which a fresh process has made `desired`. */
function made(desired: NodeNetwork): ModelKernel {
  const kernel = new ModelKernel();
  kernel.run(plan.planNetwork(names, desired, kernel.observe(), SETTINGS).commands);
  return kernel;
}

/** Runs the first `count` commands; what was being made when the process died may be broken. */
function runUntilKilled(kernel: ModelKernel, commands: readonly Command[], count: number): void {
  const at = count % (commands.length + 1);
  kernel.run(commands.slice(0, at));
  const next = commands[at];
  if (next?.tool === "ip" && next.args[0] === "netns" && next.args[1] === "add")
    kernel.breakNamespace(next.args[2] ?? "");
}

test("planNetwork() applied twice does nothing the second time", () => {
  fc.assert(
    fc.property(fc.array(network, { minLength: 1, maxLength: 5 }), (desired) => {
      const kernel = new ModelKernel();
      let observed = kernel.observe();
      for (const each of desired) {
        const { commands, after } = plan.planNetwork(names, each, observed, SETTINGS);
        kernel.run(commands);
        assert.deepEqual(plan.planNetwork(names, each, after, SETTINGS).commands, []);
        assert.deepEqual(kernel.observe().links, after.links);
        assert.deepEqual(
          new Set(kernel.observe().namespaces.keys()),
          new Set(after.namespaces.keys()),
        );
        observed = after;
      }
    }),
  );
});

test("planNetwork() reaches the same network from whatever a killed process left", () => {
  fc.assert(
    fc.property(network, network, fc.nat(200), (before, desired, killedAfter) => {
      const kernel = made(before);
      const interrupted = plan.planNetwork(names, desired, kernel.observe(), SETTINGS);
      runUntilKilled(kernel, interrupted.commands, killedAfter);
      kernel.run(plan.planNetwork(names, desired, kernel.observe(), SETTINGS).commands);
      const wanted = made(desired);
      assert.deepEqual(
        [...kernel.observe().namespaces].sort(),
        [...wanted.observe().namespaces].sort(),
      );
      assert.deepEqual(kernel.rules.get(HOST), wanted.rules.get(HOST));
      // Routers of subnets that are no longer used may stay: the addresses are reserved for them.
      for (const [name, each] of wanted.namespaces)
        for (const line of each.settings.keys())
          assert.ok(kernel.namespaces.get(name)?.settings.has(line), `${name}: ${line}`);
    }),
  );
});

test("planSeat() reaches the same namespace from whatever a killed process left", () => {
  const [vpc, eni] = [vpcs[0], interfaces[0]];
  assert.ok(vpc !== undefined && eni !== undefined);
  const desired = { ...NO_NETWORK, vpcs: [vpc], interfaces: [eni] };
  const task = names.taskNamespace("t1");
  const [router, link] = [names.vpcNamespace(vpc.vpcId), names.interfaceLink(eni.interfaceId)];
  const attach = (kernel: ModelKernel): readonly Command[] =>
    planSeat(
      plan.taskSeat(names, "t1", { vpc, eni, mtuBytes: MTU_BYTES }),
      kernel.observeTask(task, router, link),
    );
  const wanted = made(desired);
  wanted.run(attach(wanted));
  fc.assert(
    fc.property(fc.array(fc.nat(40), { maxLength: 3 }), fc.boolean(), (kills, isReplaced) => {
      const kernel = made(desired);
      for (const killedAfter of kills) runUntilKilled(kernel, attach(kernel), killedAfter);
      if (isReplaced) kernel.run(plan.planDetachedTask(names, "t1"));
      kernel.run(attach(kernel));
      assert.deepEqual(kernel.state(), wanted.state());
      kernel.run(attach(kernel));
      assert.deepEqual(kernel.state(), wanted.state());
    }),
  );
});

test("planRemovedInterfaces() removes just what is not named, and planRemoveAll() everything", () => {
  fc.assert(
    fc.property(network, network, (before, desired) => {
      const kernel = made(before);
      const present = before.interfaces.filter((eni) =>
        before.vpcs.some((vpc) => vpc.vpcId === eni.vpcId),
      );
      const links = new Map<string, string>();
      for (const eni of present) {
        const vpc = before.vpcs.find((each) => each.vpcId === eni.vpcId);
        assert.ok(vpc !== undefined);
        const nothing = { namespace: "absent", hasTaskLink: false, hasRouterLink: false } as const;
        const attachment = { vpc, eni, mtuBytes: MTU_BYTES };
        kernel.run(planSeat(plan.taskSeat(names, eni.interfaceId, attachment), nothing));
        links.set(names.interfaceLink(eni.interfaceId), names.vpcNamespace(vpc.vpcId));
      }
      kernel.run([
        ...plan.planRemovedInterfaces(names, desired, links),
        ...plan.planNetwork(names, desired, kernel.observe(), SETTINGS).commands,
      ]);
      const left = [...kernel.namespaces.keys()]
        .filter((name) => name.startsWith(names.vpcNamespacePrefix))
        .flatMap((name) => [...(kernel.namespaces.get(name)?.links.keys() ?? [])])
        .filter((link) => link !== UPLINK);
      const kept = present
        .filter((eni) => desired.interfaces.includes(eni))
        .filter((eni) => desired.vpcs.some((vpc) => vpc.vpcId === eni.vpcId));
      assert.deepEqual(left.sort(), kept.map((eni) => names.interfaceLink(eni.interfaceId)).sort());
      kernel.run(plan.planRemoveAll(names, kernel.observe()));
      assert.deepEqual([...kernel.namespaces.keys()], [HOST]);
      assert.equal(kernel.namespaces.get(HOST)?.links.size, 0);
    }),
  );
});

test("no name of one system is a name of another, and link names fit into 15 characters", () => {
  const hex = (length: number): fc.Arbitrary<string> =>
    fc.string({
      unit: fc.constantFrom(..."0123456789abcdef"),
      minLength: length,
      maxLength: length,
    });
  fc.assert(
    fc.property(hex(6), hex(6), hex(17), (one, two, id) => {
      fc.pre(one !== two);
      const [a, b] = [namesOf(one), namesOf(two)];
      assert.ok(a.hostLink(`vpc-${id}`).length <= 15);
      assert.ok(a.interfaceLink(`eni-${id}`).length <= 15);
      assert.ok(!b.hostLink(`vpc-${id}`).startsWith(a.hostLinkPrefix));
      assert.ok(!b.vpcNamespace(`vpc-${id}`).startsWith(a.namespacePrefix));
      assert.ok(!b.taskNamespace(id).startsWith(a.namespacePrefix));
      assert.notEqual(a.table, b.table);
    }),
  );
});
