/** CloudWatch Logs as Debian's AWS CLI speaks it: `aws logs tail` and `filter-log-events` on a door with a real engine. */
import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import {
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  PutLogEventsCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { systemClock } from "../../src/lib/clock.ts";
import { startLogs } from "../../src/logs/logs.fixture.ts";
import { logsService } from "../../src/logs/operations.ts";
import { REGION, ROOT_KEY, startDoor, type TestDoor } from "../door-kit.ts";

/** Debian's, whatever other AWS CLI stands in the path. */
const AWS = "/usr/bin/aws";
const hasCli = spawnSync(AWS, ["--version"]).status === 0;
const skip = hasCli ? false : "the AWS CLI is not installed: apt-get install awscli";
const run = promisify(execFile);

const ENVIRONMENT = {
  ...process.env,
  PATH: "/usr/bin:/bin",
  AWS_ACCESS_KEY_ID: ROOT_KEY.accessKeyId,
  AWS_SECRET_ACCESS_KEY: ROOT_KEY.secretAccessKey,
  AWS_DEFAULT_REGION: REGION,
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  PYTHONUNBUFFERED: "1",
};
const NAMES = { logGroupName: "/demo/cli", logStreamName: "app/web/1" };

async function demo(t: TestContext): Promise<TestDoor> {
  const { deps } = await startLogs(t);
  const door = await startDoor({ services: [logsService({ ...deps, clock: systemClock })] });
  t.after(() => door[Symbol.asyncDispose]());
  await door.logs.send(new CreateLogGroupCommand(NAMES));
  await door.logs.send(new CreateLogStreamCommand(NAMES));
  return door;
}

async function put(door: TestDoor, ...messages: readonly string[]): Promise<void> {
  const now = systemClock.now();
  const logEvents = messages.map((message, i) => ({ timestamp: now + i, message }));
  await door.logs.send(new PutLogEventsCommand({ ...NAMES, logEvents }));
}

test("aws logs filter-log-events and tail print what is there", { skip }, async (t) => {
  const door = await demo(t);
  await put(door, "GET / 200", "ERROR it broke", "ERROR again");
  const endpoint = ["--endpoint-url", door.url];
  const filter = ["logs", "filter-log-events", "--log-group-name", NAMES.logGroupName];
  const { stdout } = await run(
    AWS,
    [...filter, "--filter-pattern", "ERROR", "--page-size", "1", ...endpoint],
    { env: ENVIRONMENT },
  );
  const { events } = JSON.parse(stdout) as { events: { message: string; eventId: string }[] };
  assert.deepEqual(
    events.map(({ message }) => message),
    ["ERROR it broke", "ERROR again"],
  );
  const tail = await run(AWS, ["logs", "tail", NAMES.logGroupName, ...endpoint], {
    env: ENVIRONMENT,
  });
  assert.match(tail.stdout, /app\/web\/1 GET \/ 200\n.*app\/web\/1 ERROR it broke\n.*again\n$/);
});

test("aws logs tail --follow prints each event once, as it comes", { skip }, async (t) => {
  const door = await demo(t);
  await put(door, "one", "two");
  const args = ["logs", "tail", NAMES.logGroupName, "--follow", "--format", "short"];
  const child = spawn(AWS, [...args, "--endpoint-url", door.url], {
    env: ENVIRONMENT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line.slice(line.indexOf(" ") + 1));
    // It looks again after five seconds, from the time of the last event on.
    if (line.endsWith("two")) await put(door, "three");
    if (line.endsWith("three")) child.kill("SIGINT");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  // An interrupted CLI ends its output with an empty line, if it still comes to that.
  assert.deepEqual(
    lines.filter((line) => line !== ""),
    ["one", "two", "three"],
  );
});
