import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  DeleteLogGroupCommand,
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
  GetLogEventsCommand,
  PutLogEventsCommand,
  paginateDescribeLogStreams,
  paginateFilterLogEvents,
  ResourceAlreadyExistsException,
  ResourceNotFoundException,
  StartLiveTailCommand,
  TestMetricFilterCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { ACCOUNT_ID, REGION, ROOT_KEY, startDoor } from "../../test/door-kit.ts";
import { NOW, startLogs } from "./logs.fixture.ts";
import { logsService } from "./operations.ts";

const NAMES = { logGroupName: "/demo/hello", logStreamName: "hello/web/1" };

test("the AWS SDK's own client writes, reads, pages and deletes", async (t) => {
  const { deps } = await startLogs(t);
  await using door = await startDoor({ services: [logsService(deps)] });
  const { logs } = door;
  await logs.send(new CreateLogGroupCommand(NAMES));
  await assert.rejects(logs.send(new CreateLogGroupCommand(NAMES)), ResourceAlreadyExistsException);
  await logs.send(new CreateLogStreamCommand(NAMES));
  await logs.send(new CreateLogStreamCommand({ ...NAMES, logStreamName: "hello/web/2" }));

  const logEvents = ["one", "zwei ü", "три 🚀"].map((message, i) => ({
    timestamp: NOW + i,
    message,
  }));
  const put = await logs.send(new PutLogEventsCommand({ ...NAMES, logEvents }));
  assert.match(put.nextSequenceToken ?? "", /^\d{56}$/);
  assert.equal(put.rejectedLogEventsInfo, undefined);

  const read = await logs.send(new GetLogEventsCommand(NAMES));
  assert.deepEqual(
    read.events,
    logEvents.map((event) => ({ ...event, ingestionTime: NOW })),
  );
  const end = await logs.send(
    new GetLogEventsCommand({ ...NAMES, nextToken: read.nextForwardToken, startFromHead: true }),
  );
  assert.deepEqual(end.events, []);
  assert.equal(end.nextForwardToken, read.nextForwardToken);

  const { logGroups } = await logs.send(new DescribeLogGroupsCommand());
  assert.equal(logGroups?.[0]?.creationTime, NOW);
  assert.deepEqual(await streamNames(logs), ["hello/web/1", "hello/web/2"]);

  await logs.send(new DeleteLogGroupCommand(NAMES));
  await assert.rejects(logs.send(new DescribeLogStreamsCommand(NAMES)), ResourceNotFoundException);
});

test("the AWS SDK's own client searches, page by page, and tests patterns", async (t) => {
  const { deps } = await startLogs(t);
  await using door = await startDoor({ services: [logsService(deps)] });
  const { logs: client } = door;
  await client.send(new CreateLogGroupCommand(NAMES));
  await client.send(new CreateLogStreamCommand(NAMES));
  const logEvents = Array.from({ length: 25 }, (_, i) => ({
    timestamp: NOW + i,
    message: JSON.stringify({ i, isEven: i % 2 === 0 }),
  }));
  await client.send(new PutLogEventsCommand({ ...NAMES, logEvents }));
  const found: (string | undefined)[] = [];
  const { logGroupName } = NAMES;
  const search = { logGroupName, filterPattern: "{ $.isEven IS TRUE }", limit: 5 };
  for await (const { events = [] } of paginateFilterLogEvents({ client }, search)) {
    found.push(...events.map(({ message }) => message));
  }
  assert.deepEqual(
    found,
    logEvents.filter((_, i) => i % 2 === 0).map(({ message }) => message),
  );
  const { matches } = await client.send(
    new TestMetricFilterCommand({
      filterPattern: "[level=ERROR, ...]",
      logEventMessages: ["INFO all is well", "ERROR it broke"],
    }),
  );
  assert.deepEqual(matches, [
    {
      eventNumber: 2,
      eventMessage: "ERROR it broke",
      extractedValues: { $level: "ERROR", $2: "it", $3: "broke" },
    },
  ]);
});

test("the AWS SDK's own client tails a group live, and its leaving ends the session", async (t) => {
  const { deps, clock } = await startLogs(t);
  await using door = await startDoor({ services: [logsService(deps)] });
  await door.logs.send(new CreateLogGroupCommand(NAMES));
  await door.logs.send(new CreateLogStreamCommand(NAMES));
  const client = new CloudWatchLogsClient({
    endpoint: door.url,
    region: REGION,
    credentials: ROOT_KEY,
    // The SDK would call the host `streaming-logs.…` or `stream-…`: no name for an address.
    disableHostPrefix: true,
  });
  t.after(() => client.destroy());
  const arn = `arn:aws:logs:${REGION}:${ACCOUNT_ID}:log-group:${NAMES.logGroupName}`;
  const { responseStream } = await client.send(
    new StartLiveTailCommand({ logGroupIdentifiers: [arn], logEventFilterPattern: "hello" }),
  );
  assert.ok(responseStream);
  let isStarted = false;
  for await (const { sessionStart, sessionUpdate } of responseStream) {
    if (sessionStart) {
      assert.deepEqual(sessionStart.logGroupIdentifiers, [arn]);
      isStarted = true;
      const logEvents = ["hello", "other"].map((message) => ({ timestamp: NOW, message }));
      await door.logs.send(new PutLogEventsCommand({ ...NAMES, logEvents }));
      while (clock.sleeperCount === 0) await setImmediate();
      await clock.advance(1_000);
    }
    if (sessionUpdate === undefined) continue;
    assert.deepEqual(
      sessionUpdate.sessionResults?.map(({ message }) => message),
      ["hello"],
    );
    break;
  }
  assert.ok(isStarted);
  client.destroy();
  // The session's next look at its clock finds that its reader has gone.
  while (clock.sleeperCount > 0) {
    await clock.advance(1_000);
    await setImmediate();
  }
});

async function streamNames(client: CloudWatchLogsClient): Promise<(string | undefined)[]> {
  const { logGroupName } = NAMES;
  const names: (string | undefined)[] = [];
  for await (const page of paginateDescribeLogStreams({ client, pageSize: 1 }, { logGroupName })) {
    names.push(...(page.logStreams ?? []).map(({ logStreamName }) => logStreamName));
  }
  return names;
}
