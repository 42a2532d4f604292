import assert from "node:assert/strict";
import { test } from "node:test";
import { readDiskRoom, watchDisk } from "./disk-room.ts";
import type { Log } from "./log.ts";
import { VirtualClock } from "./virtual-clock.ts";

test("a full disk is told once, and once that it has room again", async () => {
  const clock = new VirtualClock();
  const over = new AbortController();
  const said: string[] = [];
  const log: Log = {
    debug: (text) => said.push(text),
    info: (text) => said.push(text),
    warn: (text) => said.push(text),
    error: (text) => said.push(text),
    child: () => log,
  };
  // Look by look; the one that fails is no news.
  const looks = [500, 90, 80, 150, 99, 200, 201, undefined, 100, 90];
  const watching = watchDisk(
    {
      directory: "/data",
      read: async () => {
        const freeBytes = looks.shift();
        if (looks.length === 0) over.abort();
        if (freeBytes === undefined) throw new Error("no such directory");
        return { freeBytes, totalBytes: 1000, usedShare: 0 };
      },
      leastBytes: ({ totalBytes }) => totalBytes / 10,
      consequence: "make room",
      clock,
      log,
    },
    over.signal,
  );
  while (!over.signal.aborted) {
    await clock.advance(10_000);
  }
  await watching;
  assert.deepEqual(said, [
    "the disk is full: make room",
    "the disk has room again",
    "cannot look at the disk",
    "the disk is full: make room",
  ]);
});

test("a disk tells how full it is", async () => {
  const { freeBytes, totalBytes, usedShare } = await readDiskRoom("/");
  assert.ok(freeBytes <= totalBytes);
  assert.ok(usedShare >= 0 && usedShare <= 1);
});
