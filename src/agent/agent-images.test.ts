import assert from "node:assert/strict";
import { test } from "node:test";
import { UnavailableError } from "../lib/errors.ts";
import { PullError } from "../runtime/pull.ts";
import type { AgentConfig } from "./agent-deps.ts";
import { AWSVPC, payloadContainer, payloadTask, Rig, TEST_CONFIG } from "./testing/rig.fixture.ts";
import { passUntil } from "./testing/time.fixture.ts";

const UNREACHABLE = new PullError(
  'Get "http://127.0.0.1:5999/v2/": dial tcp 127.0.0.1:5999: connect: connection refused',
  { failure: "unreachable", stage: "manifest", retries: 5 },
);
const DENIED = new PullError(
  "pull access denied for secret, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
  { failure: "denied", stage: "manifest", retries: 0 },
);
const FULL = new PullError("failed to register layer: write /x: no space left on device", {
  failure: "noSpace",
  stage: "content",
  retries: 0,
});

function taskOf(id: string, images: Readonly<Record<string, string>>, launchType = "EC2") {
  const containers = Object.entries(images).map(([name, image]) =>
    payloadContainer(name, { image }),
  );
  return payloadTask(id, { ...(launchType === "FARGATE" && AWSVPC), containers, launchType });
}

function behaving(imagePullBehavior: AgentConfig["imagePullBehavior"]): { config: AgentConfig } {
  return { config: { ...TEST_CONFIG, imagePullBehavior } };
}

/** The reports of a task, without what they say of times. */
function reportsOf(rig: Rig, id: string) {
  return rig.server.reports.filter(({ task }) => task.endsWith(`/${id}`));
}

test("a task whose images are pulled is reported PENDING with their digests before the pull", async () => {
  await using rig = await Rig.create({ far: { pull: { takes: 40_000 } } });
  await rig.connect();
  const begun = rig.clock.now();
  rig.server.assign(taskOf("a1", { web: "far", side: "app" }));
  await passUntil(rig.clock, () => reportsOf(rig, "a1").length === 1);
  const [pending] = reportsOf(rig, "a1");
  assert.equal(pending?.status, "PENDING");
  assert.deepEqual(
    pending.containers.map(({ containerName, status }) => [containerName, status]),
    [
      ["web", "PENDING"],
      ["side", "PENDING"],
    ],
  );
  assert.ok(pending.containers.every(({ imageDigest }) => imageDigest?.startsWith("sha256:")));
  assert.ok(rig.clock.now() - begun < 40_000);
  assert.equal(rig.runtime.starts.size, 0);
  await passUntil(rig.clock, () => reportsOf(rig, "a1").at(-1)?.status === "RUNNING");
  const running = reportsOf(rig, "a1").at(-1);
  const pullMs = ((running?.pullStoppedAt ?? 0) - (running?.pullStartedAt ?? 0)) * 1000;
  assert.ok(pullMs >= 40_000 && pullMs < 41_000, String(pullMs));
  assert.deepEqual(rig.runtime.pulls, ["far"]);
});

test("an image that was loaded runs at once, and no registry is asked", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  rig.server.assign(taskOf("a1", { web: "app" }));
  await passUntil(rig.clock, () => reportsOf(rig, "a1").length === 1);
  assert.equal(reportsOf(rig, "a1")[0]?.status, "RUNNING");
  assert.equal(reportsOf(rig, "a1")[0]?.pullStartedAt, undefined);
  assert.deepEqual(rig.runtime.pulls, []);
});

test("a pulled image is asked for again or not, as the behavior says", async () => {
  for (const [behavior, pulls] of [
    ["default", 2],
    ["always", 2],
    ["once", 1],
    ["prefer-cached", 1],
  ] as const) {
    await using rig = await Rig.create({ far: { pull: { takes: 10 } } });
    await rig.connect(behaving(behavior));
    for (const id of ["a1", "a2"]) {
      rig.server.assign(taskOf(id, { web: "far" }));
      await passUntil(rig.clock, () => reportsOf(rig, id).at(-1)?.status === "RUNNING");
    }
    assert.equal(rig.runtime.pulls.length, pulls, behavior);
  }
});

test("when a pull fails the image that is here stands in, unless the registry refuses it or the behavior is always", async () => {
  for (const [behavior, error, runs] of [
    ["default", UNREACHABLE, true],
    ["default", DENIED, false],
    ["always", UNREACHABLE, false],
  ] as const) {
    const far = { pull: { takes: 10 } as { takes: number; error?: PullError } };
    await using rig = await Rig.create({ far });
    await rig.connect(behaving(behavior));
    rig.server.assign(taskOf("a1", { web: "far" }));
    await passUntil(rig.clock, () => reportsOf(rig, "a1").at(-1)?.status === "RUNNING");
    far.pull.error = error;
    rig.server.assign(taskOf("a2", { web: "far" }));
    const last = runs ? "RUNNING" : "STOPPED";
    await passUntil(rig.clock, () => reportsOf(rig, "a2").at(-1)?.status === last);
  }
});

