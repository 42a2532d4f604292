/** IAM on state in memory: root, and a user with ten managed policies of twenty statements each. */
import type { Principal } from "../../src/door/service.ts";
import { type Access, createAccess } from "../../src/iam/access.ts";
import { ensureRootKey } from "../../src/iam/access-keys.ts";
import { iamIndexes } from "../../src/iam/indexes.ts";
import { accessKeyKey } from "../../src/iam/model/access-key.ts";
import { policyKey, userKey } from "../../src/iam/model/keys.ts";
import type { ManagedPolicy, User } from "../../src/iam/model/records.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { systemRandom } from "../../src/lib/random.ts";
import type { Credentials } from "../../src/lib/sigv4.ts";
import { createCache } from "../../src/store/cache.ts";
import { openMemoryStore } from "../../src/store/memory.ts";
import type { Write } from "../../src/store/store.ts";
import { ACCOUNT_ID, ROOT_KEY } from "../door-kit.ts";

export const POLICIES = 10;
export const STATEMENTS = 20;

export const USER_KEY: Credentials = {
  accessKeyId: "AKIABENCHUSER0000000",
  secretAccessKey: "the secret of the bench's user",
};

export const USER: Principal = {
  accountId: ACCOUNT_ID,
  arn: `arn:aws:iam::${ACCOUNT_ID}:user/bench`,
  accessKeyId: USER_KEY.accessKeyId,
  kind: "user",
  userId: "AIDABENCH",
};

/** `withConditions`: every statement asks for a tag of the caller and for the region. */
export async function openAccess(options: { readonly withConditions: boolean }): Promise<Access> {
  const store = openMemoryStore();
  const cache = createCache({ store, indexes: iamIndexes, log: silentLog });
  void cache.run(new AbortController().signal);
  await cache.reached(0);
  const deps = { store, cache, clock: systemClock, random: systemRandom, log: silentLog };
  await ensureRootKey(deps, ACCOUNT_ID, ROOT_KEY);
  const numbers = Array.from({ length: POLICIES }, (_, index) => index);
  const writes: Write[] = numbers.map((number) => ({
    key: policyKey(ACCOUNT_ID, `p${number}`),
    value: managedPolicy(number, options.withConditions),
  }));
  const user: User = {
    accountId: ACCOUNT_ID,
    userName: "bench",
    userId: "AIDABENCH",
    path: "/",
    groupIds: [],
    tags: { team: "web" },
    inlinePolicies: [],
    attachedPolicyArns: numbers.map((number) => `arn:aws:iam::${ACCOUNT_ID}:policy/p${number}`),
    createdAt: 1,
  };
  const { secretAccessKey, accessKeyId } = USER_KEY;
  const key = {
    accessKeyId,
    secretAccessKey,
    accountId: ACCOUNT_ID,
    principalArn: USER.arn,
    kind: "user",
    userId: "AIDABENCH",
    status: "Active",
    createdAt: 1,
  };
  writes.push({ key: userKey(ACCOUNT_ID, "bench"), value: user });
  writes.push({ key: accessKeyKey(accessKeyId), value: key });
  await cache.reached((await store.txn([], writes)).revision);
  const sessions = { openSession: () => undefined };
  return createAccess({ ...deps, sessions, mayNode: () => false });
}

const SERVICES = ["ecs", "logs", "ec2", "ecr"];

function managedPolicy(number: number, withConditions: boolean): ManagedPolicy {
  const Condition = {
    StringEquals: { "aws:PrincipalTag/team": "web", "aws:RequestedRegion": "us-east-1" },
  };
  const Statement = Array.from({ length: STATEMENTS }, (_, index) => {
    const service = SERVICES[index % SERVICES.length] ?? "";
    return {
      Sid: `s${index}`,
      Effect: "Allow",
      Action: [`${service}:Describe*`, `${service}:List*`, `${service}:Get*`],
      // The last statement of the last policy is the one that allows the call.
      Resource:
        number === POLICIES - 1 && index === STATEMENTS - SERVICES.length
          ? `arn:aws:${service}:*:*:cluster/*`
          : `arn:aws:${service}:*:*:*/other-${number}-${index}-*`,
      ...(withConditions && { Condition }),
    };
  });
  const document = JSON.stringify({ Version: "2012-10-17", Statement });
  return {
    accountId: ACCOUNT_ID,
    policyName: `p${number}`,
    policyId: `ANPA${number}`,
    path: "/",
    description: "",
    versions: [{ versionId: "v1", document, createdAt: 1 }],
    defaultVersionId: "v1",
    lastVersionNumber: 1,
    tags: {},
    createdAt: 1,
    updatedAt: 1,
  };
}
