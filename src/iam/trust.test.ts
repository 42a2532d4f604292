import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CompiledPolicies } from "./compiled-policies.ts";
import { ACCOUNT, startIam } from "./iam.fixture.ts";
import { trusting, writeRole } from "./model/role.fixture.ts";
import { createServiceTrust } from "./trust.ts";

const OTHER = "222222222222";
const OWN_CLUSTER = `arn:aws:ecs:us-east-1:${ACCOUNT}:cluster/demo`;

describe("a service", () => {
  const request = {
    roleArn: `arn:aws:iam::${ACCOUNT}:role/app`,
    accountId: ACCOUNT,
    region: "us-east-1",
    service: "ecs-tasks.amazonaws.com",
    sourceArn: OWN_CLUSTER,
  };

  test("acts in roles of the account that trust it", async (t) => {
    const iam = await startIam(t);
    const serviceTrust = createServiceTrust({ ...iam.deps, compiled: new CompiledPolicies() });
    assert.equal(serviceTrust(request), undefined);
    await iam.write(writeRole());
    assert.equal(serviceTrust(request)?.roleName, "app");
    assert.equal(serviceTrust({ ...request, service: "ec2.amazonaws.com" }), undefined);
    assert.equal(serviceTrust({ ...request, accountId: OTHER }), undefined);
    const wrongPath = `arn:aws:iam::${ACCOUNT}:role/path/app`;
    assert.equal(serviceTrust({ ...request, roleArn: wrongPath }), undefined);
  });

  test("and only on account of what the role names", async (t) => {
    const iam = await startIam(t);
    const serviceTrust = createServiceTrust({ ...iam.deps, compiled: new CompiledPolicies() });
    const trustOf = (sourceAccount: string): string =>
      trusting("ecs-tasks.amazonaws.com").replace(
        '"Action"',
        `"Condition":{"StringEquals":{"aws:SourceAccount":"${sourceAccount}"},"ArnLike":{"aws:SourceArn":"arn:aws:ecs:us-east-1:${ACCOUNT}:*"}},"Action"`,
      );
    await iam.write(writeRole({ trustPolicy: trustOf(ACCOUNT) }));
    assert.ok(serviceTrust(request));
    await iam.write(writeRole({ trustPolicy: trustOf(OTHER) }));
    assert.equal(serviceTrust(request), undefined);
  });
});
