/** The machine's disk fills up, as any of its tasks can make it: nothing can be journalled for a while. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SmallDisk } from "../../test/small-disk.ts";
import { RuntimeError } from "../runtime/runtime.ts";
import { type Disk, machineDisk, type Output } from "./disk.ts";
import { Journal } from "./journal.ts";
import { awslogs, checked, payloadContainer, payloadTask, Rig } from "./testing/rig.fixture.ts";
import { pass, passUntil } from "./testing/time.fixture.ts";

/** A journal whose writes fail while there is no room. */
class RoomyJournal extends Journal {
  static isFull = false;

  override putTask(...args: Parameters<Journal["putTask"]>): void {
    demandRoom();
    super.putTask(...args);
  }

  override putReported(...args: Parameters<Journal["putReported"]>): void {
    demandRoom();
    super.putReported(...args);
  }

  override putOffset(...args: Parameters<Journal["putOffset"]>): void {
    demandRoom();
    super.putOffset(...args);
  }

  override forgetTask(...args: Parameters<Journal["forgetTask"]>): void {
    demandRoom();
    super.forgetTask(...args);
  }
}

function demandRoom(): void {
  if (RoomyJournal.isFull) throw new Error("no space left on device");
}

const FULL_MS = 120_000;

test("an agent outlives a full disk: what happened meanwhile is told when there is room again", async () => {
  await using rig = await Rig.create({
    app: { output: "before\n" },
    short: { runFor: 60_000, exitCode: 3 },
  });
  rig.server.groups.add("/demo");
  const disk = { ...machineDisk, openJournal: (path: string) => new RoomyJournal(path) };
  const { agent } = await rig.connect({ disk });
  const web = payloadContainer("web", { hostConfig: awslogs("s"), ...checked({ interval: 5 }) });
  rig.server.assign(payloadTask("a1", { containers: [web] }));
  await passUntil(rig.clock, () => rig.server.messages("/demo/s").length === 1);
  const short = payloadContainer("web", { image: "short" });
  rig.server.assign(payloadTask("a2", { containers: [short] }));
  await passUntil(rig.clock, () => rig.runtime.starts.size === 2);
  RoomyJournal.isFull = true;
  rig.runtime.write("a1-web", "during\n");
  await pass(rig.clock, FULL_MS);
  rig.runtime.exit("a1-web", 7);
  await pass(rig.clock, FULL_MS);
  RoomyJournal.isFull = false;
  await passUntil(rig.clock, () => agent.tasks().length === 0);
  const ends = rig.server.reports
    .filter(({ status }) => status === "STOPPED")
    .map(({ task, containers }) => [task.slice(-2), containers.at(-1)?.exitCode]);
  assert.deepEqual(ends.toSorted(), [
    ["a1", 7],
    ["a2", 3],
  ]);
  assert.deepEqual(rig.server.messages("/demo/s"), ["before", "during"]);
});

test("a container that cannot be made is told of when there is room again", async () => {
  await using rig = await Rig.create();
  const disk = { ...machineDisk, openJournal: (path: string) => new RoomyJournal(path) };
  let isFirst = true;
  const create = async (): Promise<void> => {
    if (isFirst) RoomyJournal.isFull = true;
    isFirst = false;
    throw new RuntimeError("no space left on device");
  };
  const { agent } = await rig.connect({ disk, runtime: { ...rig.runtime, create } });
  rig.server.assign(payloadTask("a1"));
  await passUntil(rig.clock, () => RoomyJournal.isFull);
  await pass(rig.clock, FULL_MS);
  RoomyJournal.isFull = false;
  await passUntil(rig.clock, () => agent.tasks().length === 0);
  assert.equal(
    rig.server.reports.at(-1)?.containers.at(-1)?.reason,
    "CannotCreateContainerError: no space left on device",
  );
});

/** A disk that is full from a container's start on, for its journal too, until `relieve`. */
async function fullFromStart(rig: Rig): Promise<{ relieve(what: "journal" | "all"): void }> {
  let hasRoom = true;
  const disk = {
    ...machineDisk,
    openJournal: (path: string) => new RoomyJournal(path),
    openOutput: async (...args: Parameters<Disk["openOutput"]>): Promise<Output> => {
      if (!hasRoom) throw new Error("no space left on device");
      return machineDisk.openOutput(...args);
    },
  };
  const start = async (id: string): Promise<void> => {
    await rig.runtime.start(id);
    RoomyJournal.isFull = true;
    hasRoom = false;
  };
  await rig.connect({ disk, runtime: { ...rig.runtime, start } });
  rig.server.assign(payloadTask("a1"));
  await passUntil(rig.clock, () => RoomyJournal.isFull);
  return {
    relieve: (what) => {
      RoomyJournal.isFull = false;
      hasRoom = what === "all";
    },
  };
}

