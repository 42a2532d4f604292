/** The runtime with a real containerd and runc. Skips, saying why, where containers cannot run. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, globSync } from "node:fs";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { busyboxImage } from "../../scripts/busybox-image.ts";
import { eventually, readIfThere, useRealRuntime } from "../../test/images/real-runtime.ts";
import { systemClock } from "../lib/clock.ts";
import { type ContainerSpec, ImageError, ProcessError, RuntimeError } from "./runtime.ts";

const real = await useRealRuntime();
const { skip } = real;
const never = new AbortController().signal;

test("loadImage() takes an OCI layout and findImage() knows it by Docker's short names", {
  skip,
}, async () => {
  const image = await real.runtime.findImage("box:1");
  assert.equal(image?.name, "docker.io/library/box:1");
  assert.match(image.digest, /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual(image.config.entrypoint, ["/bin/sh"]);
  assert.deepEqual(image.config.environment, ["PATH=/bin", "A=1"]);
  assert.deepEqual(await real.runtime.findImage(`box@${image.digest}`), image);
  assert.equal(await real.runtime.findImage("box:2"), undefined);
  assert.equal(await real.runtime.findImage(`box@sha256:${"0".repeat(64)}`), undefined);
});

test("loadImage() takes a docker-archive, its names move, and its containers run", {
  skip,
}, async () => {
  const file = join(real.directory, "docker.tar");
  const names = ["boat:1", "registry.example/boat"];
  await busyboxImage({ file, names, format: "docker", user: "web" });
  const progress: string[] = [];
  const images = await real.runtime.loadImage(createReadStream(file), (text) =>
    progress.push(text),
  );
  const full = ["docker.io/library/boat:1", "registry.example/boat:latest"];
  assert.deepEqual(
    images.map((image) => image.name),
    full,
  );
  assert.ok(progress.some((text) => text.includes("layer 1 of 1")));
  await busyboxImage({ file, names: ["boat:1"], format: "docker", user: "root" });
  await real.runtime.loadImage(createReadStream(file));
  assert.equal((await real.runtime.findImage("boat:1"))?.config.user, "root");
  assert.equal((await real.runtime.findImage("registry.example/boat"))?.config.user, "web");
  assert.equal(
    (await real.run("boat-a", "exit 4", { image: "docker.io/library/boat:1" })).exitCode,
    4,
  );
});

test("a container gets the image that was found, whatever has its name by now", {
  skip,
}, async () => {
  const load = async (names: readonly string[], marker: string): Promise<void> => {
    const file = join(real.directory, "tag.tar");
    await busyboxImage({ file, names, files: { "/marker": marker } });
    await real.runtime.loadImage(createReadStream(file));
  };
  await load(["tag:1", "kept:1"], "old");
  const found = await real.runtime.findImage("tag:1");
  await load(["tag:1"], "new");
  const image = "docker.io/library/tag:1";
  const [before, now] = [{ image, imageDigest: found?.digest }, { image }];
  assert.equal((await real.run("tag-a", "cat /marker", before)).output, "old");
  assert.equal((await real.run("tag-b", "cat /marker", now)).output, "new");
  await real.runtime.removeImage("kept:1");
  await assert.rejects(real.runtime.create(real.spec("tag-c", ["true"], before)), {
    name: "RuntimeError",
    message: `no such image: ${image}`,
  });
});

test("loadImage() refuses a blob whose bytes are not what its digest says", { skip }, async () => {
  const file = join(real.directory, "corrupt.tar");
  await busyboxImage({ file, names: ["corrupt"], files: { "/marker": "0123456789" } });
  const bytes = await readFile(file);
  bytes.write("x", bytes.indexOf("0123456789"));
  await writeFile(file, bytes);
  await assert.rejects(real.runtime.loadImage(createReadStream(file)), (error) => {
    assert.ok(error instanceof ImageError);
    assert.match(error.message, /corrupt/);
    return true;
  });
  assert.equal(await real.runtime.findImage("corrupt"), undefined);
});

test("a container's exit code and all of its output are kept", { skip }, async () => {
  const script = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); echo $i; done; echo end >&2; exit 3";
  const exit = await real.run("lines-a", script);
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

test("output on stderr is kept when stdout is closed long before", { skip }, async () => {
  const exit = await real.run("early-a", "echo one; exec >&-; sleep 0.3; echo two >&2");
  assert.deepEqual(exit.output.split("\n").sort(), ["", "one", "two"]);
});

test("signal() reaches the first process, and leaves a stopped container alone", {
  skip,
}, async () => {
  const script = "trap 'exit 7' TERM; echo ready; while true; do sleep 0.05; done";
  await real.runtime.create(real.spec("signal-a", ["sh", "-c", script]));
  await real.runtime.start("signal-a");
  await eventually("trap set", async () => (await real.output("signal-a")).includes("ready"));
  await real.runtime.signal("signal-a", "SIGTERM");
  assert.equal((await real.runtime.wait("signal-a", never)).exitCode, 7);
  await real.runtime.signal("signal-a", "SIGKILL");
  await assert.rejects(real.runtime.signal("signal-a", "SIGNONSENSE"), /unknown signal/);
  await real.runtime.remove("signal-a");
});

test("a container over its memory limit is reported as killed for it, its siblings are not", {
  skip,
}, async () => {
  const limits = { taskLimits: { cpuUnits: 1024, memoryBytes: 32 * 1024 * 1024 } };
  await real.runtime.create(real.spec("oom-b", ["sleep", "1000"], limits));
  await real.runtime.start("oom-b");
  const script = "dd if=/dev/zero of=/dev/null bs=256M count=1";
  const hog = await real.run("oom-a", `exec ${script}`, { ...limits, memoryBytesMax: undefined });
  assert.deepEqual([hog.exitCode, hog.oomKilled], [137, true]);
  await real.runtime.signal("oom-b", "SIGKILL");
  const sibling = await real.runtime.wait("oom-b", never);
  assert.deepEqual([sibling.exitCode, sibling.oomKilled], [137, false]);
  await real.runtime.remove("oom-b");
});

test("the seccomp profile and dropped privileges are in force", { skip }, async () => {
  const script = `unshare -U true || echo refused; mount -t tmpfs x /tmp || echo refused
    grep -E 'Seccomp:|NoNewPrivs|CapBnd' /proc/self/status; touch /file || echo readonly; touch /scratch/file && echo ok
    cat /proc/kcore | wc -c; touch /bound/file || echo readonly; id -u; ulimit -n`;
  const source = await mkdtemp(join(real.directory, "bound-"));
  const { output: text } = await real.run("safe-a", script, {
    readonlyRootfs: true,
    noNewPrivileges: true,
    capabilitiesDropped: ["ALL"],
    user: "web",
    tmpfs: { "/scratch": "mode=1777,size=1m" },
    mounts: [{ source, target: "/bound", readonly: true }],
    ulimits: [{ name: "nofile", soft: 512, hard: 1024 }],
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

/** Docker's set; see capabilities.ts for the names. */
const CAPABILITIES_MASK = "00000000a80425fb";

