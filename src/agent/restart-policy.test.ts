import assert from "node:assert/strict";
import { test } from "node:test";
import type { PayloadTask, RestartPolicy } from "../protocol/acs.ts";
import { CrashPoint } from "./testing/crash.fixture.ts";
import { checked, payloadContainer, payloadTask, Rig } from "./testing/rig.fixture.ts";
import { pass, passUntil } from "./testing/time.fixture.ts";

const POLICY: RestartPolicy = { enabled: true, restartAttemptPeriod: 60 };

function restarting(image: string, policy: RestartPolicy = POLICY): PayloadTask {
  return payloadTask("a1", {
    containers: [payloadContainer("web", { image, restartPolicy: policy })],
  });
}

test("a container that ran long enough is started again in place, and the server sees one that runs", async () => {
  await using rig = await Rig.create({ flaky: { runFor: 60_000, exitsMax: 2, exitCode: 1 } });
  const { agent } = await rig.connect();
  rig.server.assign(restarting("flaky"));
  await passUntil(rig.clock, () => rig.runtime.starts.get("a1-web") === 3);
  await pass(rig.clock, 1000);
  const [record] = agent.tasks();
  assert.equal(record?.containers[0]?.status, "RUNNING");
  assert.equal(record?.containers[0]?.restartCount, 2);
  assert.equal(rig.server.reports.length, 1, "a restart is no news of the task");
  rig.runtime.exit("a1-web", 5);
  await passUntil(rig.clock, () => rig.server.reports.length === 2);
  assert.equal(rig.server.reports[1]?.containers[0]?.exitCode, 5, "that run was too short");
});

const FINAL: readonly [string, { runFor: number; exitCode?: number }, RestartPolicy][] = [
  ["a run that was too short", { runFor: 59_999, exitCode: 1 }, POLICY],
  [
    "an exit code to ignore",
    { runFor: 90_000, exitCode: 0 },
    { ...POLICY, ignoredExitCodes: [0, 9] },
  ],
  ["a policy that is off", { runFor: 90_000 }, { ...POLICY, enabled: false }],
  ["a run below ECS's default of 300 s", { runFor: 299_000 }, { enabled: true }],
];
for (const [what, script, policy] of FINAL) {
  test(`${what} ends the container for good`, async () => {
    await using rig = await Rig.create({ flaky: script });
    await rig.connect();
    rig.server.assign(restarting("flaky", policy));
    await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "STOPPED");
    assert.equal(rig.runtime.starts.get("a1-web"), 1);
    assert.equal(rig.server.reports.at(-1)?.containers[0]?.exitCode, script.exitCode ?? 0);
  });
}

test("a task that shall stop starts nothing again", async () => {
  await using rig = await Rig.create({ flaky: { onStop: 0 } });
  await rig.connect();
  const task = restarting("flaky");
  rig.server.assign(task);
  await pass(rig.clock, 120_000);
  rig.server.assign({ ...task, desiredStatus: "STOPPED" });
  await passUntil(rig.clock, () => rig.server.reports.at(-1)?.status === "STOPPED");
  assert.equal(rig.runtime.starts.get("a1-web"), 1);
  assert.equal(rig.server.reports.at(-1)?.containers[0]?.exitCode, 0);
});

test("health begins anew with each run", async () => {
  await using rig = await Rig.create({ flaky: { runFor: 65_000, exitsMax: 1 } });
  const { agent } = await rig.connect();
  const container = payloadContainer("web", {
    image: "flaky",
    restartPolicy: POLICY,
    ...checked({ interval: 20 }),
  });
  rig.server.assign(payloadTask("a1", { containers: [container] }));
  const health = (): string | undefined => agent.tasks()[0]?.containers[0]?.health?.status;
  await passUntil(rig.clock, () => health() === "HEALTHY");
  await passUntil(rig.clock, () => rig.runtime.starts.get("a1-web") === 2);
  await passUntil(rig.clock, () => health() === "UNKNOWN");
  await passUntil(rig.clock, () => health() === "HEALTHY");
  assert.equal(rig.runtime.execs.length, 4, "three in the first run, one in the second");
});

test("an agent that was away for an end starts the container again when it is back", async () => {
  await using rig = await Rig.create();
  const first = await rig.connect();
  rig.server.assign(restarting("app"));
  await pass(rig.clock, 70_000);
  await first.stop();
  rig.runtime.exit("a1-web", 1);
  const { agent } = await rig.connect();
  await passUntil(rig.clock, () => rig.runtime.starts.get("a1-web") === 2);
  await pass(rig.clock, 1000);
  assert.equal(agent.tasks()[0]?.containers[0]?.restartCount, 1);
});

for (const when of ["before", "after"] as const) {
  test(`a crash ${when} a restart neither loses it nor does it twice`, async () => {
    await using rig = await Rig.create({ flaky: { runFor: 61_000, exitsMax: 1 } });
    // Effects: create, start, restart.
    const point = new CrashPoint(2, when, () => void first.stop());
    const first = rig.start(point.watch(rig));
    await passUntil(rig.clock, () => rig.server.socket !== undefined);
    rig.server.assign(restarting("flaky"));
    await passUntil(rig.clock, () => point.isReached);
    await first.stop();
    const { agent } = await rig.connect();
    await passUntil(rig.clock, () => agent.tasks()[0]?.containers[0]?.restartCount === 1);
    await pass(rig.clock, 600_000);
    assert.equal(rig.runtime.starts.get("a1-web"), 2);
    assert.equal(agent.tasks()[0]?.containers[0]?.restartCount, 1);
  });
}
