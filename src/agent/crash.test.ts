import assert from "node:assert/strict";
import { test } from "node:test";
import type { PayloadTask } from "../protocol/acs.ts";
import { CrashPoint } from "./testing/crash.fixture.ts";
import { AWSVPC, awslogs, payloadContainer, payloadTask, Rig } from "./testing/rig.fixture.ts";
import { passUntil } from "./testing/time.fixture.ts";

/** More effects than the story below has: the last rounds crash nothing. */
const EFFECTS_MAX = 40;

const SCRIPTS = {
  app: { output: "started\n" },
  init: { runFor: 50, output: "ready\n" },
  fails: { runFor: 400, exitCode: 3 },
};

const RUNS: PayloadTask = payloadTask("runs", {
  ...AWSVPC,
  containers: [
    payloadContainer("app", {
      hostConfig: awslogs("app"),
      dependsOn: [{ containerName: "init", condition: "SUCCESS" }],
    }),
    payloadContainer("init", { image: "init", essential: false, hostConfig: awslogs("init") }),
  ],
});
const STOPPED = payloadTask("stopped", { ...AWSVPC });
const FAILS = payloadTask("fails", { containers: [payloadContainer("web", { image: "fails" })] });

/** Two tasks come, a third ends by itself, one is stopped; then the agent must be where it would have been without a crash. */
async function tellStory(crashAt: number, when: "before" | "after"): Promise<boolean> {
  await using rig = await Rig.create(SCRIPTS);
  rig.server.groups.add("/demo");
  const point = new CrashPoint(crashAt, when, () => void first.stop());
  const first = rig.start(point.watch(rig));
  await passUntil(rig.clock, () => rig.server.socket !== undefined);
  rig.server.assign(RUNS);
  rig.server.assign(STOPPED);
  rig.server.assign(FAILS);
  const isStopped = (task: PayloadTask): boolean =>
    rig.server.reportsOf(task.arn).some(({ status }) => status === "STOPPED");
  await passUntil(rig.clock, () => point.isReached || isStopped(FAILS));
  if (!point.isReached) {
    rig.server.assign({ ...STOPPED, desiredStatus: "STOPPED" });
    await passUntil(rig.clock, () => point.isReached || first.agent.tasks().length === 1);
  }
  await first.stop();

  const { agent } = await rig.connect();
  // As the server does with what was not acknowledged, and as it may with what was.
  rig.server.assign(RUNS);
  rig.server.assign(FAILS);
  rig.server.assign({ ...STOPPED, desiredStatus: "STOPPED" });
  await passUntil(
    rig.clock,
    () =>
      agent.tasks().length === 1 &&
      isStopped(FAILS) &&
      isStopped(STOPPED) &&
      rig.runtime.containers.size === 1 &&
      rig.server.reportsOf(RUNS.arn).length > 0 &&
      rig.server.messages("/demo/app").length > 0,
  );
  assert.deepEqual([...rig.runtime.containers.keys()], ["runs-app"], "assigned = there");
  assert.deepEqual([...rig.dataplane.attached], ["runs"]);
  for (const [id, starts] of rig.runtime.starts) assert.equal(starts, 1, `${id} was started once`);
  const exitCodes = rig.server
    .reportsOf(FAILS.arn)
    .flatMap(({ containers }) => containers.flatMap(({ exitCode }) => exitCode ?? []));
  assert.deepEqual(exitCodes, [3]);
  assert.deepEqual(rig.server.messages("/demo/app"), ["started"]);
  assert.deepEqual(rig.server.messages("/demo/init"), ["ready"]);
  return point.isReached;
}

for (const when of ["before", "after"] as const) {
  test(`a crash ${when} any effect on the machine costs nothing: tasks, exit codes, output, network`, async () => {
    let crashes = 0;
    for (let at = 0; at < EFFECTS_MAX; at++) {
      const crashed = await tellStory(at, when).catch((error: unknown) => {
        throw new Error(`crash ${when} effect ${at}`, { cause: error });
      });
      if (!crashed) break;
      crashes++;
    }
    assert.ok(crashes >= 10 && crashes < EFFECTS_MAX, `${crashes} crashes`);
  });
}