test("by default a container has Docker's capabilities, and none of what Docker keeps from it", {
  skip,
}, async () => {
  const script = `grep -E 'CapEff|CapBnd|CapAmb' /proc/self/status
    for flag in -U -m -n -p -i -u; do unshare $flag true || echo no unshare $flag; done
    mount -t tmpfs x /tmp || echo no mount; hostname other || echo no sethostname
    date -s 2001-01-01 2>&1 | grep -o 'not permitted'; swapoff -a; swapon /tmp || echo no swapon
    nsenter -t 1 -m true || echo no setns
    for path in kcore keys timer_list; do test -s /proc/$path && cat /proc/$path 2> /dev/null | head -c 1; done
    (echo 1 > /proc/sys/kernel/sysrq) || echo proc/sys; (echo b > /proc/sysrq-trigger) || echo sysrq
    mkdir /sys/fs/cgroup/memory/x || echo cgroups; mknod /tmp/disk b 7 0 && (: < /tmp/disk) || echo disk
    chown 5:5 /tmp && echo chown`;
  const { output } = await real.run("plain-a", `{ ${script}; } 2> /dev/null`);
  assert.deepEqual(output.trimEnd().split("\n"), [
    `CapEff:\t${CAPABILITIES_MASK}`,
    `CapBnd:\t${CAPABILITIES_MASK}`,
    "CapAmb:\t0000000000000000",
    ...["-U", "-m", "-n", "-p", "-i", "-u"].map((flag) => `no unshare ${flag}`),
    ..."no mount,no sethostname,not permitted,no swapon,no setns".split(","),
    ..."proc/sys,sysrq,cgroups,disk,chown".split(","),
  ]);
});

test("a terminal is one", { skip }, async () => {
  const { output: text } = await real.run("tty-a", "test -t 1 && echo yes", { terminal: true });
  assert.equal(text, "yes\r\n");
});

test("create() says in a few words what cannot be, and whether it is the process", {
  skip,
}, async () => {
  const cases: readonly [Partial<ContainerSpec>, typeof RuntimeError, RegExp][] = [
    [{ args: ["nosuch"] }, ProcessError, /^exec: "nosuch": executable file not found in \$PATH$/],
    [{ user: "ghost" }, ProcessError, /^unable to find user ghost/],
    [{ sysctls: { "kernel.hostname": "x" } }, ProcessError, /kernel\.hostname/],
    [{ args: [] }, RuntimeError, /^no command specified$/],
    [
      { image: "docker.io/library/none:1" },
      RuntimeError,
      /^no such image: docker.io\/library\/none:1$/,
    ],
    [{ capabilitiesAdded: ["NONSENSE"] }, RuntimeError, /^unknown capability: NONSENSE$/],
    [
      { ulimits: [{ name: "wings", soft: 1, hard: 1 }] },
      RuntimeError,
      /^invalid ulimit type: wings$/,
    ],
  ];
  for (const [over, kind, message] of cases) {
    await assert.rejects(real.runtime.create(real.spec("bad-a", ["true"], over)), (error) => {
      assert.ok(error instanceof RuntimeError, String(error));
      assert.equal(error.constructor, kind, error.message);
      assert.match(error.message, message);
      return true;
    });
  }
  assert.deepEqual(await real.runtime.list(), []);
  await assert.rejects(real.runtime.start("bad-a"), RuntimeError);
  await assert.rejects(real.runtime.wait("bad-a", never), /no such container/);
});