/** 0 ms: there is room at the next look. Else what that finds out cannot be written down either, again and again. */
for (const fullMs of [0, FULL_MS]) {
  test(`a container that has started and could not be written down for ${fullMs} ms has not failed for want of room`, async () => {
    await using rig = await Rig.create();
    const disk = await fullFromStart(rig);
    await pass(rig.clock, fullMs);
    disk.relieve("journal");
    await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "RUNNING");
    disk.relieve("all");
    rig.runtime.exit("a1-web", 5);
    await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "STOPPED");
    assert.equal(rig.server.reports.at(-1)?.containers.at(-1)?.exitCode, 5);
  });
}

test("a container that has started and could not be written down is stopped with its signal", async () => {
  await using rig = await Rig.create({ app: { onStop: 6 } });
  const disk = await fullFromStart(rig);
  await pass(rig.clock, FULL_MS);
  disk.relieve("journal");
  rig.server.assign(payloadTask("a1", { desiredStatus: "STOPPED" }));
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "STOPPED");
  assert.equal(rig.server.reports.at(-1)?.containers.at(-1)?.exitCode, 6);
});

test("an agent that starts on a full disk goes on when there is room", async () => {
  await using rig = await Rig.create();
  const first = await rig.connect();
  rig.server.assign(payloadTask("a1"));
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "RUNNING");
  await first.stop();
  rig.runtime.exit("a1-web", 5);
  RoomyJournal.isFull = true;
  const disk = { ...machineDisk, openJournal: (path: string) => new RoomyJournal(path) };
  rig.start({ disk });
  await pass(rig.clock, FULL_MS);
  RoomyJournal.isFull = false;
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "STOPPED");
  assert.equal(rig.server.reports.at(-1)?.containers.at(-1)?.exitCode, 5);
});

/** Longer than until the journal takes its room. */
const SETTLED_MS = 30_000;
const STORAGE_OF_1_GIB = { ephemeralStorage: { sizeInGiB: 1 } };

test("on a disk without any room left, tasks fail with that reason, and others stop as they are told", async (t) => {
  using disk = SmallDisk.mount(32 << 20);
  if (disk === undefined) return t.skip("needs the right to mount a tmpfs");
  await using rig = await Rig.create();
  const createTaskStorage = async (): Promise<never> => {
    throw new RuntimeError("the task's disk: cp: No space left on device");
  };
  const runtime = { ...rig.runtime, createTaskStorage };
  const { agent } = await rig.connect({ directory: `${disk.path}/agent`, runtime });
  rig.server.assign(payloadTask("a1"));
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "RUNNING");
  await pass(rig.clock, SETTLED_MS);
  disk.fill();
  rig.server.assign(payloadTask("a2"));
  rig.server.assign(payloadTask("a3", STORAGE_OF_1_GIB));
  const ended = (): readonly string[] =>
    rig.server.reports.filter(({ status }) => status === "STOPPED").map(({ task }) => task);
  await passUntil(rig.clock, () => ended().length === 2);
  rig.server.assign(payloadTask("a1", { desiredStatus: "STOPPED" }));
  await passUntil(rig.clock, () => agent.tasks().length === 0);
  const last = (id: string): (typeof rig.server.reports)[number] | undefined =>
    rig.server.reports.findLast(({ task }) => task.endsWith(id));
  assert.equal(
    last("a2")?.containers.at(-1)?.reason,
    "CannotCreateContainerError: no space left on device",
  );
  assert.equal(
    last("a3")?.reason,
    "ResourceInitializationError: failed to create the task's ephemeral storage: no space left on device",
  );
  assert.equal(last("a1")?.status, "STOPPED");
  disk.relieve();
  rig.server.assign(payloadTask("a4"));
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "RUNNING");
});

test("an agent whose journal cannot even be opened goes on when there is room", async (t) => {
  using disk = SmallDisk.mount(4 << 20);
  if (disk === undefined) return t.skip("needs the right to mount a tmpfs");
  await using rig = await Rig.create();
  disk.fill();
  rig.start({ directory: `${disk.path}/agent` });
  await pass(rig.clock, FULL_MS);
  assert.equal(rig.server.dialled.length, 0);
  disk.relieve();
  await passUntil(rig.clock, () => rig.server.dialled.length > 0);
});
