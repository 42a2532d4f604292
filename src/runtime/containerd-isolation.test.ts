/** Namespaces, limits, devices and runtimes of containers, with a real containerd. */
import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { eventually, readIfThere, useRealRuntime } from "../../test/images/real-runtime.ts";
import { isAppArmorOn } from "./apparmor.ts";
import { findCgroupMounts } from "./cgroups.ts";
import { findExecutable } from "./executables.ts";
import { type ContainerSpec, type NamespaceHolder, RuntimeError } from "./runtime.ts";

const real = await useRealRuntime();
const { skip } = real;
const skipWithoutInit =
  skip || ((await findExecutable("catatonit")) === undefined && "catatonit is not installed");
const never = new AbortController().signal;
const NO_LIMITS = { cpuUnits: undefined, memoryBytes: undefined };

function holder(taskId: string): NamespaceHolder {
  return {
    id: `${taskId}.pause`,
    taskId,
    runtime: "runc",
    taskLimits: NO_LIMITS,
    shmBytes: 1024 * 1024,
    outputPath: join(real.directory, "output", `${taskId}.pause`),
    labels: { who: "holder" },
  };
}

async function start(id: string, script: string, over: Partial<ContainerSpec> = {}): Promise<void> {
  await real.runtime.create(real.spec(id, ["sh", "-c", script], over));
  await real.runtime.start(id);
}

test("containers of a task share pids and shared memory, which outlive each of them", {
  skip: skipWithoutInit,
}, async () => {
  const shared = { holder: "ns.pause" };
  const over = { pidNamespace: shared, ipcNamespace: shared };
  await real.runtime.holdNamespaces(holder("ns"));
  await real.runtime.holdNamespaces(holder("ns"));
  await start("ns-a", "echo kept > /dev/shm/note; sleep 321 & exec sleep 123", over);
  await start("ns-b", "exec sleep 1000", over);
  const look = await real.runtime.exec("ns-b", { args: ["ps"], timeoutMs: 9000 }, never);
  assert.ok(look !== "timedOut");
  assert.match(look.output, /1 .*\/pause -P/);
  assert.match(look.output, /sleep 123/);
  await real.runtime.signal("ns-a", "SIGKILL");
  assert.equal((await real.runtime.wait("ns-a", never)).exitCode, 137);
  await real.runtime.remove("ns-a");
  await eventually("what the container has left is gone too", async () => {
    const rest = await real.runtime.exec("ns-b", { args: ["ps"], timeoutMs: 9000 }, never);
    return rest !== "timedOut" && !rest.output.includes("sleep 321");
  });
  const script =
    "cat /dev/shm/note; dd if=/dev/zero of=/dev/shm/big bs=64k count=64 2>&1 | tail -1";
  const after = await real.run("ns-c", script, over);
  assert.match(after.output, /^kept\n/);
  assert.match(after.output, /No space left|records out|bytes/);
  const labels = (await real.runtime.list()).map((state) => [state.id, state.labels.who]);
  assert.deepEqual(labels.sort(), [
    ["ns-b", undefined],
    ["ns.pause", "holder"],
  ]);
  await real.runtime.remove("ns-b");
  await real.runtime.remove("ns.pause");
  assert.ok(!readIfThere("/proc/self/mounts").includes(join(real.directory, "state/shm")));
  await assert.rejects(start("ns-d", "true", over), /held the namespaces .* has ended/);
});

test("a holder that has ended is made anew, and a container of the old one does not join strangers", {
  skip: skipWithoutInit,
}, async () => {
  const over = { ipcNamespace: { holder: "new.pause" } };
  await real.runtime.holdNamespaces(holder("new"));
  await start("new-a", "exit 4", over);
  const exit = await real.runtime.wait("new-a", never);
  await real.runtime.signal("new.pause", "SIGKILL");
  await real.runtime.wait("new.pause", never);
  await real.runtime.holdNamespaces(holder("new"));
  await assert.rejects(real.runtime.restart("new-a", exit), /held the namespaces .* has ended/);
  await real.runtime.remove("new-a");
  await start("new-a", "exit 5", over);
  assert.equal((await real.runtime.wait("new-a", never)).exitCode, 5);
  for (const id of ["new-a", "new.pause"]) await real.runtime.remove(id);
});

