import assert from "node:assert/strict";
import { test } from "node:test";
import type { UpgradeCall } from "../../door/upgrade.ts";
import { nodePrincipalArn } from "../../iam/model/access-key.ts";
import { CLUSTER_ARN, INSTANCE_ARN, openAgentWorld, ROOT } from "./agent-world.fixture.ts";

const node = (machine: string): UpgradeCall["principal"] => ({
  accountId: "111111111111",
  arn: nodePrincipalArn("111111111111", machine),
  accessKeyId: "AKIANODE",
  kind: "node",
});

test("an agent is refused with the protocol's words", async () => {
  const stranger = { ...ROOT, accountId: "222222222222" };
  const cases: [string, Record<string, string>, UpgradeCall["principal"], string | undefined][] = [
    ["no instance", { containerInstanceArn: "" }, ROOT, "InvalidInstanceException"],
    [
      "an unknown one",
      { containerInstanceArn: `${INSTANCE_ARN}0` },
      ROOT,
      "InvalidInstanceException",
    ],
    ["another cluster", { clusterArn: "other" }, ROOT, "InvalidClusterException"],
    ["another account", {}, stranger, "AccessDeniedException"],
    ["another machine", {}, node("i-00000000000000002"), "AccessDeniedException"],
    ["its own machine", {}, node("i-00000000000000001"), undefined],
    ["the cluster by its ARN", { clusterArn: CLUSTER_ARN }, ROOT, undefined],
  ];
  await using world = await openAgentWorld();
  for (const [name, query, principal, type] of cases) {
    const decision = await world.open(query, world.dispatcher, principal);
    const refused = "refuse" in decision ? JSON.parse(decision.refuse.body).type : undefined;
    assert.equal(refused, type, name);
  }
});
