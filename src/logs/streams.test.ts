import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { putLogEvents } from "./events.ts";
import { createLogGroup } from "./groups.ts";
import { createDemo, NOW, startLogs } from "./logs.fixture.ts";
import { createLogStream, deleteLogStream, describeLogStreams } from "./streams.ts";

describe("CreateLogStream and DeleteLogStream", () => {
  test("refuse what AWS refuses, in its words", async (t) => {
    const kit = await startLogs(t);
    const { deps, call } = kit;
    const names = await createDemo(kit);
    await assert.rejects(createLogStream(deps, names, call), {
      code: "ResourceAlreadyExistsException",
      message: "The specified log stream already exists",
    });
    await assert.rejects(createLogStream(deps, { ...names, logGroupName: "nope" }, call), {
      code: "ResourceNotFoundException",
      message: "The specified log group does not exist.",
    });
    for (const logStreamName of ["a:b", "a*", "", "\ud800", "x".repeat(513)]) {
      const error = { code: "InvalidParameterException" };
      await assert.rejects(createLogStream(deps, { ...names, logStreamName }, call), error);
    }
    await createLogStream(deps, { ...names, logStreamName: "web/[$LATEST] ü/%2F" }, call);
    await deleteLogStream(deps, { ...names, logStreamName: "web/[$LATEST] ü/%2F" }, call);
    await assert.rejects(deleteLogStream(deps, { ...names, logStreamName: "nope" }, call), {
      code: "ResourceNotFoundException",
      message: "The specified log stream does not exist.",
    });
  });

  test("a stream made again under its name does not have the former's events", async (t) => {
    const kit = await startLogs(t);
    const { deps, call } = kit;
    const names = await createDemo(kit);
    await putLogEvents(deps, { ...names, logEvents: [{ timestamp: NOW, message: "x" }] }, call);
    await deleteLogStream(deps, names, call);
    await createLogStream(deps, names, call);
    const { logStreams } = await describeLogStreams(deps, { logGroupName: "/demo" }, call);
    assert.equal(logStreams?.[0]?.lastEventTimestamp, undefined);
  });
});

describe("DescribeLogStreams", () => {
  test("gives a stream as AWS does", async (t) => {
    const kit = await startLogs(t);
    const { deps, call } = kit;
    const names = await createDemo(kit);
    const logEvents = [
      { timestamp: NOW - 10, message: "a" },
      { timestamp: NOW - 5, message: "b" },
    ];
    const { nextSequenceToken } = await putLogEvents(deps, { ...names, logEvents }, call);
    const logGroupIdentifier = "arn:aws:logs:eu-central-1:000000000000:log-group:/demo";
    assert.deepEqual(await describeLogStreams(deps, { logGroupIdentifier }, call), {
      logStreams: [
        {
          logStreamName: "web",
          creationTime: NOW,
          firstEventTimestamp: NOW - 10,
          lastEventTimestamp: NOW - 5,
          lastIngestionTime: NOW,
          uploadSequenceToken: nextSequenceToken,
          arn: `${logGroupIdentifier}:log-stream:web`,
          storedBytes: 0,
        },
      ],
    });
  });

  test("pages by name or by last event, both ways", async (t) => {
    const { deps, call } = await startLogs(t);
    const logGroupName = "g";
    await createLogGroup(deps, { logGroupName }, call);
    const byTime = ["quiet", "d", "a", "c", "b"];
    for (const [i, logStreamName] of byTime.entries()) {
      await createLogStream(deps, { logGroupName, logStreamName }, call);
      const logEvents = [{ timestamp: NOW + Math.floor(i / 2), message: "x" }];
      if (i > 0) await putLogEvents(deps, { logGroupName, logStreamName, logEvents }, call);
    }
    const listAll = async (input: { orderBy?: "LastEventTime"; descending?: boolean }) => {
      const names: (string | undefined)[] = [];
      let nextToken: string | undefined;
      do {
        const asked = { logGroupName, limit: 2, ...input, ...(nextToken && { nextToken }) };
        const page = await describeLogStreams(deps, asked, call);
        names.push(...(page.logStreams ?? []).map(({ logStreamName }) => logStreamName));
        nextToken = page.nextToken;
      } while (nextToken !== undefined);
      return names;
    };
    assert.deepEqual(await listAll({}), ["a", "b", "c", "d", "quiet"]);
    assert.deepEqual(await listAll({ descending: true }), ["quiet", "d", "c", "b", "a"]);
    const ascending = ["quiet", "d", "a", "c", "b"];
    assert.deepEqual(await listAll({ orderBy: "LastEventTime" }), ascending);
    const last = await listAll({ orderBy: "LastEventTime", descending: true });
    assert.deepEqual(last, ascending.toReversed());
  });

  test("takes the longest names that there can be", async (t) => {
    const { deps, call } = await startLogs(t);
    const logGroupName = "/".repeat(512);
    await createLogGroup(deps, { logGroupName }, call);
    for (const letter of ["/", "x", "ü", "語", "🦓".slice(0, 2)]) {
      const logStreamName = letter.repeat(512 / letter.length);
      const named = { logGroupName, logStreamName };
      await createLogStream(deps, named, call);
      await putLogEvents(deps, { ...named, logEvents: [{ timestamp: NOW, message: "x" }] }, call);
      const { logStreams } = await describeLogStreams(
        deps,
        { logGroupName, logStreamNamePrefix: logStreamName },
        call,
      );
      assert.deepEqual(
        logStreams?.map((stream) => stream.logStreamName),
        [logStreamName],
      );
    }
  });

  test("finds by the beginning of a name, whatever is in it", async (t) => {
    const { deps, call } = await startLogs(t);
    const logGroupName = "g";
    await createLogGroup(deps, { logGroupName }, call);
    const names = ["ecs/web/1", "ecs/web/2", "ecs/webhook/1", "[$LATEST]1", "[$LATEST]2", "über 1"];
    for (const logStreamName of names) {
      await createLogStream(deps, { logGroupName, logStreamName }, call);
    }
    for (const logStreamNamePrefix of ["ecs/", "ecs/web", "ecs/web/", "[$", "ü", "über 1", "x"]) {
      const { logStreams = [] } = await describeLogStreams(
        deps,
        { logGroupName, logStreamNamePrefix },
        call,
      );
      assert.deepEqual(
        logStreams.map(({ logStreamName }) => logStreamName),
        names.filter((name) => name.startsWith(logStreamNamePrefix)),
        logStreamNamePrefix,
      );
    }
  });

  test("parameters that contradict each other are refused", async (t) => {
    const kit = await startLogs(t);
    const { deps, call } = kit;
    const { logGroupName } = await createDemo(kit);
    for (const input of [
      { logGroupName, orderBy: "LastEventTime" as const, logStreamNamePrefix: "w" },
      { logGroupName, logGroupIdentifier: "/demo" },
      {},
      { logGroupName, limit: 51 },
    ]) {
      const error = { code: "InvalidParameterException" };
      await assert.rejects(describeLogStreams(deps, input, call), error, JSON.stringify(input));
    }
  });
});
