import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdir, readlink, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it, type TestContext } from "node:test";
import { SetupError, UnavailableError } from "../lib/errors.ts";
import { silentLog } from "../lib/log.ts";
import { contents } from "./contract-model.ts";
import { openSqliteStore } from "./sqlite.ts";
import { killWriter, startWriter, temporaryDirectory } from "./sqlite-testing.ts";
import type { Store } from "./store.ts";

describe("sqlite store and the machine", () => {
  it("kill -9 loses no acknowledged transaction and leaves none half applied", async (t) => {
    const directory = await directoryFor(t);
    for (let round = 0; round < 4; round++) {
      const writer = await startWriter(directory, 1 + 700 * round);
      await killWriter(writer);

      const store = await openSqliteStore({ directory, log: silentLog });
      const left = await numbersBelow(store, "/left/");
      assert.deepEqual(left, await numbersBelow(store, "/right/"), "both records or none");
      for (const [name, number] of writer.acknowledged()) {
        assert.ok((left.get(name) ?? 0) >= number, `writer ${name} lost ${number}`);
      }
      await store.close();
    }
  });

  it("a second process on the same directory is refused, and told who has it", async (t) => {
    const directory = await directoryFor(t);
    const writer = await startWriter(directory, 1);
    await assert.rejects(
      openSqliteStore({ directory, log: silentLog }),
      (error) =>
        error instanceof SetupError &&
        error.message.includes(directory) &&
        error.message.includes(`process ${writer.child.pid}`),
    );
    await killWriter(writer);
    const store = await openSqliteStore({ directory, log: silentLog });
    await assert.rejects(openSqliteStore({ directory, log: silentLog }), SetupError);
    await store.close();
  });

  it("nobody else can read the files", async (t) => {
    const directory = await directoryFor(t);
    const store = await openSqliteStore({ directory, log: silentLog });
    await store.txn([], [{ key: "/x", value: 1 }]);
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
    for (const name of await readdir(directory)) {
      assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600, name);
    }
    await store.close();
  });

  it("damaged or foreign data is refused with what to do", async (t) => {
    const directory = await directoryFor(t);
    await writeFile(join(directory, "state-00000001.db"), "not a database".repeat(1000));
    await assert.rejects(
      openSqliteStore({ directory, log: silentLog }),
      (error) => error instanceof SetupError && /damaged.*backup/.test(error.message),
    );
  });

  it("a row that is not what was written is noticed at the start", async (t) => {
    const directory = await directoryFor(t);
    const store = await openSqliteStore({ directory, log: silentLog });
    await put(store, "/a", { owner: "alice" });
    await store.close();
    const database = new DatabaseSync(join(directory, "state-00000001.db"));
    database.exec("UPDATE journal SET document = replace(document, 'alice', 'malice')");
    database.close();
    const damaged = await openSqliteStore({ directory, log: silentLog });
    for (const ask of [() => damaged.list("/"), () => put(damaged, "/b", 1)]) {
      await assert.rejects(
        ask,
        (error) => error instanceof SetupError && /damaged.*checksum.*backup/.test(error.message),
      );
    }
    await damaged.close();
  });

  it("a place that cannot be a directory is refused with its name", async (t) => {
    const path = join(await directoryFor(t), "file");
    await writeFile(path, "");
    await assert.rejects(
      openSqliteStore({ directory: path, log: silentLog }),
      (error) => error instanceof SetupError && error.message.includes(path),
    );
  });

  it("the journal is rewritten when most of it is history, and loses nothing", async (t) => {
    const directory = await directoryFor(t);
    const options = { directory, log: silentLog, deadRowsMin: 100 };
    const store = await openSqliteStore(options);
    for (let round = 0; round < 40; round++) {
      await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          store.txn([], [{ key: `/${i}`, value: i % 7 === 0 ? undefined : `${round}-${i}` }]),
        ),
      );
    }
    await store.txn([], [{ key: "/1", value: undefined }]);
    const before = await contents(store);
    await store.close();
    const files = (await readdir(directory)).filter((name) => name.startsWith("state-"));
    assert.equal(files.length, 1);
    assert.notEqual(files[0], "state-00000001.db");
    const again = await openSqliteStore(options);
    assert.deepEqual(await contents(again), before);
    await again.close();
  });

  it("what was there at the start can still be read when the journal has been rewritten without it", async (t) => {
    const directory = await directoryFor(t);
    const options = { directory, log: silentLog, deadRowsMin: 100 };
    const first = await openSqliteStore(options);
    for (const key of ["/kept", "/changed", "/deleted"]) await put(first, key, { of: key });
    await first.close();
    const store = await openSqliteStore(options);
    const { records } = await store.list("/");
    await store.txn([], [{ key: "/deleted", value: undefined }]);
    const rewritten = async (): Promise<boolean> =>
      !(await readdir(directory)).includes("state-00000001.db");
    for (let round = 0; !(await rewritten()); round++) {
      assert.ok(round < 2000, "the journal is not rewritten");
      await put(store, "/changed", round);
    }
    // Its space is free, although documents have still to be read.
    for (let looks = 0; (await openFiles(directory)).some(isRemoved); looks++) {
      assert.ok(looks < 2000, "the former journal is still open");
      await put(store, "/changed", looks);
    }
    // Nobody has read them before.
    assert.deepEqual(
      records.map(({ value }) => value),
      [{ of: "/changed" }, { of: "/deleted" }, { of: "/kept" }],
    );
    const { records: now } = await store.list("/kept");
    assert.deepEqual(now[0]?.value, { of: "/kept" });
    await store.close();
  });

  it("a full disk refuses transactions without effect, and the store goes on when there is room", async (t) => {
    const { path: directory, remove } = await temporaryDirectory();
    const isMounted = mountSmallDisk(directory);
    t.after(() => {
      if (isMounted) execFileSync("umount", ["--lazy", directory]);
      return remove();
    });
    if (!isMounted) return t.skip("needs the right to mount a tmpfs");
    const filler = join(directory, "filler");
    await writeFile(filler, Buffer.alloc(2 << 20));
    const state = join(directory, "state");
    const store = await openSqliteStore({ directory: state, log: silentLog });

    const full = await fillUp(store);
    assert.ok(full instanceof UnavailableError);
    const before = await contents(store);
    await assert.rejects(put(store, "/big", "x".repeat(500_000)), UnavailableError);
    assert.deepEqual(await contents(store), before);

    await rm(filler);
    assert.equal(await put(store, "/after", "x"), before.revision + 1);
    const after = await contents(store);
    await store.close();
    const again = await openSqliteStore({ directory: state, log: silentLog });
    assert.deepEqual(await contents(again), after);
    await again.close();
  });
});

