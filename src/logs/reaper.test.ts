import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { putLogEvents } from "./events.ts";
import { createLogGroup, deleteLogGroup } from "./groups.ts";
import { createDemo, NOW, startLogs } from "./logs.fixture.ts";
import { DAY_MS, groupKey } from "./model.ts";
import { reapLogs, runLogReaper } from "./reaper.ts";
import { putRetentionPolicy } from "./retention.ts";
import { createLogStream } from "./streams.ts";

describe("reapLogs()", () => {
  test("finishes a deletion that a crash cut short, and leaves the living alone", async (t) => {
    const kit = await startLogs(t);
    const { deps, call } = kit;
    const names = await createDemo(kit);
    await putLogEvents(deps, { ...names, logEvents: [{ timestamp: NOW, message: "x" }] }, call);
    await deps.logStore.append("orphan", [{ timestamp: NOW, ingestedAt: NOW, message: "x" }]);
    await reapLogs(deps);
    assert.equal([...deps.logStore.streamIds()].length, 1);

    const key = groupKey({ accountId: "000000000000", region: "eu-central-1" }, "/demo");
    const result = await deps.store.txn([], [{ key, value: undefined }]);
    assert.ok(result.ok);
    await deps.cache.reached(result.revision);
    await reapLogs(deps);
    assert.deepEqual([...deps.logStore.streamIds()], []);
    assert.deepEqual((await deps.store.list("/")).records, []);
  });

  test("a group goes with all its streams, however many", async (t) => {
    const { deps, call } = await startLogs(t);
    const logGroupName = "g";
    await createLogGroup(deps, { logGroupName }, call);
    const names = Array.from({ length: 300 }, (_, number) => `s${number}`);
    for (const logStreamName of names) {
      await createLogStream(deps, { logGroupName, logStreamName }, call);
    }
    await deleteLogGroup(deps, { logGroupName }, call);
    assert.deepEqual((await deps.store.list("/")).records, []);
  });

  test("gives back the space of expired events", async (t) => {
    const kit = await startLogs(t);
    const { deps, call, clock } = kit;
    const names = await createDemo(kit);
    await putLogEvents(deps, { ...names, logEvents: [{ timestamp: NOW, message: "x" }] }, call);
    await putRetentionPolicy(deps, { ...names, retentionInDays: 1 }, call);
    const [streamId = ""] = deps.logStore.streamIds();

    const abort = new AbortController();
    const running = runLogReaper(deps, abort.signal);
    await clock.advance(DAY_MS);
    assert.equal(deps.logStore.stat(streamId)?.bytes, 1);
    await clock.advance(DAY_MS);
    assert.equal(deps.logStore.stat(streamId), undefined);
    abort.abort();
    await running;
  });
});
