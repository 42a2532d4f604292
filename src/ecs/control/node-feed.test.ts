import assert from "node:assert/strict";
import { test } from "node:test";
import type { UpgradeCall, UpgradeDecision } from "../../door/upgrade.ts";
import { ec2Indexes } from "../../ec2/indexes.ts";
import { interfaceKey, type NetworkInterface } from "../../ec2/model.ts";
import { nodePrincipalArn } from "../../iam/model/access-key.ts";
import type { Clock } from "../../lib/clock.ts";
import { type FeedMessage, NO_NETWORK } from "../../protocol/node-feed.ts";
import type { Write } from "../../store/store.ts";
import {
  connectPeer,
  openWorld,
  type Peer,
  settle,
  type World,
  writeInstance,
  writeNetwork,
} from "./control.fixture.ts";
import { createNodeFeed, type NodeFeed } from "./node-feed.ts";

const MACHINE = "i-00000000000000001";
const DEFAULT_VPC = {
  vpcId: "vpc-1",
  cidr: "172.31.0.0/16",
  defaultOf: { accountId: "111111111111", subnetIds: { "us-east-1a": "subnet-1" } },
};

test("a node is told its interfaces of all accounts, and the default VPC before it has any", async () => {
  await using world = await openFeedWorld();
  await world.put(...writeNetwork());
  const node = await world.connect();
  assert.deepEqual(node.received, [
    { type: "list", network: { ...NO_NETWORK, vpcs: [DEFAULT_VPC] } },
  ]);
  await world.put(writeInterface("eni-1"), writeInterface("eni-2", { ec2InstanceId: "i-2" }));
  await world.put({ ...writeInterface("eni-1"), value: undefined });
  assert.deepEqual(node.received.slice(1), [
    {
      type: "change",
      put: {
        interfaces: [
          {
            interfaceId: "eni-1",
            vpcId: "vpc-1",
            subnetId: "subnet-1",
            subnetCidr: "172.31.0.0/20",
            macAddress: "02:00:00:00:00:01",
            privateIpv4Address: "172.31.0.9",
          },
        ],
      },
      deleted: {},
    },
    {
      type: "change",
      put: {},
      deleted: { interfaces: ["eni-1"] },
    },
  ]);
});

test("a node is told where the other machines are, and what is on them in its VPCs, a moment later", async () => {
  await using world = await openFeedWorld();
  await world.put(...writeNetwork());
  await world.put(
    writeInstance({ id: "1", ec2InstanceId: MACHINE, privateIpAddress: "10.0.0.1" }),
    writeInstance({ id: "2", ec2InstanceId: "i-2", privateIpAddress: "10.0.0.2" }),
    writeInstance({ id: "3", ec2InstanceId: "i-3", privateIpAddress: "127.0.0.1" }),
  );
  const node = await world.connect();
  const peer = { ec2InstanceId: "i-2", address: "10.0.0.2" };
  assert.deepEqual(node.received, [
    { type: "list", network: { ...NO_NETWORK, vpcs: [DEFAULT_VPC], peers: [peer] } },
  ]);
  const there = { ec2InstanceId: "i-2", privateIpv4Address: "172.31.0.7" };
  await world.put(writeInterface("eni-2", there));
  await world.put(writeInterface("eni-3", { ...there, vpcId: "vpc-9" }));
  assert.equal(node.received.length, 1, "not for each change");
  await world.clock.advance(100);
  await settle();
  const remote = { interfaceId: "eni-2", vpcId: "vpc-1", ...there };
  assert.deepEqual(node.received.slice(1), [
    { type: "change", put: { remoteInterfaces: [remote] }, deleted: {} },
  ]);
  const again = await world.connect();
  assert.deepEqual(again.received, [
    {
      type: "list",
      network: { ...NO_NETWORK, vpcs: [DEFAULT_VPC], peers: [peer], remoteInterfaces: [remote] },
    },
  ]);
  const moved = { ...peer, address: "10.0.0.9" };
  await world.put(
    { ...writeInterface("eni-2"), value: undefined },
    writeInstance({ id: "2", ec2InstanceId: "i-2", privateIpAddress: moved.address }),
  );
  await world.clock.advance(100);
  await settle();
  assert.deepEqual(node.received.slice(2), [
    { type: "change", put: { peers: [moved] }, deleted: {} },
    { type: "change", put: {}, deleted: { remoteInterfaces: ["eni-2"] } },
  ]);
});

