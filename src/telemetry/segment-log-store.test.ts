import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, open, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, beforeEach, describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { UnavailableError } from "../lib/errors.ts";
import { silentLog } from "../lib/log.ts";
import type { LogLine } from "./log-store.ts";
import { openLogStore } from "./segment-log-store.ts";

const NOW = 1_700_000_000_000;
const PAGE = { direction: "forward", limit: 10_000, bytesMax: 1 << 20 } as const;

function lines(count: number, firstAt = NOW, size = 20): LogLine[] {
  return Array.from({ length: count }, (_, i) => ({
    timestamp: firstAt + i,
    ingestedAt: NOW,
    message: `line ${i} `.padEnd(size, "x"),
  }));
}

/** Writes until the file system has no room left. */
async function fillDisk(path: string): Promise<void> {
  const handle = await open(path, "w");
  await assert.rejects(
    async () => {
      for (;;) await handle.write(Buffer.alloc(1_000));
    },
    { code: "ENOSPC" },
  );
  await handle.close();
}

/** Waits, one turn of the event loop at a time, until the directory looks as it should. */
async function untilFiles(
  directory: string,
  isRight: (files: readonly string[]) => boolean,
): Promise<void> {
  while (!isRight(await filesOf(directory))) await setImmediate();
}

async function filesOf(directory: string): Promise<string[]> {
  return (await readdir(directory)).sort();
}

