import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { PowerlessDisk } from "../../test/powerless-disk.ts";
import { systemRandom } from "../lib/random.ts";
import { openDataDirectory, readIdentity } from "./data-directory.ts";
import { type Membership, readMembership, writeMembership } from "./membership.ts";

const KEY = { accessKeyId: "AKIA1", secretAccessKey: "first" };
const MEMBERSHIP: Membership = {
  endpoint: "http://server:4566",
  accountId: "000000000000",
  region: "us-east-1",
  keys: { "000000000000": KEY },
};

test("who a machine is and the keys that it has said to have are there after a loss of power", async (t) => {
  using disk = PowerlessDisk.open(32 << 20);
  if (disk === undefined) return t.skip("no disk can be mounted here");
  const identity = await openDataDirectory(join(disk.path, "data"), systemRandom);
  await writeMembership(disk.path, MEMBERSHIP);
  const renewed = { "000000000000": { ...KEY, secretAccessKey: "second" } };
  await writeMembership(disk.path, { ...MEMBERSHIP, keys: renewed });
  const left = disk.losePower();
  assert.deepEqual(await readIdentity(join(left, "data")), identity);
  assert.deepEqual((await readMembership(left))?.keys, renewed);
});
