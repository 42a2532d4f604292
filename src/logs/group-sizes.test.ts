import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogStore } from "../telemetry/log-store.ts";
import { putLogEvents } from "./events.ts";
import { GroupSizes } from "./group-sizes.ts";
import { createLogGroup, deleteLogGroup, describeLogGroups } from "./groups.ts";
import { type LogsKit, NOW, startLogs } from "./logs.fixture.ts";
import { DAY_MS } from "./model.ts";
import { reapLogs } from "./reaper.ts";
import { getGroup, scopeOf } from "./records.ts";
import { putRetentionPolicy } from "./retention.ts";
import { createLogStream, deleteLogStream } from "./streams.ts";

const GROUP = { logGroupName: "/demo" };

async function storedBytes({ deps, call }: LogsKit): Promise<number | undefined> {
  return (await describeLogGroups(deps, {}, call)).logGroups?.[0]?.storedBytes;
}

test("a group's size follows its streams as they grow, expire and go", async (t) => {
  const kit = await startLogs(t);
  const { deps, call, clock } = kit;
  const put = (logStreamName: string, message: string): Promise<unknown> => {
    const logEvents = [{ timestamp: clock.now(), message }];
    return putLogEvents(deps, { ...GROUP, logStreamName, logEvents }, call);
  };
  await createLogGroup(deps, GROUP, call);
  for (const logStreamName of ["one", "two", "three"]) {
    await createLogStream(deps, { ...GROUP, logStreamName }, call);
  }
  await put("one", "12345");
  assert.equal(await storedBytes(kit), 5);
  await put("one", "6");
  await put("two", "ä");
  assert.equal(await storedBytes(kit), 8);
  await deleteLogStream(deps, { ...GROUP, logStreamName: "two" }, call);
  assert.equal(await storedBytes(kit), 6);

  await putRetentionPolicy(deps, { ...GROUP, retentionInDays: 1 }, call);
  await clock.advance(3 * DAY_MS);
  await put("three", "xyz");
  await reapLogs(deps);
  assert.equal(await storedBytes(kit), 3);

  await deleteLogGroup(deps, GROUP, call);
  await createLogGroup(deps, GROUP, call);
  assert.equal(await storedBytes(kit), 0);
  await createLogStream(deps, { ...GROUP, logStreamName: "one" }, call);
  await put("one", "12");
  assert.equal(await storedBytes(kit), 2);
});

test("a group's size is added up once: asking again looks at no stream", async (t) => {
  const kit = await startLogs(t);
  const { deps, call } = kit;
  await createLogGroup(deps, GROUP, call);
  const names = Array.from({ length: 5 }, (_, number) => `s${number}`);
  for (const logStreamName of names) {
    await createLogStream(deps, { ...GROUP, logStreamName }, call);
    const logEvents = [{ timestamp: NOW, message: "x" }];
    await putLogEvents(deps, { ...GROUP, logStreamName, logEvents }, call);
  }
  const looked: string[] = [];
  const logStore: Pick<LogStore, "stat" | "subscribe"> = {
    subscribe: (listener) => deps.logStore.subscribe(listener),
    stat: (id) => {
      looked.push(id);
      return deps.logStore.stat(id);
    },
  };
  const sizes = new GroupSizes({ cache: deps.cache, logStore });
  const { value: group } = getGroup(deps, scopeOf(call), GROUP.logGroupName);
  assert.equal(sizes.of(group), 5);
  assert.equal(looked.length, 5);
  assert.equal(sizes.of(group), 5);
  assert.equal(looked.length, 5);
});
