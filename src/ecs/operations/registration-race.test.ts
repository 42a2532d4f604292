import assert from "node:assert/strict";
import { test } from "node:test";
import type { Call } from "../../door/service.ts";
import type { Store } from "../../store/store.ts";
import {
  openWorld,
  type World,
  writeCluster,
  writeInstance,
  writeNetwork,
} from "../control/control.fixture.ts";
import { registerContainerInstance } from "./agent-registration.ts";

const ID = "0123456789abcdef0123456789abcdef";
const CALL: Call = {
  principal: {
    accountId: "111111111111",
    arn: "arn:aws:iam::111111111111:root",
    accessKeyId: "AKIAROOT",
    kind: "root",
  },
  region: "us-east-1",
  signedAt: 1_700_000_000_000,
  requestId: "00000000-0000-4000-8000-000000000000",
  endpoint: "http://127.0.0.1:4566",
  sourceIp: "127.0.0.1",
  signal: new AbortController().signal,
};

/** The same world, where a cluster is deleted after every look at it and before the first write. */
function deletingCluster(world: World): World {
  let isDeleted = false;
  const txn: Store["txn"] = async (compare, write) => {
    if (!isDeleted) await world.put(writeCluster({ status: "INACTIVE" }));
    isDeleted = true;
    return world.store.txn(compare, write);
  };
  return { ...world, store: { txn } as Store };
}

test("no instance comes to a cluster that is deleted at the same time", async (t) => {
  const arn = `arn:aws:ecs:us-east-1:111111111111:container-instance/demo/${ID}`;
  for (const containerInstanceArn of [undefined, arn]) {
    await t.test(containerInstanceArn ? "known before" : "new", async () => {
      await using world = await openWorld();
      await world.put(writeCluster(), ...writeNetwork());
      if (containerInstanceArn) await world.put(writeInstance({ id: ID, status: "INACTIVE" }));
      const input = {
        cluster: "demo",
        totalResources: [
          { name: "CPU", type: "INTEGER", integerValue: 4096 },
          { name: "MEMORY", type: "INTEGER", integerValue: 8192 },
        ],
        ...(containerInstanceArn && { containerInstanceArn }),
      };
      await assert.rejects(registerContainerInstance(deletingCluster(world), input, CALL), {
        name: "ClusterNotFoundException",
        message: "The referenced cluster was inactive.",
      });
    });
  }
});
