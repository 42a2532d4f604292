import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_NETWORK, type NodeNetwork } from "../protocol/node-feed.ts";
import { HomeNetwork } from "./home-network.ts";

const NETWORK: NodeNetwork = {
  ...NO_NETWORK,
  vpcs: [
    { vpcId: "vpc-other", cidr: "10.0.0.0/16" },
    {
      vpcId: "vpc-1",
      cidr: "172.31.0.0/16",
      defaultOf: {
        accountId: "111111111111",
        subnetIds: { "us-east-1a": "subnet-a", "us-east-1b": "subnet-b" },
      },
    },
  ],
};

test("a machine is in the account's default VPC, in its zone's subnet or any", async () => {
  const home = new HomeNetwork({ apply: async () => undefined });
  assert.equal(home.homeOf("111111111111", "us-east-1b"), undefined, "nothing is made yet");
  await home.apply(NETWORK);
  const at = (zone: string): unknown => home.homeOf("111111111111", zone);
  assert.deepEqual(at("us-east-1b"), { vpcId: "vpc-1", subnetId: "subnet-b" });
  assert.deepEqual(at("us-east-1z"), { vpcId: "vpc-1", subnetId: "subnet-a" });
  assert.equal(home.homeOf("222222222222", "us-east-1a"), undefined);
});

test("a network that could not be made is none", async () => {
  const home = new HomeNetwork({ apply: () => Promise.reject(new Error("no such link")) });
  await assert.rejects(home.apply(NETWORK));
  assert.equal(home.homeOf("111111111111", "us-east-1a"), undefined);
});
