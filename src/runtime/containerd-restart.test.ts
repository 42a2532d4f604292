/** What dies under the runtime (containerd, the agent, a shim) takes no container or exit code with it. */
import assert from "node:assert/strict";
import { existsSync, globSync } from "node:fs";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { eventually, useRealRuntime } from "../../test/images/real-runtime.ts";

const SIGKILL = 9;
const real = await useRealRuntime();
const { skip } = real;
const never = new AbortController().signal;

test("a container outlives the death of containerd, and its exit code reaches who waits", {
  skip,
}, async () => {
  const script = "echo up; until test -e /bound/go; do sleep 0.05; done; exit 9";
  const source = await mkdtemp(join(real.directory, "bound-"));
  const mounts = [{ source, target: "/bound", readonly: true }];
  await real.runtime.create(real.spec("lives-a", ["sh", "-c", script], { mounts }));
  await real.runtime.start("lives-a");
  const waiting = real.runtime.wait("lives-a", never);
  const pidFile = join(real.directory, "containerd/containerd.pid");
  const pid = await readFile(pidFile, "utf8");
  process.kill(Number(pid), "SIGKILL");
  await eventually("containerd is back", async () => (await readFile(pidFile, "utf8")) !== pid);
  assert.equal((await real.runtime.list())[0]?.status, "running");
  await writeFile(join(source, "go"), "");
  assert.equal((await waiting).exitCode, 9);
  await real.runtime.remove("lives-a");
});

test("what a containerd had begun that was killed is begun again, and no shim of it stays", {
  skip,
}, async () => {
  const bundles = join(real.directory, "containerd/state/io.containerd.runtime.v2.task", real.name);
  const pidFile = join(real.directory, "containerd/containerd.pid");
  // The first has a shim of its own, the second that of its sibling, and the third is not tried again.
  for (const id of ["begun-a", "begun-b", "given-a"]) {
    const pid = await readFile(pidFile, "utf8");
    const spec = real.spec(id, ["sleep", "1000"]);
    const making = real.runtime.create(spec).catch(() => undefined);
    // Its shim is there, and is asked next.
    while (!existsSync(join(bundles, id, "address"))) await setImmediate();
    process.kill(Number(pid), "SIGKILL");
    await making;
    if (id === "given-a") continue;
    // As its agent does, whatever became of the first attempt.
    await real.runtime.create(spec);
    await real.runtime.start(id);
  }
  await real.runtime.remove("given-a");
  assert.equal(real.shims().length, 1);
  const states = (await real.runtime.list()).map(({ id, status }) => [id, status]);
  assert.deepEqual(states, [
    ["begun-a", "running"],
    ["begun-b", "running"],
  ]);
  for (const id of ["begun-a", "begun-b"]) await real.runtime.remove(id);
  await eventually("no shim is left", () => real.shims().length === 0);
});

test("a container is made however often containerd is killed meanwhile", { skip }, async () => {
  const pidFile = join(real.directory, "containerd/containerd.pid");
  let isMade = false;
  const making = real.runtime.create(real.spec("often-a", ["sleep", "1000"])).finally(() => {
    isMade = true;
  });
  // Of each containerd, one that has begun a shim.
  const killed = new Set<number>();
  const seen = new Set<number>();
  while (!isMade && killed.size < 5) {
    await setImmediate();
    const pid = Number(await readFile(pidFile, "utf8"));
    const shim = real.shims().find((one) => !seen.has(one));
    if (shim === undefined || pid <= 1 || killed.has(pid)) continue;
    process.kill(pid, "SIGKILL");
    killed.add(pid);
    for (const one of real.shims()) seen.add(one);
  }
  await making;
  await real.runtime.start("often-a");
  assert.equal(real.shims().length, 1);
  await real.runtime.remove("often-a");
});

test("a new runtime finds what ran and what ended while there was none", { skip }, async () => {
  await real.runtime.create(
    real.spec("again-a", ["sh", "-c", "echo bye; exit 5"], { labels: { n: "1" } }),
  );
  await real.runtime.create(real.spec("again-b", ["sleep", "1000"]));
  await real.runtime.start("again-b");
  await real.runtime.start("again-a");
  await real.crash();
  await real.start();
  assert.equal((await real.runtime.wait("again-a", never)).exitCode, 5);
  assert.equal(await real.output("again-a"), "bye\n");
  const states = new Map((await real.runtime.list()).map((state) => [state.id, state]));
  assert.equal(states.get("again-b")?.status, "running");
  assert.deepEqual(states.get("again-a")?.labels, { n: "1" });
  for (const id of states.keys()) await real.runtime.remove(id);
});

