/** Tasks' disks, with real loop devices and containers. Skips, saying why, where containers cannot run. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually, useRealRuntime } from "../../test/images/real-runtime.ts";
import { systemClock } from "../lib/clock.ts";
import { createTaskStorage, volumesDirectory } from "./task-storage.ts";

const real = await useRealRuntime();
const { skip } = real;
const MIB = 2 ** 20;
let directory: string;

before(async () => {
  if (skip !== false) return;
  directory = await mkdtemp(join(tmpdir(), "gantry-storage-"));
});
after(async () => {
  if (skip !== false) return;
  await assertNothingLeft(real.directory);
  await rm(directory, { recursive: true });
});

/** No mount, loop device or disk of `place` is there. */
async function assertNothingLeft(place: string): Promise<void> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n");
  assert.deepEqual(
    mounts.filter((line) => line.startsWith("/dev/loop") && line.includes(place)),
    [],
  );
  const backing = globSync("/sys/block/loop*/loop/backing_file");
  const files = await Promise.all(backing.map((file) => readFile(file, "utf8").catch(() => "")));
  assert.deepEqual(
    files.filter((file) => file.includes(place)),
    [],
  );
  assert.deepEqual(globSync(join(place, "**/disk-*")), []);
}

test("the containers of a task and its volumes share one limit, and nobody else feels it", {
  skip,
}, async () => {
  const key = { taskId: "full", owner: "fargate" };
  const taskStorage = await real.runtime.createTaskStorage(key, 64 * MIB);
  const volume = join(volumesDirectory(taskStorage), "scratch");
  await mkdir(volume, { mode: 0o777 });
  const write = (file: string, mib: number): string =>
    `dd if=/dev/zero of=${file} bs=1M count=${mib} 2>&1 | grep -o 'No space.*'; wc -c < ${file}`;
  const mounts = [{ source: volume, target: "/scratch", readonly: false }];
  const a = await real.run("full-a", write("/a", 20), { taskStorage, mounts });
  assert.equal(a.output, `${20 * MIB}\n`);
  // Removed, it takes no room any more.
  await real.runtime.create(real.spec("full-b", ["sleep", "1000"], { taskStorage, mounts }));
  await real.runtime.start("full-b");
  const never = new AbortController().signal;
  const exec = (script: string) =>
    real.runtime.exec("full-b", { args: ["sh", "-c", script], timeoutMs: 60_000 }, never);
  assert.deepEqual(await exec(write("/scratch/b", 30)), { exitCode: 0, output: `${30 * MIB}\n` });
  const c = await real.run("full-c", write("/c", 40), { taskStorage, mounts });
  assert.match(c.output, /^No space left on device\n/);
  const written = Number(c.output.split("\n")[1]);
  assert.ok(written > 20 * MIB && written < 40 * MIB, String(written));
  // Where the machine's temporary files lie in memory (Debian 13), what a container writes there counts as its memory.
  const free = await real.run("other-a", write("/o", 80), { memoryBytesMax: undefined });
  assert.equal(free.output, `${80 * MIB}\n`);
  const usage = await real.runtime.taskStorageUsage(key);
  assert.ok(usage && usage.utilizedBytes >= 30 * MIB && usage.utilizedBytes < 40 * MIB);
  assert.ok(usage.reservedBytes > 50 * MIB && usage.reservedBytes <= 64 * MIB);
  assert.deepEqual(await real.runtime.listTaskStorage(), [key]);
  await real.runtime.remove("full-b");
  await real.runtime.removeTaskStorage(key);
  await real.runtime.removeTaskStorage(key);
  assert.deepEqual(await real.runtime.listTaskStorage(), []);
  assert.equal(await real.runtime.taskStorageUsage(key), undefined);
  await assertNothingLeft(dirname(taskStorage));
});

test("a container on its task's disk sees its image, keeps what it wrote over a restart, and may do what it always may", {
  skip,
}, async () => {
  const key = { taskId: "same", owner: "fargate" };
  const taskStorage = await real.runtime.createTaskStorage(key, 64 * MIB);
  const script =
    "ls -ld / | cut -c1-10; id -u; cat /etc/group | head -1; rm /etc/group; touch /own; ls /own /again; touch /again; df -m / | tail -1 | awk '{print $2}'";
  await real.runtime.create(real.spec("same-a", ["sh", "-c", script], { taskStorage }));
  await real.runtime.start("same-a");
  const exit = await real.runtime.wait("same-a", new AbortController().signal);
  await real.runtime.restart("same-a", exit);
  await real.runtime.wait("same-a", new AbortController().signal);
  await real.runtime.remove("same-a");
  const lines = (await real.output("same-a")).trimEnd().split("\n");
  assert.deepEqual(lines.slice(0, 5), [
    "drwxr-xr-x",
    "0",
    "root:x:0:",
    "ls: /again: No such file or directory",
    "/own",
  ]);
  assert.ok(Number(lines[5]) > 50 && Number(lines[5]) <= 64, lines[5]);
  assert.ok(lines.includes("/again"));
  const plain = await real.run("plain-a", "ls -ld / | cut -c1-10");
  assert.equal(plain.output, "drwxr-xr-x\n");
  await real.runtime.removeTaskStorage(key);
});