describe("openLogStore()", () => {
  let root: string;
  let directory: string;
  let count = 0;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "gantry-logs-"));
  });
  after(async () => rm(root, { recursive: true }));
  beforeEach(() => {
    directory = join(root, String(count++));
  });

  test("small appends of many streams become few chunks once the journal is full", async () => {
    const options = { directory, log: silentLog, segmentBytesMax: 20_000 };
    const store = await openLogStore(options);
    for (let i = 0; i < 40; i++) {
      await Promise.all(
        ["a", "b", "c"].map((stream) => store.append(stream, lines(2, NOW + 10 * i, 80))),
      );
    }
    await store.close();
    // Opening again finishes what the closing interrupted.
    const again = await openLogStore(options);
    await untilFiles(
      directory,
      (files) => files.filter((f) => f.endsWith(".journal")).length === 1,
    );
    assert.equal((await again.read("b", PAGE)).events.length, 80);
    await again.close();

    const files = await filesOf(directory);
    const sizes = await Promise.all(
      files.map(async (name) => (await stat(join(directory, name))).size),
    );
    assert.ok(sizes.reduce((sum, size) => sum + size, 0) < 22_000, `sizes: ${sizes}`);
  });

  test("a removed stream is gone at once and its segments go when nothing in them is live", async () => {
    const options = { directory, log: silentLog, segmentBytesMax: 1 };
    const store = await openLogStore(options);
    await store.append("a", lines(10));
    await store.append("a", lines(10, NOW + 100));
    await store.append("b", lines(1));
    await store.remove("a");
    assert.deepEqual((await store.read("a", PAGE)).events, []);
    assert.equal(store.stat("a"), undefined);
    assert.deepEqual([...store.streamIds()], ["b"]);
    await store.close();

    const again = await openLogStore(options);
    for (const id of [...again.streamIds()]) if (id !== "b") await again.remove(id);
    await untilFiles(directory, (files) => !files.some((name) => /^000000000[12]\./.test(name)));
    assert.equal((await again.read("b", PAGE)).events.length, 1);
    await again.close();
  });

  test("expire() forgets whole chunks of old events and keeps the others", async () => {
    const store = await openLogStore({ directory, log: silentLog });
    await store.append("a", lines(10));
    await store.append("a", lines(10, NOW + 1_000));
    await store.expire("a", NOW + 1_005);
    assert.equal(store.stat("a")?.firstEventAt, NOW + 1_000);
    assert.equal((await store.read("a", PAGE)).events.length, 10);
    await store.close();
  });

  test("expire() gives the disk back", async () => {
    const options = { directory, log: silentLog, segmentBytesMax: 20_000 };
    const store = await openLogStore(options);
    for (let hour = 0; hour < 20; hour++) {
      await store.append("a", lines(1_000, NOW + hour * 3_600_000, 100));
    }
    const size = async (): Promise<number> => {
      const sizes = (await filesOf(directory)).map((name) =>
        stat(join(directory, name)).then(
          (one) => one.size,
          () => 0,
        ),
      );
      return (await Promise.all(sizes)).reduce((sum, one) => sum + one, 0);
    };
    const before = await size();
    await store.expire("a", NOW + 18 * 3_600_000);
    // The journal stays what it is until it is full.
    while ((await size()) > before / 4 + options.segmentBytesMax) await setImmediate();
    assert.equal((await store.read("a", PAGE)).events.length, 2_000);
    await store.close();
  });

  test("who follows a stream from an empty page sees what comes in later, once", async () => {
    const store = await openLogStore({ directory, log: silentLog });
    const empty = await store.read("a", PAGE);
    await store.append("a", lines(3));
    const first = await store.read("a", { ...PAGE, position: empty.after });
    assert.equal(first.events.length, 3);
    const none = await store.read("a", { ...PAGE, position: first.after });
    assert.deepEqual(none.after, first.after);
    // Another event of the very millisecond at which the page ended.
    await store.append("a", lines(1, NOW + 2));
    const second = await store.read("a", { ...PAGE, position: none.after });
    assert.equal(second.events.length, 1);
    const back = await store.read("a", { ...PAGE, direction: "backward", position: second.before });
    assert.equal(back.events.length, 3);
    await store.close();
  });

  test("appends of one moment share a commit, and each is readable when it resolves", async () => {
    const store = await openLogStore({ directory, log: silentLog });
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        await store.append(`stream-${i % 20}`, lines(5, NOW + i));
        const { events } = await store.read(`stream-${i % 20}`, PAGE);
        assert.ok(events.some(({ timestamp }) => timestamp === NOW + i));
      }),
    );
    assert.equal([...store.streamIds()].length, 20);
    await store.close();
  });

  test("more than may wait for the disk is turned away, and the rest is kept", async () => {
    const store = await openLogStore({ directory, log: silentLog });
    const big = lines(1, NOW, 1_000_000);
    const results = await Promise.allSettled(
      Array.from({ length: 80 }, () => store.append("a", big)),
    );
    const refused = results.filter(({ status }) => status === "rejected");
    assert.ok(refused.length > 0 && refused.length < 60, String(refused.length));
    assert.equal(store.stat("a")?.bytes, (80 - refused.length) * 1_000_000);
    await store.append("a", lines(1));
    await store.close();
    await assert.rejects(store.append("a", lines(1)), UnavailableError);
  });

  test("kill -9 in the middle of appends loses nothing acknowledged", async () => {
    const script = `
      import { openLogStore } from ${JSON.stringify(join(import.meta.dirname, "segment-log-store.ts"))};
      import { silentLog } from ${JSON.stringify(join(import.meta.dirname, "../lib/log.ts"))};
      const store = await openLogStore({ directory: ${JSON.stringify(directory)}, log: silentLog, segmentBytesMax: 30_000 });
      await Promise.all([0, 1, 2].map(async (stream) => {
        for (let i = 0; ; i++) {
          await store.append("s" + stream, [{ timestamp: i, ingestedAt: 0, message: "m".repeat(50) + i }]);
          process.stdout.write(stream + " " + i + "\\n");
        }
      }));`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const acknowledged = [-1, -1, -1];
    for await (const text of createInterface({ input: child.stdout })) {
      const [stream, i] = text.split(" ").map(Number);
      acknowledged[stream ?? 0] = i ?? 0;
      if (i === 1_200) child.kill("SIGKILL");
    }
    const store = await openLogStore({ directory, log: silentLog, segmentBytesMax: 30_000 });
    for (const [stream, last] of acknowledged.entries()) {
      const { events } = await store.read(`s${stream}`, PAGE);
      assert.ok(events.length > last, `stream ${stream}: ${events.length} of ${last + 1}`);
      assert.ok(events.every(({ timestamp }, i) => timestamp === i));
    }
    await store.close();
  });

  test("a full disk is told to the caller and forgotten once there is room", async (t) => {
    const mount = join(root, "small");
    try {
      execFileSync("mkdir", ["-p", mount]);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", mount], { stdio: "ignore" });
    } catch {
      return t.skip("cannot mount a small tmpfs here (needs root)");
    }
    try {
      const store = await openLogStore({ directory: join(mount, "logs"), log: silentLog });
      await store.append("a", lines(10));
      await fillDisk(join(mount, "ballast"));
      const noise = Array.from({ length: 3_000 }, (_, i) => ({
        timestamp: NOW + i,
        ingestedAt: NOW,
        message: Buffer.from(
          Array.from({ length: 60 }, (_, j) => ((i * 31 + j * 17 * i) % 94) + 33),
        ).toString(),
      }));
      await assert.rejects(
        store.append("a", noise),
        /the disk of the log store is nearly full: 0 MiB/,
      );
      await assert.rejects(store.append("b", noise), UnavailableError);
      assert.equal((await store.read("a", PAGE)).events.length, 10);
      await rm(join(mount, "ballast"));
      await store.append("a", noise);
      await store.close();
      const again = await openLogStore({ directory: join(mount, "logs"), log: silentLog });
      assert.equal((await again.read("a", PAGE)).events.length, 3_010);
      assert.equal(again.stat("b"), undefined);
      await again.close();
    } finally {
      execFileSync("umount", [mount]);
    }
  });
});
