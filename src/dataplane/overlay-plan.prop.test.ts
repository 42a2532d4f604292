/** Plans of overlays run against a model of a router's device, neighbours and routes, and may stop after any command. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NO_NETWORK, type NodeNetwork } from "../protocol/node-feed.ts";
import type { Command } from "./command.ts";
import { namesOf } from "./names.ts";
import { parseDevice, parseOverlay } from "./overlay.ts";
import {
  hardwareAddressOf,
  type Overlay,
  overlayAddressOf,
  planOverlay,
  vniOf,
  wantedOverlay,
} from "./overlay-plan.ts";

const names = namesOf("a1b2c3");
const VPC = { vpcId: "vpc-1", cidr: "172.31.0.0/16" };
const SETTINGS = { localAddress: "10.0.0.1", udpPort: 4789, mtuBytes: 1450 };
const NOTHING: Overlay = { device: undefined, peers: new Set(), routes: new Map() };

/** What the kernel would have of the overlay. */
class Model {
  device: { id: number; local: string; port: number; mtu: number; isUp: boolean } | undefined;
  readonly neighbours = new Map<string, string>();
  readonly forwards = new Map<string, string>();
  readonly routes = new Map<string, string>();

  run(commands: readonly Command[]): void {
    for (const command of commands) this.#runOne(command);
  }

  see(): Overlay {
    const { device } = this;
    if (device === undefined) return NOTHING;
    const { id, isUp, local, mtu, port } = device;
    const flags = isUp ? ["UP"] : [];
    const info_data = { id, local, port };
    return {
      device: parseDevice([{ ifname: "overlay", mtu, flags, linkinfo: { info_data } }]),
      ...parseOverlay(
        [...this.routes].map(([dst, gateway]) => ({ dst, gateway })),
        [...this.neighbours.keys()].map((dst) => ({ dst })),
      ),
    };
  }

  #runOne(command: Command): void {
    assert.ok(command.tool === "ip" || command.tool === "bridge");
    const [object, verb, subject = ""] = command.args;
    const word = (key: string): string => command.args[command.args.lastIndexOf(key) + 1] ?? "";
    const address = subject.replace("/32", "");
    const what = `${object} ${verb}`;
    if (what !== "link add") assert.ok(this.device !== undefined, `${what}: no device`);
    switch (what) {
      case "link add":
        assert.equal(command.namespace, undefined, "made from the host's namespace");
        assert.equal(word("netns"), names.vpcNamespace(VPC.vpcId));
        assert.equal(this.device, undefined, "file exists");
        this.device = {
          id: Number(word("id")),
          local: word("local"),
          port: Number(word("dstport")),
          mtu: Number(word("mtu")),
          isUp: false,
        };
        return;
      case "link set":
        if (this.device) this.device.isUp = true;
        return;
      case "link del":
        this.device = undefined;
        for (const map of [this.neighbours, this.forwards, this.routes]) map.clear();
        return;
      case "neigh replace":
        this.neighbours.set(subject, word("lladdr"));
        return;
      case "neigh del":
        this.neighbours.delete(subject);
        return;
      case "fdb replace":
        this.forwards.set(subject, word("dst"));
        return;
      case "fdb del":
        this.forwards.delete(subject);
        return;
      case "route replace":
        assert.ok(this.device?.isUp, "network is down");
        this.routes.set(address, word("via"));
        return;
      case "route del":
        this.routes.delete(address);
        return;
      default:
        assert.fail(`the model does not know ${what}`);
    }
  }
}

const peers = [2, 3, 4].map((last) => ({ ec2InstanceId: `i-${last}`, address: `10.0.0.${last}` }));
const remoteInterfaces = peers.flatMap(({ ec2InstanceId }, machine) =>
  [7, 8].map((last) => ({
    interfaceId: `eni-${machine}${last}`,
    vpcId: VPC.vpcId,
    privateIpv4Address: `172.31.${machine}.${last}`,
    ec2InstanceId,
  })),
);