test("a container is not made on a disk that is not mounted", { skip }, async () => {
  const taskStorage = join(directory, "bare");
  await mkdir(taskStorage);
  await assert.rejects(
    real.runtime.create(real.spec("bare-a", ["true"], { taskStorage })),
    /^RuntimeError: the task's disk is not mounted$/,
  );
  assert.deepEqual(await real.runtime.list(), []);
});

test("a container whose task has lost its disk is not started again, and says why", {
  skip,
}, async () => {
  const key = { taskId: "lost", owner: "fargate" };
  const taskStorage = await real.runtime.createTaskStorage(key, 64 * MIB);
  await real.runtime.create(real.spec("lost-a", ["true"], { taskStorage }));
  await real.runtime.start("lost-a");
  const exit = await real.runtime.wait("lost-a", new AbortController().signal);
  await real.runtime.removeTaskStorage(key);
  assert.equal(await real.runtime.createTaskStorage(key, 64 * MIB), taskStorage);
  await assert.rejects(
    real.runtime.restart("lost-a", exit),
    /^RuntimeError: its files were lost with the task's disk when the machine was restarted$/,
  );
  await real.runtime.remove("lost-a");
  await real.runtime.removeTaskStorage(key);
});

test("a disk that is there is kept, one that was not finished is made anew", { skip }, async () => {
  const home = join(directory, "again");
  const key = { taskId: "t", owner: "o" };
  await mkdir(join(home, "t@o"), { recursive: true });
  await writeFile(join(home, "t@o", "disk-1-1"), "no file system");
  const storage = createTaskStorage(home, systemClock);
  const root = await storage.create(key, 32 * MIB);
  await writeFile(join(root, "file"), "kept");
  await storage.close();
  assert.equal(await createTaskStorage(home, systemClock).create(key, 32 * MIB), root);
  assert.equal(await readFile(join(root, "file"), "utf8"), "kept");
  const [disk = ""] = globSync(join(home, "t@o", "disk-*"));
  assert.ok((await stat(disk)).blocks * 512 < 8 * MIB, "the disk's file is sparse");
  await createTaskStorage(home, systemClock).remove(key);
  await assertNothingLeft(home);
});

test("the next task of a size gets a disk that was made for it, of which nothing is left in the end", {
  skip,
}, async () => {
  const home = join(directory, "spare");
  const key = (taskId: string) => ({ taskId, owner: "o" });
  const spares = (): readonly string[] => globSync(join(home, "spare-*", "root", "volumes"));
  const former = createTaskStorage(home, systemClock);
  await former.create(key("a"), 32 * MIB);
  await eventually("there is a spare", () => spares().length === 1);
  // A process that is killed leaves it; the next one removes what it has no use for.
  const storage = createTaskStorage(home, systemClock);
  await rename(dirname(dirname(spares()[0] ?? "")), join(home, "spare-1-0"));
  assert.deepEqual(await storage.list(), [key("a")]);
  await eventually("there is none", () => spares().length === 0);
  const first = await storage.create(key("b"), 32 * MIB);
  await eventually("there is one again", () => spares().length === 1);
  const second = await storage.create(key("c"), 32 * MIB);
  assert.deepEqual(spares(), []);
  for (const root of [first, second]) await writeFile(join(root, "layers", "file"), "own");
  assert.equal(
    (await storage.usage(key("c")))?.reservedBytes,
    (await storage.usage(key("b")))?.reservedBytes,
  );
  for (const id of ["a", "b", "c"]) await storage.remove(key(id));
  await storage.close();
  await assertNothingLeft(home);
});

test("a machine that cannot make a disk says why", { skip }, async () => {
  const home = join(directory, "tiny");
  const key = { taskId: "t", owner: "o" };
  await assert.rejects(
    createTaskStorage(home, systemClock).create(key, 1024),
    /^RuntimeError: the task's disk: mkfs/,
  );
  await createTaskStorage(home, systemClock).remove(key);
  await assertNothingLeft(home);
});

test("whoever is killed at any moment of making or removing a disk leaves what the next one can use and remove", {
  skip,
}, async () => {
  const home = join(directory, "killed");
  const key = { taskId: "t", owner: "o" };
  const child = fileURLToPath(new URL("task-storage.fixture.ts", import.meta.url));
  for (let round = 0; round < 12; round++) {
    const process_ = spawn(process.execPath, [child, home], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const exited = once(process_, "exit");
    // It says when it begins; then it makes and removes without end.
    await once(process_.stdout, "data");
    await systemClock.sleep(15 * round);
    process_.kill("SIGKILL");
    await exited;
    const storage = createTaskStorage(home, systemClock);
    const root = await storage.create(key, 32 * MIB);
    await writeFile(join(root, "file"), Buffer.alloc(1 * MIB));
    const usage = await storage.usage(key);
    assert.ok(usage && usage.utilizedBytes >= MIB);
    await storage.remove(key);
    assert.deepEqual(await storage.list(), []);
    await storage.close();
  }
  // Programs that the killed ones had started end by themselves.
  for (let tries = 0; tries < 100 && globSync(join(home, "*@*")).length > 0; tries++) {
    await createTaskStorage(home, systemClock).remove(key);
    await systemClock.sleep(50);
  }
  await assertNothingLeft(home);
  assert.equal(execFileSync("losetup", ["-a"], { encoding: "utf8" }).includes(home), false);
});