test("a clock that is set back by an hour makes no node wait for what is elsewhere", async () => {
  let aheadMs = 0;
  await using world = await openFeedWorld(() => aheadMs);
  await world.put(...writeNetwork());
  const node = await world.connect();
  await world.put(writeInterface("eni-2", { ec2InstanceId: "i-2" }));
  aheadMs = -3_600_000;
  await world.clock.advance(200);
  await settle();
  const told = node.received.at(-1);
  assert.deepEqual(
    told?.type === "change" && told.put.remoteInterfaces?.map(({ interfaceId }) => interfaceId),
    ["eni-2"],
  );
});

test("a node that comes back gets the whole list", async () => {
  await using world = await openFeedWorld();
  await world.put(...writeNetwork(), writeInterface("eni-1"));
  const first = await world.connect();
  first.close(1006);
  const second = await world.connect();
  assert.deepEqual(second.received, first.received);
});

test("a node that leaves heartbeats unanswered for 100 seconds is closed", async () => {
  await using world = await openFeedWorld();
  const node = await world.connect();
  for (let round = 0; round < 8; round++) {
    await world.clock.advance(25_000);
    node.send(`{"type":"heartbeat"}`);
    await settle();
  }
  assert.equal(node.received.filter(({ type }) => type === "heartbeat").length, 8);
  await world.clock.advance(101_000);
  assert.equal(node.closed?.code, 1001);
});

test("a machine reads its own network and no other", async () => {
  await using world = await openFeedWorld();
  const arn = nodePrincipalArn("111111111111", "i-00000000000000002");
  const strangers: UpgradeCall["principal"][] = [
    { accountId: "111111111111", arn, accessKeyId: "AKIA", kind: "node" },
    {
      accountId: "111111111111",
      arn: "arn:aws:iam::111111111111:root",
      accessKeyId: "AKIA",
      kind: "root",
    },
  ];
  for (const principal of strangers) {
    const decision = await world.open(principal);
    assert.equal("refuse" in decision && decision.refuse.status, 403);
  }
});

interface FeedWorld extends World {
  readonly feed: NodeFeed;
  open(principal?: UpgradeCall["principal"]): Promise<UpgradeDecision>;
  connect(): Promise<Peer<FeedMessage>>;
}

/** `aheadMs`: by how much the feed's clock is ahead of the world's. */
async function openFeedWorld(aheadMs: () => number = () => 0): Promise<FeedWorld> {
  const world = await openWorld(ec2Indexes);
  const { cache, clock } = world;
  const ownClock: Clock = {
    now: () => clock.now() + aheadMs(),
    after: (ms, due) => clock.after(ms, due),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  };
  const feed = createNodeFeed({ cache, clock: ownClock });
  world.run((signal) => feed.run(signal));
  const node: UpgradeCall["principal"] = {
    accountId: "111111111111",
    arn: nodePrincipalArn("111111111111", MACHINE),
    accessKeyId: "AKIANODE",
    kind: "node",
  };
  const open: FeedWorld["open"] = async (principal = node) =>
    feed.route.open({
      principal,
      region: "us-east-1",
      query: new URLSearchParams({ ec2InstanceId: MACHINE }),
      requestId: "r",
      endpoint: "http://127.0.0.1",
    });
  return {
    ...world,
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
    feed,
    open,
    connect: async () => {
      const decision = await open();
      assert.ok("accept" in decision);
      const peer = connectPeer<FeedMessage>();
      decision.accept(peer.socket);
      await settle();
      return peer;
    },
  };
}

function writeInterface(interfaceId: string, overrides: Partial<NetworkInterface> = {}): Write {
  const value: NetworkInterface = {
    accountId: "111111111111",
    region: "us-east-1",
    interfaceId,
    vpcId: "vpc-1",
    subnetId: "subnet-1",
    macAddress: "02:00:00:00:00:01",
    privateIpv4Address: "172.31.0.9",
    privateDnsName: "ip-172-31-0-9.ec2.internal",
    securityGroups: [],
    ec2InstanceId: MACHINE,
    taskArn: "arn:aws:ecs:us-east-1:111111111111:task/demo/1",
    createdAt: 1,
    ...overrides,
  };
  return { key: interfaceKey(value, interfaceId), value };
}