async function directoryFor(t: TestContext): Promise<string> {
  const { path, remove } = await temporaryDirectory();
  t.after(remove);
  return path;
}

function mountSmallDisk(directory: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=6m", "tmpfs", directory], {
      stdio: "ignore",
    });
    return true;
  } catch {
    return false;
  }
}

/** Writes until it fails, and returns how. */
async function fillUp(store: Store): Promise<unknown> {
  try {
    for (let i = 0; i < 1000; i++) await put(store, `/fill/${i}`, "x".repeat(100_000));
    return undefined;
  } catch (error) {
    return error;
  }
}

/** What this process has open below a directory, as the kernel names it. */
async function openFiles(directory: string): Promise<readonly string[]> {
  const descriptors = await readdir("/proc/self/fd");
  const paths = await Promise.all(
    descriptors.map((one) => readlink(`/proc/self/fd/${one}`).catch(() => "")),
  );
  return paths.filter((path) => path.startsWith(directory));
}

function isRemoved(path: string): boolean {
  return path.endsWith(" (deleted)");
}

async function put(store: Store, key: string, value: unknown): Promise<number> {
  const result = await store.txn([], [{ key, value }]);
  assert.ok(result.ok);
  return result.revision;
}

async function numbersBelow(store: Store, prefix: string): Promise<Map<string, number>> {
  const { records } = await store.list(prefix);
  return new Map(records.map(({ key, value }) => [key.slice(prefix.length), Number(value)]));
}
