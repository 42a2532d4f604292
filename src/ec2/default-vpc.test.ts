import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import { createCache } from "../store/cache.ts";
import { openMemoryStore } from "../store/memory.ts";
import { type DefaultVpcDeps, ensureDefaultVpc } from "./default-vpc.ts";
import { defaultGroupOf } from "./model/default-group.ts";
import {
  interfaceKey,
  securityGroupKey,
  securityGroupsPrefix,
  subnetsPrefix,
  vpcsPrefix,
} from "./model.ts";

const SCOPE = { accountId: "111111111111", region: "us-east-1" };
const ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"];
const OPTIONS = {
  cidr: undefined,
  chooseCidr: async () => "172.31.0.0/16",
  availabilityZones: ZONES,
};

test("a default VPC has a /20 subnet in each zone", async () => {
  await using deps = await openDeps();
  const { vpc, subnets } = await ensureDefaultVpc(deps, SCOPE, OPTIONS);
  assert.match(vpc.vpcId, /^vpc-[0-9a-f]{17}$/);
  assert.equal(vpc.cidr, "172.31.0.0/16");
  assert.deepEqual(
    subnets.map(({ availabilityZone, cidr }) => [availabilityZone, cidr]),
    [
      ["us-east-1a", "172.31.0.0/20"],
      ["us-east-1b", "172.31.16.0/20"],
      ["us-east-1c", "172.31.32.0/20"],
    ],
  );
  assert.match(subnets[0]?.subnetId ?? "", /^subnet-[0-9a-f]{17}$/);
});

test("a default VPC has one default security group, which goes with it", async () => {
  await using deps = await openDeps();
  const { vpc } = await ensureDefaultVpc(deps, SCOPE, OPTIONS);
  const group = defaultGroupOf(deps.cache, vpc);
  assert.match(group?.groupId ?? "", /^sg-[0-9a-f]{17}$/);
  const after = await ensureDefaultVpc(deps, SCOPE, { ...OPTIONS, cidr: "10.9.0.0/16" });
  const groups = deps.cache.list(securityGroupsPrefix(SCOPE)).map(({ value }) => value);
  assert.deepEqual(groups, [defaultGroupOf(deps.cache, after.vpc)]);
});

test("a default VPC of an older version gets its group", async () => {
  await using deps = await openDeps();
  const { vpc } = await ensureDefaultVpc(deps, SCOPE, OPTIONS);
  const key = securityGroupKey(SCOPE, defaultGroupOf(deps.cache, vpc)?.groupId ?? "");
  const { revision } = await deps.store.txn([], [{ key, value: undefined }]);
  await deps.cache.reached(revision);
  await ensureDefaultVpc(deps, SCOPE, OPTIONS);
  assert.ok(defaultGroupOf(deps.cache, vpc));
});

test("there is one default VPC, however many ask for it, and it keeps its range", async () => {
  await using deps = await openDeps();
  const asked = [OPTIONS, OPTIONS, { ...OPTIONS, chooseCidr: async () => "10.0.0.0/16" }];
  const answers = await Promise.all(asked.map((options) => ensureDefaultVpc(deps, SCOPE, options)));
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  assert.equal(deps.cache.list(vpcsPrefix(SCOPE)).length, 1);
  assert.equal(deps.cache.list(subnetsPrefix(SCOPE)).length, 3);
});

test("an unused default VPC is replaced by one with the range that is asked for", async () => {
  await using deps = await openDeps();
  const before = await ensureDefaultVpc(deps, SCOPE, OPTIONS);
  const { vpc, subnets } = await ensureDefaultVpc(deps, SCOPE, { ...OPTIONS, cidr: "10.9.0.0/16" });
  assert.equal(vpc.cidr, "10.9.0.0/16");
  assert.notEqual(vpc.vpcId, before.vpc.vpcId);
  assert.equal(subnets[2]?.cidr, "10.9.32.0/20");
  assert.equal(deps.cache.list(vpcsPrefix(SCOPE)).length, 1);
  assert.equal(deps.cache.list(subnetsPrefix(SCOPE)).length, 3);
  assert.deepEqual(await ensureDefaultVpc(deps, SCOPE, OPTIONS), { vpc, subnets });
});

test("a default VPC with tasks in it keeps its range, and the refusal says what to do", async () => {
  await using deps = await openDeps();
  const { vpc } = await ensureDefaultVpc(deps, SCOPE, OPTIONS);
  const key = interfaceKey(SCOPE, "eni-1");
  const { revision } = await deps.store.txn([], [{ key, value: { vpcId: vpc.vpcId } }]);
  await deps.cache.reached(revision);
  await assert.rejects(
    ensureDefaultVpc(deps, SCOPE, { ...OPTIONS, cidr: "10.9.0.0/16" }),
    /172\.31\.0\.0\/16 and 1 tasks.*stop those tasks/,
  );
});

test("a zone that comes later gets its subnet beside the others", async () => {
  await using deps = await openDeps();
  const before = await ensureDefaultVpc(deps, SCOPE, {
    ...OPTIONS,
    availabilityZones: ["us-east-1b"],
  });
  const after = await ensureDefaultVpc(deps, SCOPE, OPTIONS);
  assert.deepEqual(after.subnets[1], before.subnets[0]);
  assert.equal(new Set(after.subnets.map(({ cidr }) => cidr)).size, 3);
});

test("a VPC that is too small says what to do", async () => {
  await using deps = await openDeps();
  await assert.rejects(
    ensureDefaultVpc(deps, SCOPE, { ...OPTIONS, chooseCidr: async () => "10.0.0.0/19" }),
    {
      message: /no room for a \/20 subnet in each of .*: choose a larger one/,
    },
  );
});

async function openDeps(): Promise<DefaultVpcDeps & AsyncDisposable> {
  const store = openMemoryStore();
  const cache = createCache({ store, indexes: {}, log: silentLog });
  const end = new AbortController();
  const following = cache.run(end.signal);
  await cache.reached(0);
  return {
    store,
    cache,
    random: systemRandom,
    [Symbol.asyncDispose]: async () => {
      end.abort();
      await following;
      await store.close();
    },
  };
}
