import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  DeleteLogGroupCommand,
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
  GetLogEventsCommand,
  PutLogEventsCommand,
  paginateDescribeLogStreams,
  ResourceAlreadyExistsException,
  ResourceNotFoundException,
} from "@aws-sdk/client-cloudwatch-logs";
import { startDoor } from "../../test/door-kit.ts";
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

async function streamNames(client: CloudWatchLogsClient): Promise<(string | undefined)[]> {
  const { logGroupName } = NAMES;
  const names: (string | undefined)[] = [];
  for await (const page of paginateDescribeLogStreams({ client, pageSize: 1 }, { logGroupName })) {
    names.push(...(page.logStreams ?? []).map(({ logStreamName }) => logStreamName));
  }
  return names;
}
