import assert from "node:assert/strict";
import { test } from "node:test";
import type { Call, Operation, Service } from "../door/service.ts";
import { ACCOUNT } from "./iam.fixture.ts";
import { withServiceLinkedRole } from "./on-demand-role.ts";
import { startApi } from "./operations/api.fixture.ts";
import { quotaExceeded } from "./operations/errors.ts";

const principal = "ecs.amazonaws.com";

function serviceOf(handle: Operation["handle"]): Service {
  const row: Operation = { support: "full", action: "ecs:Any", resources: () => ["*"], handle };
  return { name: "ecs", operations: { CreateCluster: row, ListClusters: row } };
}

async function callOperation(service: Service, name: string, call: Call): Promise<unknown> {
  return (service.operations[name] as Operation).handle({} as never, call);
}

test("the first operation that needs the role makes it; the others do not", async (t) => {
  const { run, call, iam } = await startApi(t);
  const service = withServiceLinkedRole(
    serviceOf(async () => "done"),
    { principal, operations: ["CreateCluster"] },
    iam.ensureServiceLinkedRole,
  );
  assert.equal(await callOperation(service, "ListClusters", call), "done");
  assert.deepEqual((await run("ListRoles", {})).Roles, []);
  for (let n = 0; n < 2; n++) {
    assert.equal(await callOperation(service, "CreateCluster", call), "done");
  }
  const { Roles } = await run("ListRoles", {});
  assert.deepEqual(
    Roles?.map(({ Arn }) => Arn),
    [`arn:aws:iam::${ACCOUNT}:role/aws-service-role/${principal}/AWSServiceRoleForECS`],
  );
});

test("a role that cannot be made is the operation's own error", async (t) => {
  const { call } = await startApi(t);
  const service = withServiceLinkedRole(
    serviceOf(async () => "done"),
    { principal, operations: ["CreateCluster"] },
    async () => {
      throw quotaExceeded("RolesPerAccount", 1000);
    },
  );
  await assert.rejects(callOperation(service, "CreateCluster", call), {
    code: "InvalidParameterException",
    message: /service linked role of ecs\.amazonaws\.com: Cannot exceed quota for RolesPerAccount/,
  });
});