test("a container that was made and not started when the agent died has not ended: it can be made again", {
  skip,
}, async () => {
  const spec = real.spec("half-a", ["sh", "-c", "echo once; exit 3"]);
  await real.runtime.create(spec);
  const { client } = real;
  await client.tasks.kill("half-a", SIGKILL, true);
  await client.tasks.wait("half-a", {});
  await client.tasks.delete("half-a");
  assert.deepEqual(
    (await real.runtime.list()).map(({ id, status }) => [id, status]),
    [["half-a", "created"]],
  );
  await real.runtime.create(spec);
  await real.runtime.start("half-a");
  assert.equal((await real.runtime.wait("half-a", never)).exitCode, 3);
  assert.equal(await real.output("half-a"), "once\n");
  await real.runtime.remove("half-a");
});

test("a container lost with its shim counts as stopped, with Docker's code for that", {
  skip,
}, async () => {
  await real.runtime.create(real.spec("lost-a", ["sleep", "1000"]));
  await real.runtime.start("lost-a");
  const waiting = real.runtime.wait("lost-a", never);
  for (const pid of real.shims()) process.kill(pid, "SIGKILL");
  assert.equal((await waiting).exitCode, 255);
  assert.equal((await real.runtime.list())[0]?.exit?.exitCode, 255);
  await real.runtime.remove("lost-a");
  const bundle = join(real.directory, "containerd/state/io.containerd.runtime.v2.task/*/lost-a");
  await eventually("containerd has cleared away", () => globSync(bundle).length === 0);
});

test("restart() runs a container again with the files it left, once for each end", {
  skip,
}, async () => {
  const over = { taskLimits: { cpuUnits: 512, memoryBytes: 64 * 1024 * 1024 } };
  const script = "echo run >> /runs; wc -l < /runs; exit $(wc -l < /runs)";
  await real.runtime.create(real.spec("rerun-a", ["sh", "-c", script], over));
  await real.runtime.start("rerun-a");
  const first = await real.runtime.wait("rerun-a", never);
  assert.equal(first.exitCode, 1);
  await Promise.all([
    real.runtime.restart("rerun-a", first),
    real.runtime.restart("rerun-a", first),
  ]);
  const second = await real.runtime.wait("rerun-a", never);
  assert.equal(second.exitCode, 2);
  await real.runtime.restart("rerun-a", first);
  assert.deepEqual(await real.runtime.wait("rerun-a", never), second, "that end is past");
  await real.crash();
  await real.start();
  await real.runtime.restart("rerun-a", second);
  assert.equal((await real.runtime.wait("rerun-a", never)).exitCode, 3);
  assert.equal(await real.output("rerun-a"), "1\n2\n3\n");
  await real.runtime.remove("rerun-a");
  await assert.rejects(real.runtime.restart("rerun-a", second), /no such container/);
});

test("restart() goes on where a killed program left off", { skip }, async () => {
  const script = "echo run >> /runs; test $(wc -l < /runs) -lt 2 && exit 7; exec sleep 1000";
  await real.runtime.create(real.spec("resume-a", ["sh", "-c", script]));
  await real.runtime.start("resume-a");
  const exit = await real.runtime.wait("resume-a", never);
  // A process that was made and not started, and the record of the former end.
  const { client } = real;
  const rootfs = await client.snapshots.mounts("resume-a");
  const output = join(real.directory, "output/resume-a");
  const io = { stdout: output, stderr: output, terminal: false };
  await client.tasks.create({ containerId: "resume-a", rootfs, ...io });
  assert.equal((await real.runtime.list())[0]?.status, "created");
  await real.runtime.restart("resume-a", exit);
  await real.runtime.restart("resume-a", exit);
  assert.equal((await real.runtime.list())[0]?.status, "running");
  await real.runtime.remove("resume-a");
});

test("what a killed program left of a container is no obstacle to the next one of its name", {
  skip,
}, async () => {
  const bundles = join(real.directory, "containerd/state/io.containerd.runtime.v2.task", real.name);
  // The first has a shim of its own, the second that of its sibling.
  for (const id of ["stale-a", "stale-b"]) {
    await mkdir(join(real.runcState, id), { recursive: true });
    await mkdir(join(bundles, id, "rootfs"), { recursive: true });
    await writeFile(join(bundles, id, "config.json"), "{}");
    await real.runtime.create(real.spec(id, ["sleep", "1000"]));
    await real.runtime.start(id);
  }
  const states = (await real.runtime.list()).map(({ status }) => status);
  assert.deepEqual(states, ["running", "running"]);
  for (const id of ["stale-a", "stale-b"]) await real.runtime.remove(id);
  assert.deepEqual(globSync(join(real.runcState, "*")), []);
});
