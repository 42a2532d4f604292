/** The runtime with a real containerd and runc of the test's own. Skips, saying why, where containers cannot run. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, globSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { busyboxImage } from "../../scripts/busybox-image.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import { createContainerdClient } from "./containerd/client.ts";
import { type ContainerdRuntime, createContainerdRuntime } from "./containerd.ts";
import { checkHost } from "./host-checks.ts";
import { type PrivateContainerd, startContainerd } from "./private-containerd.ts";
import { type ContainerSpec, ImageError, RuntimeError } from "./runtime.ts";

const failed = (await checkHost()).find(({ ok }) => !ok);
const skip = failed
  ? `this machine cannot run containers: ${failed.name}: ${failed.problem}`
  : false;
const name = `gantry-test-${process.pid}`;
const never = new AbortController().signal;

let directory = "";
let engine: PrivateContainerd;
let runtime: ContainerdRuntime;
let endSupervision: () => Promise<void>;

function connect(): Promise<ContainerdRuntime> {
  return createContainerdRuntime({
    socketPath: engine.socketPath,
    namespace: "test",
    runtimeName: "io.containerd.runc.v2",
    cgroupParent: `/${name}`,
    stateDirectory: join(directory, "state"),
    clock: systemClock,
    log: silentLog,
  });
}

async function startEngine(): Promise<void> {
  const options = { log: silentLog, clock: systemClock };
  engine = await startContainerd({ directory: join(directory, "containerd"), ...options });
  const abort = new AbortController();
  const running = engine.run(abort.signal);
  endSupervision = () => {
    abort.abort();
    return running;
  };
}

before(async () => {
  if (skip) return;
  directory = await mkdtemp(join(tmpdir(), "gantry-runtime-"));
  await startEngine();
  runtime = await connect();
  const file = join(directory, "busybox.tar");
  await busyboxImage({ file, names: ["box:1"], entrypoint: ["/bin/sh"], environment: ["A=1"] });
  await runtime.loadImage(createReadStream(file));
});

after(async () => {
  if (skip) return;
  for (const { id } of await runtime.list()) await runtime.remove(id);
  await runtime.close();
  await endSupervision();
  await engine.stop();
  await rm(directory, { recursive: true });
  assert.deepEqual(globSync(`/sys/fs/cgroup/**/${name}`), []);
});

function spec(
  id: string,
  args: readonly string[],
  over: Partial<ContainerSpec> = {},
): ContainerSpec {
  return {
    id,
    taskId: id.split("-")[0] ?? id,
    image: "docker.io/library/box:1",
    args,
    environment: ["PATH=/bin"],
    workingDirectory: "/",
    user: "",
    hostname: undefined,
    network: { mode: "host" },
    cpuShares: 256,
    memoryBytesMax: 64 * 1024 * 1024,
    memoryBytesReserved: undefined,
    taskLimits: { cpuUnits: undefined, memoryBytes: undefined },
    privileged: false,
    readonlyRootfs: false,
    capabilitiesAdded: [],
    capabilitiesDropped: [],
    noNewPrivileges: false,
    ulimits: [],
    sysctls: {},
    shmBytes: 64 * 1024 * 1024,
    tmpfs: {},
    mounts: [],
    terminal: false,
    outputPath: join(directory, "output", id),
    labels: {},
    ...over,
  };
}

const output = (id: string): Promise<string> => readFile(join(directory, "output", id), "utf8");

/** Runs a shell script to its end and takes it away. */
async function run(id: string, script: string, over: Partial<ContainerSpec> = {}) {
  await runtime.create(spec(id, ["sh", "-c", script], over));
  await runtime.start(id);
  const exit = await runtime.wait(id, never);
  await runtime.remove(id);
  return { ...exit, output: await output(id) };
}

/** Polls: what containers and the kernel do can only be looked at. */
async function eventually(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await holds()) return;
    await systemClock.sleep(50);
  }
  assert.fail(`not within 10 s: ${what}`);
}

/** Process ids of the shims of this test's containerd. */
function shims(): readonly number[] {
  return globSync("/proc/[0-9]*/cmdline").flatMap((file) => {
    const text = existsSync(file) ? tryRead(file) : "";
    const isOurs = text.includes("containerd-shim") && text.includes(engine.socketPath);
    return isOurs ? [Number(file.split("/")[2])] : [];
  });
}

function tryRead(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

test("loadImage() takes an OCI layout and findImage() knows it by Docker's short names", {
  skip,
}, async () => {
  const image = await runtime.findImage("box:1");
  assert.equal(image?.name, "docker.io/library/box:1");
  assert.match(image.digest, /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual(image.config.entrypoint, ["/bin/sh"]);
  assert.deepEqual(image.config.environment, ["PATH=/bin", "A=1"]);
  assert.deepEqual(await runtime.findImage(`box@${image.digest}`), image);
  assert.equal(await runtime.findImage("box:2"), undefined);
  assert.equal(await runtime.findImage(`box@sha256:${"0".repeat(64)}`), undefined);
});

test("loadImage() takes a docker-archive, its names move, and its containers run", {
  skip,
}, async () => {
  const file = join(directory, "docker.tar");
  const names = ["boat:1", "registry.example/boat"];
  await busyboxImage({ file, names, format: "docker", user: "web" });
  const progress: string[] = [];
  const images = await runtime.loadImage(createReadStream(file), (text) => progress.push(text));
  const full = ["docker.io/library/boat:1", "registry.example/boat:latest"];
  assert.deepEqual(
    images.map((image) => image.name),
    full,
  );
  assert.ok(progress.some((text) => text.includes("layer 1 of 1")));
  await busyboxImage({ file, names: ["boat:1"], format: "docker", user: "root" });
  await runtime.loadImage(createReadStream(file));
  assert.equal((await runtime.findImage("boat:1"))?.config.user, "root");
  assert.equal((await runtime.findImage("registry.example/boat"))?.config.user, "web");
  assert.equal((await run("boat-a", "exit 4", { image: "docker.io/library/boat:1" })).exitCode, 4);
});

test("loadImage() refuses a blob whose bytes are not what its digest says", { skip }, async () => {
  const file = join(directory, "corrupt.tar");
  await busyboxImage({ file, names: ["corrupt"], files: { "/marker": "0123456789" } });
  const bytes = await readFile(file);
  bytes.write("x", bytes.indexOf("0123456789"));
  await writeFile(file, bytes);
  await assert.rejects(runtime.loadImage(createReadStream(file)), (error) => {
    assert.ok(error instanceof ImageError);
    assert.match(error.message, /corrupt/);
    return true;
  });
  assert.equal(await runtime.findImage("corrupt"), undefined);
});

test("a container's exit code and all of its output are kept", { skip }, async () => {
  const script = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); echo $i; done; echo end >&2; exit 3";
  const exit = await run("lines-a", script);
  assert.equal(exit.exitCode, 3);
  assert.equal(exit.oomKilled, false);
  assert.ok(Math.abs(exit.exitedAt - systemClock.now()) < 60_000);
  const lines = exit.output.trimEnd().split("\n");
  assert.deepEqual(
    lines.filter((line) => line !== "end"),
    Array.from({ length: 60_000 }, (_, index) => String(index + 1)),
  );
  assert.ok(lines.includes("end"));
});

test("signal() reaches the first process, and leaves a stopped container alone", {
  skip,
}, async () => {
  const script = "trap 'exit 7' TERM; echo ready; while true; do sleep 0.05; done";
  await runtime.create(spec("signal-a", ["sh", "-c", script]));
  await runtime.start("signal-a");
  await eventually("trap set", async () => (await output("signal-a")).includes("ready"));
  await runtime.signal("signal-a", "SIGTERM");
  assert.equal((await runtime.wait("signal-a", never)).exitCode, 7);
  await runtime.signal("signal-a", "SIGKILL");
  await assert.rejects(runtime.signal("signal-a", "SIGNONSENSE"), /unknown signal/);
  await runtime.remove("signal-a");
});

test("a container over its memory limit is reported as killed for it, its siblings are not", {
  skip,
}, async () => {
  const limits = { taskLimits: { cpuUnits: 1024, memoryBytes: 32 * 1024 * 1024 } };
  await runtime.create(spec("oom-b", ["sleep", "1000"], limits));
  await runtime.start("oom-b");
  const script = "dd if=/dev/zero of=/dev/null bs=256M count=1";
  const hog = await run("oom-a", `exec ${script}`, { ...limits, memoryBytesMax: undefined });
  assert.deepEqual([hog.exitCode, hog.oomKilled], [137, true]);
  await runtime.signal("oom-b", "SIGKILL");
  const sibling = await runtime.wait("oom-b", never);
  assert.deepEqual([sibling.exitCode, sibling.oomKilled], [137, false]);
  await runtime.remove("oom-b");
});

test("the seccomp profile and dropped privileges are in force", { skip }, async () => {
  const script = `unshare -U true || echo refused; mount -t tmpfs x /tmp || echo refused
    grep -E 'Seccomp:|NoNewPrivs|CapBnd' /proc/self/status; touch /file || echo readonly; touch /scratch/file && echo ok
    cat /proc/kcore | wc -c; touch /bound/file || echo readonly; id -u; ulimit -n`;
  const source = await mkdtemp(join(directory, "bound-"));
  const { output: text } = await run("safe-a", script, {
    readonlyRootfs: true,
    noNewPrivileges: true,
    capabilitiesDropped: ["ALL"],
    user: "web",
    tmpfs: { "/scratch": "mode=1777,size=1m" },
    mounts: [{ source, target: "/bound", readonly: true }],
    ulimits: [{ name: "nofile", soft: 512, hard: 10_000_000 }],
  });
  const said = text
    .split("\n")
    .filter((line) => !/: .*(denied|permitted|Read-only|No such)/.test(line));
  assert.deepEqual(said, [
    ..."refused refused CapBnd:\t0000000000000000 NoNewPrivs:\t1 Seccomp:\t2".split(" "),
    ..."readonly ok 0 readonly 1000 512".split(" "),
    "",
  ]);
});

test("a terminal is one", { skip }, async () => {
  const { output: text } = await run("tty-a", "test -t 1 && echo yes", { terminal: true });
  assert.equal(text, "yes\r\n");
});

test("create() says in a few words what cannot be", { skip }, async () => {
  const cases: readonly [Partial<ContainerSpec>, RegExp][] = [
    [{ args: ["nosuch"] }, /^exec: "nosuch": executable file not found in \$PATH$/],
    [{ args: [] }, /^no command specified$/],
    [{ image: "docker.io/library/none:1" }, /^no such image: docker.io\/library\/none:1$/],
    [{ user: "ghost" }, /^unable to find user ghost/],
    [{ capabilitiesAdded: ["NONSENSE"] }, /^unknown capability: NONSENSE$/],
    [{ ulimits: [{ name: "wings", soft: 1, hard: 1 }] }, /^invalid ulimit type: wings$/],
    [{ sysctls: { "kernel.hostname": "x" } }, /kernel\.hostname/],
  ];
  for (const [over, message] of cases) {
    await assert.rejects(runtime.create(spec("bad-a", ["true"], over)), (error) => {
      assert.ok(error instanceof RuntimeError, String(error));
      assert.match(error.message, message);
      return true;
    });
  }
  assert.deepEqual(await runtime.list(), []);
  await assert.rejects(runtime.start("bad-a"), RuntimeError);
  await assert.rejects(runtime.wait("bad-a", never), /no such container/);
});

test("every call may be made twice", { skip }, async () => {
  const twice = spec("twice-a", ["sleep", "1000"], { labels: { family: "x" } });
  await Promise.all([runtime.create(twice), runtime.create(twice)]);
  assert.deepEqual(await runtime.list(), [
    { id: "twice-a", labels: { family: "x" }, status: "created" },
  ]);
  await runtime.start("twice-a");
  await runtime.start("twice-a");
  assert.equal((await runtime.list())[0]?.status, "running");
  await runtime.create(twice);
  await runtime.signal("twice-a", "SIGKILL");
  const exits = await Promise.all([1, 2, 3].map(() => runtime.wait("twice-a", never)));
  assert.deepEqual(exits[0], exits[2]);
  await runtime.start("twice-a");
  assert.deepEqual((await runtime.list())[0]?.exit, exits[0]);
  await Promise.all([runtime.remove("twice-a"), runtime.remove("twice-a")]);
  await runtime.remove("twice-a");
});

test("the containers of a task share one shim, one control group and their network", {
  skip,
}, async () => {
  execFileSync("ip", ["netns", "add", name]);
  try {
    execFileSync("ip", ["-n", name, "link", "set", "lo", "up"]);
    const over: Partial<ContainerSpec> = {
      network: { mode: "namespace", path: `/run/netns/${name}` },
      taskLimits: { cpuUnits: 512, memoryBytes: 128 * 1024 * 1024 },
      hostname: "pair.local",
    };
    const server = "hostname; cat /proc/self/cgroup >&2; nc -l -p 80 -e echo hello from a";
    await runtime.create(spec("pair-a", ["sh", "-c", server], over));
    await runtime.start("pair-a");
    const client = "until nc 127.0.0.1 80; do sleep 0.05; done; ls /proc | grep -c '^[0-9]'";
    const b = await run("pair-b", client, { ...over, user: "web" });
    assert.match(b.output, /^hello from a$/m);
    const a = await output("pair-a");
    assert.match(a, /^pair\.local$/m);
    assert.match(a, new RegExp(`:/${name}/pair/pair-a$`, "m"));
    await runtime.wait("pair-a", never);
    await runtime.remove("pair-a");
  } finally {
    execFileSync("ip", ["netns", "del", name]);
  }
});

test("remove() kills what runs and leaves nothing behind", { skip }, async () => {
  const client = createContainerdClient({
    socketPath: engine.socketPath,
    namespace: "test",
    clock: systemClock,
  });
  try {
    const snapshotsBefore = await client.snapshots.list();
    for (const id of ["gone-a", "gone-b"]) {
      await runtime.create(spec(id, ["sleep", "1000"]));
      await runtime.start(id);
    }
    assert.equal(shims().length, 1);
    assert.ok(
      existsSync(`/sys/fs/cgroup/memory/${name}/gone`) || existsSync(`/sys/fs/cgroup/${name}/gone`),
    );
    await runtime.remove("gone-a");
    assert.equal((await runtime.list())[0]?.status, "running");
    await runtime.remove("gone-b");
    assert.deepEqual(await runtime.list(), []);
    assert.deepEqual(await client.snapshots.list(), snapshotsBefore);
    assert.deepEqual(globSync(`/sys/fs/cgroup/**/${name}/gone`), []);
    assert.deepEqual(globSync(join(directory, "state/exits/*")), []);
    await eventually("the shim ends", () => shims().length === 0);
    assert.equal(tryRead("/proc/self/mounts").includes(directory), false);
  } finally {
    client.close();
  }
});

test("a container outlives the death of containerd, and its exit code reaches who waits", {
  skip,
}, async () => {
  const script = "echo up; until test -e /bound/go; do sleep 0.05; done; exit 9";
  const source = await mkdtemp(join(directory, "bound-"));
  const mounts = [{ source, target: "/bound", readonly: true }];
  await runtime.create(spec("lives-a", ["sh", "-c", script], { mounts }));
  await runtime.start("lives-a");
  const waiting = runtime.wait("lives-a", never);
  const pidFile = join(directory, "containerd/containerd.pid");
  const pid = await readFile(pidFile, "utf8");
  process.kill(Number(pid), "SIGKILL");
  await eventually("containerd is back", async () => (await readFile(pidFile, "utf8")) !== pid);
  assert.equal((await runtime.list())[0]?.status, "running");
  await writeFile(join(source, "go"), "");
  assert.equal((await waiting).exitCode, 9);
  await runtime.remove("lives-a");
});

test("a new runtime finds what ran and what ended while there was none", { skip }, async () => {
  await runtime.create(spec("again-a", ["sh", "-c", "echo bye; exit 5"], { labels: { n: "1" } }));
  await runtime.create(spec("again-b", ["sleep", "1000"]));
  await runtime.start("again-b");
  await runtime.start("again-a");
  await runtime.close();
  // An engine left over from a killed Gantry is replaced; its containers stay.
  await endSupervision();
  await startEngine();
  runtime = await connect();
  assert.equal((await runtime.wait("again-a", never)).exitCode, 5);
  assert.equal(await output("again-a"), "bye\n");
  const states = new Map((await runtime.list()).map((state) => [state.id, state]));
  assert.equal(states.get("again-b")?.status, "running");
  assert.deepEqual(states.get("again-a")?.labels, { n: "1" });
  for (const id of states.keys()) await runtime.remove(id);
});

test("a container lost with its shim counts as stopped, with Docker's code for that", {
  skip,
}, async () => {
  await runtime.create(spec("lost-a", ["sleep", "1000"]));
  await runtime.start("lost-a");
  const waiting = runtime.wait("lost-a", never);
  for (const pid of shims()) process.kill(pid, "SIGKILL");
  assert.equal((await waiting).exitCode, 255);
  assert.equal((await runtime.list())[0]?.exit?.exitCode, 255);
  await runtime.remove("lost-a");
});

test("wait() ends with its signal", { skip }, async () => {
  await runtime.create(spec("abort-a", ["sleep", "1000"]));
  await runtime.start("abort-a");
  const abort = new AbortController();
  const waiting = runtime.wait("abort-a", abort.signal);
  abort.abort();
  await assert.rejects(waiting, { name: "AbortError" });
  await runtime.remove("abort-a");
});
