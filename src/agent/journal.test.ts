import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SmallDisk } from "../../test/small-disk.ts";
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

test("ends are remembered for a time, and the last of them for longer", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "gantry-journal-"));
  t.after(() => rm(directory, { recursive: true }));
  using journal = new Journal(join(directory, "journal.sqlite"));
  const ends = { a1: 1000, a2: 2000, a3: 3000, a4: 4000 };
  for (const [id, at] of Object.entries(ends)) journal.forgetTask(id, at);
  const remembered = (): string[] => Object.keys(ends).filter((id) => journal.hasEnded(id));
  journal.dropEnded(3500, 4);
  assert.equal(remembered().length, 4, "the last four");
  journal.dropEnded(3500, 2);
  assert.deepEqual(remembered(), ["a3", "a4"], "the last two");
  journal.dropEnded(2500, 1);
  assert.deepEqual(remembered(), ["a3", "a4"], "those of the time");
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

test("with its room taken, a journal goes on while the disk is full, and opens there", (t) => {
  using disk = SmallDisk.mount(24 << 20);
  if (disk === undefined) return t.skip("needs the right to mount a tmpfs");
  const path = join(disk.path, "journal.sqlite");
  {
    using journal = new Journal(path);
    journal.takeRoom();
    disk.fill();
    for (const round of Array(20).keys()) writeRound(journal, round);
  }
  disk.fill();
  using journal = new Journal(path);
  journal.takeRoom();
  assert.equal(journal.tasks().length, TASKS);
  for (const round of Array(5).keys()) writeRound(journal, round);
});

test("a transaction for which there is no room says so, leaves nothing, and can be done again", (t) => {
  using disk = SmallDisk.mount(4 << 20);
  if (disk === undefined) return t.skip("needs the right to mount a tmpfs");
  using journal = new Journal(join(disk.path, "journal.sqlite"));
  disk.fill();
  assert.throws(() => journal.takeRoom(), /database or disk is full/);
  const receive = (): void =>
    journal.transaction(() => {
      for (const index of Array(TASKS).keys()) journal.putTask(newRecord(payloadTask(`a${index}`)));
    });
  assert.throws(receive, /database or disk is full/);
  assert.deepEqual(journal.tasks(), []);
  disk.relieve();
  receive();
  assert.equal(journal.tasks().length, TASKS);
});

const TASKS = 50;

/** What an agent with many tasks writes in a while. */
function writeRound(journal: Journal, round: number): void {
  for (const index of Array(TASKS).keys()) {
    const record = newRecord(payloadTask(`a${index}`));
    const { arn } = record.task;
    journal.putTask({ ...record, failure: "x".repeat(8_000 + round) });
    journal.putOffset(arn, "web", round, "quick");
  }
}
