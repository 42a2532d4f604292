import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { putLogEvents } from "./events.ts";
import { createLogGroup, deleteLogGroup, describeLogGroups } from "./groups.ts";
import { callOf, createDemo, NOW, startLogs } from "./logs.fixture.ts";
import { deleteRetentionPolicy, putRetentionPolicy } from "./retention.ts";
import { createLogStream, describeLogStreams } from "./streams.ts";

describe("CreateLogGroup", () => {
  test("the same group twice at once gives exactly one success", async (t) => {
    const { deps, call } = await startLogs(t);
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, () => createLogGroup(deps, { logGroupName: "g" }, call)),
    );
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    await assert.rejects(createLogGroup(deps, { logGroupName: "g" }, call), {
      code: "ResourceAlreadyExistsException",
      message: "The specified log group already exists",
    });
  });

  test("a name outside AWS's rules is refused, naming the rule", async (t) => {
    const { deps, call } = await startLogs(t);
    for (const [logGroupName, message] of [
      ["a:b", /'a:b' at 'logGroupName' .* regular expression pattern: \[\\\.\\-_\/#A-Za-z0-9]\+$/],
      ["", /length greater than or equal to 1$/],
      ["x".repeat(513), /length less than or equal to 512$/],
      ["aws/mine", /reserved for AWS/],
    ] as const) {
      const error = { code: "InvalidParameterException", message };
      await assert.rejects(createLogGroup(deps, { logGroupName }, call), error);
    }
  });

  test("what would not be done is refused: encryption by a key, classes without their features", async (t) => {
    const { deps, call } = await startLogs(t);
    const refused = { code: "InvalidParameterException" };
    const input = { logGroupName: "g" };
    await assert.rejects(createLogGroup(deps, { ...input, kmsKeyId: "k" }, call), refused);
    await assert.rejects(
      createLogGroup(deps, { ...input, logGroupClass: "DELIVERY" }, call),
      refused,
    );
    assert.deepEqual((await describeLogGroups(deps, {}, call)).logGroups, []);
  });
});

describe("DescribeLogGroups", () => {
  test("gives a group as AWS does", async (t) => {
    const kit = await startLogs(t);
    const { deps, call } = kit;
    const names = await createDemo(kit);
    await putRetentionPolicy(deps, { ...names, retentionInDays: 7 }, call);
    await putLogEvents(deps, { ...names, logEvents: [{ timestamp: NOW, message: "hello" }] }, call);
    const arn = "arn:aws:logs:eu-central-1:000000000000:log-group:/demo";
    assert.deepEqual(await describeLogGroups(deps, {}, call), {
      logGroups: [
        {
          logGroupName: "/demo",
          creationTime: NOW,
          arn: `${arn}:*`,
          retentionInDays: 7,
          metricFilterCount: 0,
          storedBytes: 5,
          logGroupClass: "STANDARD",
          logGroupArn: arn,
          deletionProtectionEnabled: false,
        },
      ],
    });
    await deleteRetentionPolicy(deps, names, call);
    const { logGroups } = await describeLogGroups(deps, {}, call);
    assert.equal(logGroups?.[0]?.retentionInDays, undefined);
    const unknownDays = putRetentionPolicy(deps, { ...names, retentionInDays: 2 }, call);
    await assert.rejects(unknownDays, { code: "InvalidParameterException" });
  });

  test("pages through all groups in order of name, and filters", async (t) => {
    const { deps, call } = await startLogs(t);
    const all = ["/b", "/b-1", "/b/1", "A", "a.b", "c"];
    for (const logGroupName of all.toReversed()) await createLogGroup(deps, { logGroupName }, call);
    await createLogGroup(deps, { logGroupName: "theirs" }, callOf("111111111111"));

    const seen: (string | undefined)[] = [];
    let nextToken: string | undefined;
    do {
      const page = await describeLogGroups(
        deps,
        { limit: 4, ...(nextToken && { nextToken }) },
        call,
      );
      seen.push(...(page.logGroups ?? []).map(({ logGroupName }) => logGroupName));
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
    assert.deepEqual(seen, all);

    const namesOf = async (input: Parameters<typeof describeLogGroups>[1]) =>
      (await describeLogGroups(deps, input, call)).logGroups?.map((group) => group.logGroupName);
    assert.deepEqual(await namesOf({ logGroupNamePrefix: "/b" }), ["/b", "/b-1", "/b/1"]);
    assert.deepEqual(await namesOf({ logGroupNamePattern: "b" }), ["/b", "/b-1", "/b/1", "a.b"]);
    assert.deepEqual(await namesOf({ logGroupIdentifiers: ["c", "nope"] }), ["c"]);
    assert.deepEqual(await namesOf({ logGroupClass: "INFREQUENT_ACCESS" }), []);
    assert.deepEqual(await namesOf({ accountIdentifiers: ["111111111111"] }), []);
  });

  test("parameters that contradict each other, or are no token, are refused", async (t) => {
    const { deps, call } = await startLogs(t);
    for (const input of [
      { logGroupNamePrefix: "a", logGroupNamePattern: "b" },
      { logGroupIdentifiers: ["a"], logGroupNamePrefix: "b" },
      { limit: 51 },
      { limit: 0 },
      { nextToken: "nonsense" },
    ]) {
      const error = { code: "InvalidParameterException" };
      await assert.rejects(describeLogGroups(deps, input, call), error, JSON.stringify(input));
    }
  });
});

describe("DeleteLogGroup", () => {
  test("takes streams and events along, and a new group of the name begins empty", async (t) => {
    const kit = await startLogs(t);
    const { deps, call } = kit;
    const names = await createDemo(kit);
    await putLogEvents(deps, { ...names, logEvents: [{ timestamp: NOW, message: "hello" }] }, call);
    await deleteLogGroup(deps, names, call);
    assert.deepEqual([...deps.logStore.streamIds()], []);
    assert.deepEqual((await deps.store.list("/")).records, []);
    await assert.rejects(describeLogStreams(deps, { logGroupName: "/demo" }, call), {
      code: "ResourceNotFoundException",
      message: "The specified log group does not exist.",
    });
    await createLogGroup(deps, names, call);
    assert.deepEqual(await describeLogStreams(deps, { logGroupName: "/demo" }, call), {
      logStreams: [],
    });
    await assert.rejects(deleteLogGroup(deps, { logGroupName: "nope" }, call), {
      code: "ResourceNotFoundException",
    });
  });

  test("a stream made while its group is deleted never outlives the group", async (t) => {
    const { deps, call } = await startLogs(t);
    await createLogGroup(deps, { logGroupName: "g" }, call);
    await Promise.allSettled([
      createLogStream(deps, { logGroupName: "g", logStreamName: "a" }, call),
      deleteLogGroup(deps, { logGroupName: "g" }, call),
      createLogStream(deps, { logGroupName: "g", logStreamName: "b" }, call),
    ]);
    assert.deepEqual((await deps.store.list("/")).records, []);
  });

  test("deletion protection protects", async (t) => {
    const { deps, call } = await startLogs(t);
    const input = { logGroupName: "g", deletionProtectionEnabled: true };
    await createLogGroup(deps, input, call);
    await assert.rejects(deleteLogGroup(deps, input, call), { code: "ValidationException" });
    assert.equal((await describeLogGroups(deps, {}, call)).logGroups?.length, 1);
  });
});
