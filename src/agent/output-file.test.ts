import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { silentLog } from "../lib/log.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import { OutputFile } from "./output-file.ts";
import { trimOutput } from "./output-trimmer.ts";
import { pass } from "./testing/time.fixture.ts";

const MIB = 2 ** 20;

/** Why holes cannot be made here, or false. */
function cannotPunch(): string | false {
  try {
    execFileSync("fallocate", ["--version"]);
    return false;
  } catch {
    return "this machine has no fallocate";
  }
}

test("a file is looked at every ten seconds while it grows, once a minute when it does not", async () => {
  const clock = new VirtualClock();
  const over = new AbortController();
  const looks: number[] = [];
  const file = {
    size: async () => {
      looks.push(clock.now() / 1000);
      return Math.min(looks.length, 3);
    },
  } as Parameters<typeof trimOutput>[0]["file"];
  const trimming = trimOutput({ file, clock, log: silentLog }, MIB, over.signal);
  await clock.advance(200_000);
  over.abort();
  await trimming;
  assert.deepEqual(looks, [0, 10, 20, 30, 50, 90, 150]);
});

test("trimming frees the disk of old output and keeps the newest in place", {
  skip: cannotPunch(),
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), "gantry-output-"));
  const over = new AbortController();
  try {
    const path = join(directory, "output");
    writeFileSync(path, Buffer.alloc(12 * MIB, "x"));
    await using file = await OutputFile.open(path);
    const clock = new VirtualClock();
    const trimming = trimOutput({ file, clock, log: silentLog }, MIB, over.signal);
    await pass(clock, 11_000);
    over.abort();
    await trimming;
    const { blocks, size } = await stat(path);
    assert.equal(size, 12 * MIB, "offsets stay what they are");
    assert.ok(blocks * 512 <= 2 * MIB, `${blocks * 512} bytes are on the disk`);
    assert.equal(Buffer.from(await file.read(11 * MIB, 4)).toString(), "xxxx");
    assert.equal(Buffer.from(await file.read(0, 1))[0], 0);
  } finally {
    await rm(directory, { recursive: true });
  }
});