test("the machine's namespaces are seen when asked for, and /dev/shm is away when asked for", {
  skip,
}, async () => {
  const hostly = await real.run(
    "host-a",
    `test -d /proc/${process.pid} && echo yes; ls -d /dev/shm`,
    {
      pidNamespace: "host",
      ipcNamespace: "host",
    },
  );
  assert.equal(hostly.output, "yes\n/dev/shm\n");
  const none = await real.run("none-a", "test -e /dev/shm || echo none", { ipcNamespace: "none" });
  assert.equal(none.output, "none\n");
});

test("init reaps, and passes signals on", { skip: skipWithoutInit }, async () => {
  const script = "trap 'exit 9' TERM; (sleep 0.1 & ) ; echo ready; while :; do sleep 0.05; done";
  await start("init-a", script, { init: true, readonlyRootfs: true });
  await eventually("ready", async () => (await real.output("init-a")).includes("ready"));
  const look = await real.runtime.exec("init-a", { args: ["ps"], timeoutMs: 9000 }, never);
  assert.ok(look !== "timedOut" && /1 .*docker-init/.test(look.output));
  await real.runtime.signal("init-a", "SIGTERM");
  assert.equal((await real.runtime.wait("init-a", never)).exitCode, 9);
  await real.runtime.remove("init-a");
});

test("a mapped device is there and may be used as allowed, others may not", { skip }, async () => {
  const device = { hostPath: "/dev/loop-control", containerPath: "/dev/loops", permissions: "r" };
  const script = `: < /dev/loops && echo read
    (: > /dev/loops) 2> /dev/null || echo readonly
    mknod /tmp/mem c 1 1 && (: < /tmp/mem) 2> /dev/null || echo refused`;
  const { output } = await real.run("dev-a", script, { devices: [device] });
  assert.equal(output, "read\nreadonly\nrefused\n");
  for (const [hostPath, reason] of [
    ["/dev/nosuch", /custom device "\/dev\/nosuch": no such file/],
    ["/etc/passwd", /not a device node/],
  ] as const) {
    const devices = [{ hostPath, containerPath: "/dev/x", permissions: "rwm" }];
    await assert.rejects(start("dev-b", "true", { devices }), (error) => {
      assert.ok(error instanceof RuntimeError);
      assert.match(error.message, reason);
      return true;
    });
  }
});

test("standard input stays open when asked, and is at its end when not", { skip }, async () => {
  assert.equal((await real.run("stdin-a", "cat; echo end")).output, "end\n");
  await start("stdin-b", "cat; echo end", { stdinOpen: true });
  await start("stdin-c", "echo up; cat; echo end", { stdinOpen: true, terminal: true });
  await eventually("up", async () => (await real.output("stdin-c")).includes("up"));
  const states = (await real.runtime.list()).map(({ status }) => status);
  assert.deepEqual(states, ["running", "running"]);
  assert.equal(await real.output("stdin-b"), "");
  for (const id of ["stdin-b", "stdin-c"]) await real.runtime.remove(id);
});

test("without a network there is a loopback and nothing else", { skip }, async () => {
  const script =
    "ls /sys/class/net; nc -l -p 99 & sleep 0.2; nc 127.0.0.1 99 < /dev/null && echo ok";
  const { output } = await real.run("net-a", script, { network: { mode: "isolated" } });
  assert.equal(output, "lo\nok\n");
});