test("every call may be made twice", { skip }, async () => {
  const twice = real.spec("twice-a", ["sleep", "1000"], { labels: { family: "x" } });
  await Promise.all([real.runtime.create(twice), real.runtime.create(twice)]);
  assert.deepEqual(await real.runtime.list(), [
    { id: "twice-a", labels: { family: "x" }, status: "created" },
  ]);
  await real.runtime.start("twice-a");
  await real.runtime.start("twice-a");
  assert.equal((await real.runtime.list())[0]?.status, "running");
  await real.runtime.create(twice);
  // Nor does one that fails touch what runs.
  await assert.rejects(real.runtime.create({ ...twice, image: "none" }), /no such image/);
  await real.runtime.signal("twice-a", "SIGKILL");
  const exits = await Promise.all([1, 2, 3].map(() => real.runtime.wait("twice-a", never)));
  assert.deepEqual(exits[0], exits[2]);
  await real.runtime.start("twice-a");
  assert.deepEqual((await real.runtime.list())[0]?.exit, exits[0]);
  await Promise.all([real.runtime.remove("twice-a"), real.runtime.remove("twice-a")]);
  await real.runtime.remove("twice-a");
});

test("the containers of a task share one shim, one control group and their network", {
  skip,
}, async () => {
  execFileSync("ip", ["netns", "add", real.name]);
  try {
    execFileSync("ip", ["-n", real.name, "link", "set", "lo", "up"]);
    const over: Partial<ContainerSpec> = {
      network: { mode: "namespace", path: `/run/netns/${real.name}` },
      taskLimits: { cpuUnits: 512, memoryBytes: 128 * 1024 * 1024 },
      hostname: "pair.local",
    };
    const server = "hostname; cat /proc/self/cgroup >&2; nc -l -p 80 -e echo hello from a";
    await real.runtime.create(real.spec("pair-a", ["sh", "-c", server], over));
    await real.runtime.start("pair-a");
    const client = "until nc 127.0.0.1 80; do sleep 0.05; done; ls /proc | grep -c '^[0-9]'";
    const b = await real.run("pair-b", client, { ...over, user: "web" });
    assert.match(b.output, /^hello from a$/m);
    const a = await real.output("pair-a");
    assert.match(a, /^pair\.local$/m);
    assert.match(a, new RegExp(`:/${real.name}/pair/pair-a$`, "m"));
    await real.runtime.wait("pair-a", never);
    await real.runtime.remove("pair-a");
  } finally {
    execFileSync("ip", ["netns", "del", real.name]);
  }
});

test("remove() kills what runs and leaves nothing behind", { skip }, async () => {
  const { client } = real;
  const snapshotsBefore = await client.snapshots.list();
  for (const id of ["gone-a", "gone-b"]) {
    await real.runtime.create(real.spec(id, ["sleep", "1000"]));
    await real.runtime.start(id);
  }
  assert.equal(real.shims().length, 1);
  assert.ok(
    existsSync(`/sys/fs/cgroup/memory/${real.name}/gone`) ||
      existsSync(`/sys/fs/cgroup/${real.name}/gone`),
  );
  await real.runtime.remove("gone-a");
  assert.equal((await real.runtime.list())[0]?.status, "running");
  await real.runtime.remove("gone-b");
  assert.deepEqual(await real.runtime.list(), []);
  assert.deepEqual(await client.snapshots.list(), snapshotsBefore);
  assert.deepEqual(globSync(`/sys/fs/cgroup/**/${real.name}/gone`), []);
  assert.deepEqual(globSync(join(real.directory, "state/exits/*")), []);
  await eventually("the shim ends", () => real.shims().length === 0);
  assert.equal(readIfThere("/proc/self/mounts").includes(real.directory), false);
});

test("wait() ends with its signal", { skip }, async () => {
  await real.runtime.create(real.spec("abort-a", ["sleep", "1000"]));
  await real.runtime.start("abort-a");
  const abort = new AbortController();
  const waiting = real.runtime.wait("abort-a", abort.signal);
  abort.abort();
  await assert.rejects(waiting, { name: "AbortError" });
  await real.runtime.remove("abort-a");
});
