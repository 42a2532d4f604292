import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Operation } from "../door/service.ts";
import { createLogGroup } from "./groups.ts";
import { createDemo, NOW, startLogs } from "./logs.fixture.ts";
import { logsService } from "./operations.ts";

describe("logsService()", () => {
  test("asks for each operation's own action, on ARNs that policies for `group:*` match", async (t) => {
    const { deps, call } = await startLogs(t);
    const arn = "arn:aws:logs:eu-central-1:000000000000:log-group:/demo";
    const group = `${arn}:log-stream:`;
    const input = {
      logGroupName: "/demo",
      logStreamName: "web",
      resourceArn: arn,
      logGroupIdentifiers: [arn],
    };
    const expected = (name: string): string => {
      if (name === "TestMetricFilter") return "*";
      if (name === "DescribeLogGroups") return group.replace("/demo", "");
      if (/Tag|Untag/.test(name)) return arn;
      return /^(Put|Get)LogEvents|(Create|Delete)LogStream/.test(name) ? `${group}web` : group;
    };
    for (const [name, operation] of Object.entries(logsService(deps).operations)) {
      const { action, resources } = operation as Operation<object>;
      assert.equal(action, `logs:${name}`);
      const given =
        name === "PutLogGroupDeletionProtection"
          ? { logGroupIdentifier: arn }
          : name === "TagResource"
            ? { resourceArn: arn }
            : input;
      assert.deepEqual(resources(given, call), [expected(name)], name);
    }
    const { resources } = logsService(deps).operations.GetLogEvents as Operation<object>;
    const logGroupIdentifier = "arn:aws:logs:eu-central-1:000000000000:log-group:/demo";
    assert.deepEqual(resources({ logGroupIdentifier, logStreamName: "web" }, call), [
      `${group}web`,
    ]);
  });

  test("gives policies the tags of the group and of the request", async (t) => {
    const { deps, call } = await startLogs(t);
    await createLogGroup(deps, { logGroupName: "/demo", tags: { team: "a" } }, call);
    const resourceArn = "arn:aws:logs:eu-central-1:000000000000:log-group:/demo";
    const conditions = (name: string, input: object): unknown => {
      const { operations } = logsService(deps);
      return (operations[name] as Operation<object>).conditions?.(input, call, "");
    };
    const own = { "aws:ResourceTag/team": "a" };
    assert.deepEqual(conditions("GetLogEvents", { logGroupIdentifier: "/demo" }), own);
    assert.deepEqual(conditions("TagResource", { resourceArn, tags: { b: "1" } }), {
      ...own,
      "aws:RequestTag/b": "1",
      "aws:TagKeys": ["b"],
    });
    assert.deepEqual(conditions("UntagResource", { resourceArn, tagKeys: ["b"] }), {
      ...own,
      "aws:TagKeys": ["b"],
    });
    const untag = { logGroupName: "/other", tags: ["b"] };
    assert.deepEqual(conditions("UntagLogGroup", untag), { "aws:TagKeys": ["b"] });
  });

  test("answers ServiceUnavailableException while events cannot be written", async (t) => {
    const kit = await startLogs(t);
    const { deps, call } = kit;
    const names = await createDemo(kit);
    await deps.logStore.close();
    const operation = logsService(deps).operations.PutLogEvents as Operation<object>;
    await assert.rejects(
      operation.handle({ ...names, logEvents: [{ timestamp: NOW, message: "x" }] }, call),
      { code: "ServiceUnavailableException", status: 503 },
    );
  });
});
