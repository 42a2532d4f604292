import assert from "node:assert/strict";
import { test } from "node:test";
import { zoneIdOf } from "./zones.ts";

const CASES: readonly [zone: string, id: string][] = [
  ["us-east-1a", "use1-az1"],
  ["eu-central-1c", "euc1-az3"],
  ["ap-southeast-2b", "apse2-az2"],
  ["us-gov-west-1a", "usgovw1-az1"],
];

for (const [zone, id] of CASES) {
  test(`zoneIdOf(): ${zone} has the id ${id}`, () => {
    assert.equal(zoneIdOf(zone), id);
  });
}
