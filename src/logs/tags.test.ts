import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createLogGroup, deleteLogGroup, putLogGroupDeletionProtection } from "./groups.ts";
import { startLogs } from "./logs.fixture.ts";
import {
  listTagsForResource,
  listTagsLogGroup,
  tagLogGroup,
  tagResource,
  untagLogGroup,
  untagResource,
} from "./tags.ts";

const GROUP = { logGroupName: "/demo" };
const RESOURCE = { resourceArn: "arn:aws:logs:eu-central-1:000000000000:log-group:/demo" };

describe("tags of log groups", () => {
  test("are the same by ARN and by name", async (t) => {
    const { deps, call } = await startLogs(t);
    await createLogGroup(deps, { ...GROUP, tags: { a: "1" } }, call);
    await tagResource(deps, { ...RESOURCE, tags: { b: "2", a: "" } }, call);
    await tagLogGroup(deps, { ...GROUP, tags: { c: "3" } }, call);
    assert.deepEqual(await listTagsForResource(deps, RESOURCE, call), {
      tags: { a: "", b: "2", c: "3" },
    });
    await untagResource(deps, { ...RESOURCE, tagKeys: ["a", "none"] }, call);
    await untagLogGroup(deps, { ...GROUP, tags: ["b"] }, call);
    assert.deepEqual(await listTagsLogGroup(deps, GROUP, call), { tags: { c: "3" } });
  });

  test("are refused by AWS's rules", async (t) => {
    const { deps, call } = await startLogs(t);
    await createLogGroup(deps, GROUP, call);
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, "v"]));
    await tagResource(deps, { ...RESOURCE, tags: many }, call);
    await assert.rejects(tagResource(deps, { ...RESOURCE, tags: { one: "more" } }, call), {
      code: "TooManyTagsException",
    });
    const invalid = { code: "InvalidParameterException" };
    await assert.rejects(tagLogGroup(deps, { ...GROUP, tags: { one: "more" } }, call), invalid);
    for (const tags of [{}, { "aws:x": "1" }, { "a\u0000": "1" }, { ["k".repeat(129)]: "1" }]) {
      await assert.rejects(tagResource(deps, { ...RESOURCE, tags }, call), invalid);
    }
    const stream = `${RESOURCE.resourceArn}:log-stream:x`;
    for (const resourceArn of ["/demo", "arn:aws:s3:::bucket", stream]) {
      await assert.rejects(listTagsForResource(deps, { resourceArn }, call), invalid);
    }
    await assert.rejects(listTagsLogGroup(deps, { logGroupName: "/gone" }, call), {
      code: "ResourceNotFoundException",
    });
  });

  test("deletion protection can be put on and taken off", async (t) => {
    const { deps, call } = await startLogs(t);
    await createLogGroup(deps, GROUP, call);
    const protect = (deletionProtectionEnabled: boolean): Promise<unknown> =>
      putLogGroupDeletionProtection(
        deps,
        { logGroupIdentifier: RESOURCE.resourceArn, deletionProtectionEnabled },
        call,
      );
    await protect(true);
    await assert.rejects(deleteLogGroup(deps, GROUP, call), { code: "ValidationException" });
    await protect(false);
    await deleteLogGroup(deps, GROUP, call);
  });
});