test("a task as a whole stays in its limits of memory, processes and processor", {
  skip,
}, async () => {
  const mounts = await findCgroupMounts();
  const taskLimits = { cpuUnits: 256, memoryBytes: 48 * 2 ** 20, swapBytes: 0, pidsMax: 12 };
  await start("limits-a", "exec sleep 1000", { taskLimits });
  const fork = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo done";
  const { output } = await real.run("limits-b", `${fork} 2>&1`, { taskLimits });
  assert.match(output, /can't fork/);
  const read = (controller: string, file: string): Promise<string> =>
    readFile(
      join(
        mounts.controllers.get(mounts.version === 2 ? "unified" : controller) ?? "",
        real.name,
        "limits",
        file,
      ),
      "utf8",
    );
  if (mounts.version === 1) {
    assert.equal(await read("cpu", "cpu.cfs_quota_us"), "25000\n");
    assert.equal(await read("memory", "memory.limit_in_bytes"), `${48 * 2 ** 20}\n`);
    assert.equal(await read("memory", "memory.memsw.limit_in_bytes"), `${48 * 2 ** 20}\n`);
  } else {
    assert.equal(await read("", "cpu.max"), "25000 100000\n");
    assert.equal(await read("", "memory.max"), `${48 * 2 ** 20}\n`);
    assert.equal(await read("", "memory.swap.max"), "0\n");
  }
  await real.runtime.remove("limits-a");
});

test("swap is allowed beside the memory limit as asked", { skip }, async (context) => {
  const { version } = await findCgroupMounts();
  const memoryBytesMax = 32 * 2 ** 20;
  const over = { memoryBytesMax, memorySwapBytesMax: memoryBytesMax + 2 ** 20 };
  const file =
    version === 1
      ? "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"
      : "/sys/fs/cgroup/memory.swap.max";
  try {
    const { output } = await real.run("swap-a", `cat ${file}`, over);
    assert.equal(output, `${version === 1 ? over.memorySwapBytesMax : 2 ** 20}\n`);
  } catch (error) {
    if (!(error instanceof RuntimeError && /does not account for swap/.test(error.message)))
      throw error;
    context.skip(error.message);
  }
});

test("a container is confined by AppArmor where the machine has it, with CAP_SYS_ADMIN too", {
  skip: skip || (!(await isAppArmorOn()) && "this kernel has no AppArmor"),
}, async () => {
  const label = "cat /proc/self/attr/current";
  const script = `${label}
    mount -t tmpfs none /tmp 2> /dev/null || echo refused
    echo 1 > /proc/$$/oom_score_adj && cat /proc/self/oom_score_adj
    (sleep 1000 & kill $!; wait $!; echo $?) 2> /dev/null`;
  const { output } = await real.run("armor-a", script, { capabilitiesAdded: ["SYS_ADMIN"] });
  assert.equal(output, "gantry-default (enforce)\nrefused\n1\n143\n");
  await start("armor-b", "exec sleep 1000", {});
  const args = ["sh", "-c", label];
  const look = await real.runtime.exec("armor-b", { args, timeoutMs: 60_000 }, never);
  assert.deepEqual(look, { exitCode: 0, output: "gantry-default (enforce)\n" });
  await real.runtime.signal("armor-b", "SIGKILL");
  assert.equal((await real.runtime.wait("armor-b", never)).exitCode, 137);
  await real.runtime.remove("armor-b");
  for (const over of [{ apparmorProfile: "unconfined" }, { privileged: true }]) {
    assert.equal((await real.run("armor-c", label, over)).output, "unconfined\n");
  }
});

test("a container may be run by another program with runc's command line", { skip }, async () => {
  const program = join(real.directory, "own-runc");
  const log = join(real.directory, "own-runc.log");
  await writeFile(program, `#!/bin/sh\necho "$@" >> ${log}\nexec runc "$@"\n`);
  await chmod(program, 0o755);
  const { output } = await real.run("own-a", "echo ran", { runtime: program });
  assert.equal(output, "ran\n");
  assert.match(await readFile(log, "utf8"), /create/);
  await assert.rejects(start("own-b", "true", { runtime: "nosuch-runc" }), /nosuch-runc/);
});
