/** Commands in containers and what containers have used, with a real containerd and runc. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import {
  eventually,
  type RealRuntime,
  readIfThere,
  useRealRuntime,
} from "../../test/images/real-runtime.ts";
import { EXEC_OUTPUT_BYTES_MAX, RuntimeError } from "./runtime.ts";

const real = await useRealRuntime();
const { skip } = real;
const never = new AbortController().signal;

function sh(script: string, timeoutMs = 20_000): Parameters<RealRuntime["runtime"]["exec"]>[1] {
  return { args: ["/bin/sh", "-c", script], timeoutMs };
}

test("exec() runs in the container as its user, with its environment, and says how it ended", {
  skip,
}, async () => {
  const over = {
    user: "1000:1000",
    environment: ["PATH=/bin", "COLOUR=red"],
    workingDirectory: "/tmp",
  };
  await real.runtime.create(real.spec("exec-a", ["sleep", "1000"], over));
  await assert.rejects(real.runtime.exec("exec-a", sh("true"), never), RuntimeError);
  await real.runtime.start("exec-a");
  const result = await real.runtime.exec(
    "exec-a",
    sh("echo $(id -u):$(id -g) $COLOUR $(pwd); grep CapEff /proc/self/status >&2; exit 3"),
    never,
  );
  assert.ok(result !== "timedOut");
  assert.equal(result.exitCode, 3);
  // The two streams are two pipes: which is read first is not settled.
  assert.deepEqual(result.output.split("\n").sort(), [
    "",
    "1000:1000 red /tmp",
    "CapEff:\t0000000000000000",
  ]);
  await real.runtime.remove("exec-a");
});

test("exec() keeps the beginning of much output, and many commands run side by side", {
  skip,
}, async () => {
  await real.runtime.create(real.spec("many-a", ["sleep", "1000"]));
  await real.runtime.start("many-a");
  const long = await real.runtime.exec("many-a", sh("yes 12345678 | head -c 3000000"), never);
  assert.ok(long !== "timedOut");
  assert.equal(long.exitCode, 0);
  assert.equal(long.output.length, EXEC_OUTPUT_BYTES_MAX);
  const results = await Promise.all(
    Array.from({ length: 6 }, (_, index) =>
      real.runtime.exec("many-a", sh(`echo ${index}; exit ${index}`), never),
    ),
  );
  assert.deepEqual(
    results,
    results.map((_, index) => ({ exitCode: index, output: `${index}\n` })),
  );
  await real.runtime.remove("many-a");
});

test("exec() kills what outlives its time, and names what cannot be started", {
  skip,
}, async () => {
  await real.runtime.create(real.spec("late-a", ["sleep", "1000"]));
  await real.runtime.start("late-a");
  assert.equal(
    await real.runtime.exec("late-a", sh("echo waiting; sleep 777; true", 300), never),
    "timedOut",
  );
  await eventually("it is gone", async () => {
    const list = await real.runtime.exec("late-a", sh("ps"), never);
    return list !== "timedOut" && !list.output.includes("777");
  });
  await assert.rejects(
    real.runtime.exec("late-a", { args: ["/nosuch"], timeoutMs: 5000 }, never),
    (error) => error instanceof RuntimeError && /nosuch.*no such file/.test(error.message),
  );
  const abort = new AbortController();
  const aborted = real.runtime.exec("late-a", sh("sleep 777"), abort.signal);
  abort.abort();
  await assert.rejects(aborted, { name: "AbortError" });
  const ended = assert.rejects(real.runtime.exec("late-a", sh("kill -9 1; sleep 777"), never));
  await real.runtime.signal("late-a", "SIGKILL");
  await ended;
  await assert.rejects(real.runtime.exec("nosuch-a", sh("true"), never), /no such container/);
  await real.runtime.remove("late-a");
});

test("stats() tells what a container has used, until it stops", { skip }, async () => {
  execFileSync("ip", ["netns", "add", real.name]);
  try {
    execFileSync("ip", [
      "-n",
      real.name,
      "link",
      "add",
      "eth0",
      "type",
      "veth",
      "peer",
      "name",
      "eth1",
    ]);
    const script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo burnt; exec sleep 1000";
    await real.runtime.create(
      real.spec("stats-a", ["sh", "-c", script], {
        network: { mode: "namespace", path: `/run/netns/${real.name}` },
        taskLimits: { cpuUnits: 1024, memoryBytes: 48 * 1024 * 1024 },
      }),
    );
    assert.equal(await real.runtime.stats("stats-a"), undefined);
    await real.runtime.start("stats-a");
    await eventually("it has worked", async () => (await real.output("stats-a")).includes("burnt"));
    const stats = await real.runtime.stats("stats-a");
    assert.ok(stats !== undefined);
    assert.ok(stats.cpu.totalNs > 10_000_000, `${stats.cpu.totalNs} ns`);
    assert.ok(stats.cpu.userNs > 0 && stats.systemCpuNs > stats.cpu.totalNs);
    assert.ok(stats.memory.usageBytes > 0 && stats.memory.maxUsageBytes >= stats.memory.usageBytes);
    assert.equal(stats.memory.limitBytes, 48 * 1024 * 1024);
    assert.equal(stats.pids, 1);
    assert.deepEqual(Object.keys(stats.network), ["eth1", "eth0"]);
    await real.runtime.signal("stats-a", "SIGKILL");
    await real.runtime.wait("stats-a", never);
    assert.equal(await real.runtime.stats("stats-a"), undefined);
    await real.runtime.remove("stats-a");
    assert.equal(await real.runtime.stats("stats-a"), undefined);
  } finally {
    execFileSync("ip", ["netns", "del", real.name]);
  }
});

test("stats() shows no interfaces on the machine's own network", { skip }, async () => {
  await real.runtime.create(real.spec("hostnet-a", ["sleep", "1000"]));
  await real.runtime.start("hostnet-a");
  assert.deepEqual((await real.runtime.stats("hostnet-a"))?.network, {});
  assert.ok(readIfThere("/proc/net/dev").includes("lo"));
  await real.runtime.remove("hostnet-a");
});
