import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Journal } from "./journal.ts";
import { newRecord } from "./task-record.ts";
import { payloadTask } from "./testing/rig.fixture.ts";

test("what was written is there after the file is opened again", async () => {
  const directory = await mkdtemp(join(tmpdir(), "gantry-journal-"));
  const path = join(directory, "journal.sqlite");
  const record = newRecord(payloadTask("a1"));
  const reported = { task: "RUNNING", containers: { web: "RUNNING" } } as const;
  try {
    {
      using journal = new Journal(path);
      journal.putTask(record);
      journal.putReported(record.task.arn, reported);
      journal.putOffset(record.task.arn, "web", 17, "quick");
      journal.putSequenceNumber(5);
      journal.putSequenceNumber(3);
      journal.putRegistration({ cluster: "default", containerInstanceArn: "arn" });
    }
    using journal = new Journal(path);
    assert.deepEqual(journal.tasks(), [record]);
    assert.deepEqual(journal.reported(record.task.arn), reported);
    assert.equal(journal.offset(record.task.arn, "web"), 17);
    assert.equal(journal.sequenceNumber(), 5, "it never goes back");
    assert.equal(journal.registration()?.containerInstanceArn, "arn");
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("a forgotten task leaves only the memory of its end, and that for a time", () => {
  using journal = new Journal(":memory:");
  const record = newRecord(payloadTask("a1"));
  journal.putTask(record);
  journal.forgetTask(record.task.arn, 1000);
  assert.deepEqual(journal.tasks(), []);
  assert.ok(journal.hasEnded(record.task.arn));
});

test("a transaction that throws leaves nothing", () => {
  using journal = new Journal(":memory:");
  assert.throws(() =>
    journal.transaction(() => {
      journal.putTask(newRecord(payloadTask("a1")));
      throw new Error("no");
    }),
  );
  assert.deepEqual(journal.tasks(), []);
});