const network: fc.Arbitrary<NodeNetwork> = fc.record({
  vpcs: fc.constant([VPC]),
  interfaces: fc.constant([]),
  peers: fc.subarray(peers),
  remoteInterfaces: fc.subarray(remoteInterfaces),
});

const settings = fc.record({
  localAddress: fc.constantFrom("10.0.0.1", "10.0.0.9"),
  udpPort: fc.constant(4789),
  mtuBytes: fc.constantFrom(1450, 1370),
});

test("planOverlay() makes what is wanted, and nothing when it is there", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(network, settings), { minLength: 1 }), (history) => {
      const model = new Model();
      let seen = NOTHING;
      for (const [desired, own] of history) {
        const wanted = wantedOverlay(desired, VPC, own);
        model.run(planOverlay(names, VPC.vpcId, seen, wanted));
        assert.deepEqual(planOverlay(names, VPC.vpcId, wanted, wanted), []);
        assert.deepEqual(model.see(), wanted);
        assert.deepEqual(new Set(model.neighbours.keys()), wanted.peers);
        assert.deepEqual(new Set(model.forwards.values()), wanted.peers);
        seen = wanted;
      }
    }),
  );
});

test("planOverlay() makes what is wanted from whatever a killed process left", () => {
  fc.assert(
    fc.property(
      network,
      fc.array(fc.tuple(network, fc.nat(30))),
      settings,
      (desired, kills, own) => {
        const model = new Model();
        for (const [interrupted, count] of kills) {
          const wanted = wantedOverlay(interrupted, VPC, own);
          const commands = planOverlay(names, VPC.vpcId, model.see(), wanted);
          model.run(commands.slice(0, count % (commands.length + 1)));
        }
        const wanted = wantedOverlay(desired, VPC, own);
        model.run(planOverlay(names, VPC.vpcId, model.see(), wanted));
        assert.deepEqual(model.see(), wanted);
        for (const peer of wanted.peers) {
          assert.equal(model.neighbours.get(peer), hardwareAddressOf(peer));
          assert.equal(model.forwards.get(hardwareAddressOf(peer)), peer);
        }
      },
    ),
  );
});

test("wantedOverlay() is none without another machine, and leads to no unknown one", () => {
  const [peer, ...others] = peers;
  assert.ok(peer !== undefined);
  const all = { ...NO_NETWORK, vpcs: [VPC], remoteInterfaces };
  assert.deepEqual(wantedOverlay(all, VPC, SETTINGS), NOTHING);
  const self = { ...peer, address: SETTINGS.localAddress };
  assert.deepEqual(wantedOverlay({ ...all, peers: [self] }, VPC, SETTINGS), NOTHING);
  const { routes } = wantedOverlay({ ...all, peers: others }, VPC, SETTINGS);
  assert.equal(routes.size, 4);
  const elsewhere = { vpcId: "vpc-2", cidr: "172.30.0.0/16" };
  assert.equal(wantedOverlay({ ...all, peers }, elsewhere, SETTINGS).routes.size, 0);
});

test("private addresses of machines have overlay addresses of their own", () => {
  const part = fc.nat(255);
  const privateAddress = fc.oneof(
    fc.tuple(part, part, part).map((end) => `10.${end.join(".")}`),
    fc.tuple(fc.integer({ min: 16, max: 31 }), part, part).map((end) => `172.${end.join(".")}`),
    fc.tuple(part, part).map((end) => `192.168.${end.join(".")}`),
  );
  fc.assert(
    fc.property(privateAddress, privateAddress, (a, b) => {
      assert.match(overlayAddressOf(a), /^2[45]\d\./);
      assert.equal(overlayAddressOf(a) === overlayAddressOf(b), a === b);
      assert.equal(hardwareAddressOf(a) === hardwareAddressOf(b), a === b);
    }),
  );
});

test("vniOf() fits into 24 bits and is never 0", () => {
  fc.assert(
    fc.property(fc.string(), (id) => {
      const vni = vniOf(id);
      assert.ok(Number.isInteger(vni) && vni > 0 && vni < 2 ** 24);
    }),
  );
});