test("why an image cannot be had is said in the words of ECS's agent, or of Fargate", async () => {
  const cases = [
    [
      "EC2",
      UNREACHABLE,
      /^CannotPullImageManifestError: Error response from daemon: Get .*connection refused$/,
    ],
    [
      "EC2",
      FULL,
      /^CannotPullContainerError: Error response from daemon: .*no space left on device$/,
    ],
    [
      "FARGATE",
      UNREACHABLE,
      /^CannotPullContainerError: pull image manifest has been retried 5 time\(s\): failed to resolve ref far: Get .*connection refused$/,
    ],
    [
      "FARGATE",
      DENIED,
      /^CannotPullContainerError: .*pull access denied for secret, repository does not exist/,
    ],
    [
      "FARGATE",
      FULL,
      /^CannotPullContainerError: ref pull has been retried 0 time\(s\): failed to copy: .*no space left on device$/,
    ],
  ] as const;
  for (const [launchType, error, expected] of cases) {
    await using rig = await Rig.create({ far: { pull: { takes: 10, error } } });
    await rig.connect();
    rig.server.assign(taskOf("a1", { web: "far" }, launchType));
    await passUntil(rig.clock, () => reportsOf(rig, "a1").at(-1)?.status === "STOPPED");
    const report = reportsOf(rig, "a1").at(-1);
    assert.match(report?.containers[0]?.reason ?? "", expected);
    assert.ok(report?.pullStartedAt && report.pullStoppedAt);
    assert.equal(report.reason, "");
  }
});

test("an image that is nowhere stops its container; others of the task go on if it is not essential", async () => {
  await using rig = await Rig.create({ far: { pull: { takes: 5_000 } } });
  await rig.connect();
  const side = payloadContainer("side", { image: "nowhere", essential: false });
  const web = payloadContainer("web", { image: "far" });
  rig.server.assign(payloadTask("a1", { containers: [side, web] }));
  await passUntil(rig.clock, () => reportsOf(rig, "a1").at(-1)?.status === "RUNNING");
  const { containers } = reportsOf(rig, "a1").at(-1) ?? { containers: [] };
  const stopped = containers.find(({ containerName }) => containerName === "side");
  assert.match(stopped?.reason ?? "", /^CannotPullImageManifestError: .*not found/);
  assert.deepEqual([...rig.runtime.starts.keys()], ["a1-web"]);
});

test("a task that is stopped while its image is pulled ends at once, and other tasks never waited", async () => {
  await using rig = await Rig.create({ far: { pull: { takes: "hangs" } } });
  await rig.connect();
  rig.server.assign(taskOf("a1", { web: "far" }));
  await passUntil(rig.clock, () => reportsOf(rig, "a1").at(-1)?.status === "PENDING");
  rig.server.assign(taskOf("a2", { web: "app" }));
  await passUntil(rig.clock, () => reportsOf(rig, "a2").at(-1)?.status === "RUNNING");
  const stoppedAt = rig.clock.now();
  rig.server.assign({ ...taskOf("a1", { web: "far" }), desiredStatus: "STOPPED" });
  await passUntil(rig.clock, () => reportsOf(rig, "a1").at(-1)?.status === "STOPPED");
  assert.ok(rig.clock.now() - stoppedAt < 5_000);
});

test("a pull that does not end is given up after two hours", async () => {
  await using rig = await Rig.create({ far: { pull: { takes: "hangs" } } });
  await rig.connect();
  const begun = rig.clock.now();
  rig.server.assign(taskOf("a1", { web: "far" }));
  await passUntil(rig.clock, () => reportsOf(rig, "a1").at(-1)?.status === "STOPPED");
  assert.equal(
    reportsOf(rig, "a1").at(-1)?.containers[0]?.reason,
    "DockerTimeoutError: Could not transition to pulled; timed out after waiting 2h0m0s",
  );
  assert.ok(rig.clock.now() - begun >= 7_200_000);
});

test("an agent that is killed in the middle of a pull pulls again, and tells the first start of it", async () => {
  await using rig = await Rig.create({ far: { pull: { takes: 10_000 } } });
  const first = await rig.connect();
  const begun = rig.clock.now();
  rig.server.assign(taskOf("a1", { web: "far" }));
  await passUntil(rig.clock, () => reportsOf(rig, "a1").at(-1)?.status === "PENDING");
  await first.stop();
  await rig.connect();
  await passUntil(rig.clock, () => reportsOf(rig, "a1").at(-1)?.status === "RUNNING");
  assert.ok((reportsOf(rig, "a1").at(-1)?.pullStartedAt ?? 0) * 1000 - begun < 5_000);
  assert.equal(reportsOf(rig, "a1").filter(({ status }) => status === "PENDING").length, 1);
});

test("an engine that is away for a moment costs a pull nothing but time", async () => {
  await using rig = await Rig.create({ far: { pull: { takes: 10 } } });
  let failures = 3;
  const runtime = {
    ...rig.runtime,
    pullImage: async (...args: Parameters<typeof rig.runtime.pullImage>) => {
      if (failures-- > 0) throw new UnavailableError("containerd is away");
      return rig.runtime.pullImage(...args);
    },
  };
  await rig.connect({ runtime });
  rig.server.assign(taskOf("a1", { web: "far" }));
  await passUntil(rig.clock, () => reportsOf(rig, "a1").at(-1)?.status === "RUNNING");
});
