import assert from "node:assert/strict";
import { test } from "node:test";
import type { Agent } from "./agent.ts";
import type { ContainerHealth } from "./task-record.ts";
import { checked, payloadContainer, payloadTask, Rig } from "./testing/rig.fixture.ts";
import { pass, passUntil } from "./testing/time.fixture.ts";

function healthOf(agent: Agent, container = "web"): ContainerHealth | undefined {
  const [record] = agent.tasks();
  return record?.containers.find(({ name }) => name === container)?.health;
}

test("a container's health is checked at its interval, and nothing is done about it", async () => {
  await using rig = await Rig.create();
  const { agent } = await rig.connect();
  const container = payloadContainer("web", checked({ interval: 10, timeout: 2, retries: 2 }));
  rig.server.assign(payloadTask("a1", { containers: [container] }));
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  const startedAt = rig.clock.now();
  assert.equal(healthOf(agent)?.status, "UNKNOWN");
  assert.deepEqual(rig.runtime.execs, []);
  await passUntil(rig.clock, () => healthOf(agent)?.status === "HEALTHY");
  assert.equal(rig.clock.now() - startedAt, 10_000);
  assert.deepEqual(rig.runtime.execs, [{ id: "a1-web", args: ["/bin/sh", "-c", "check me"] }]);

  rig.runtime.answerExec("a1-web", { exitCode: 7, output: "broken" });
  await passUntil(rig.clock, () => healthOf(agent)?.status === "UNHEALTHY");
  assert.equal(rig.clock.now() - startedAt, 30_000);
  const { since, ...rest } = healthOf(agent) ?? { since: 0 };
  assert.equal(since, rig.clock.now());
  assert.deepEqual(rest, { status: "UNHEALTHY", exitCode: 7, output: "broken" });
  await pass(rig.clock, 600_000);
  assert.deepEqual(rig.runtime.signals, [], "health is the scheduler's business");
});

test("a check that hangs counts as failed when its time is over", async () => {
  await using rig = await Rig.create({ app: { execExitCode: "hangs" } });
  const { agent } = await rig.connect();
  const container = payloadContainer("web", checked({ interval: 10, timeout: 4, retries: 2 }));
  rig.server.assign(payloadTask("a1", { containers: [container] }));
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  const startedAt = rig.clock.now();
  await passUntil(rig.clock, () => healthOf(agent)?.status === "UNHEALTHY");
  assert.equal(rig.clock.now() - startedAt, 28_000, "the interval begins when a check has ended");
  assert.match(healthOf(agent)?.output ?? "", /exceeded timeout \(4s\)/);
});

test("an agent that comes back knows the health it found, and checks on", async () => {
  await using rig = await Rig.create();
  const first = await rig.connect();
  const container = payloadContainer("web", checked({ interval: 10, retries: 1 }));
  rig.server.assign(payloadTask("a1", { containers: [container] }));
  await passUntil(rig.clock, () => healthOf(first.agent)?.status === "HEALTHY");
  const found = healthOf(first.agent);
  await first.stop();
  await pass(rig.clock, 60_000);
  const second = await rig.connect();
  assert.equal(healthOf(second.agent)?.status, "HEALTHY");
  assert.equal(healthOf(second.agent)?.since, found?.since);
  rig.runtime.answerExec("a1-web", { exitCode: 1, output: "" });
  await passUntil(rig.clock, () => healthOf(second.agent)?.status === "UNHEALTHY");
});

test("a dependent of condition HEALTHY starts when its dependency is", async () => {
  await using rig = await Rig.create({ slow: { healthyAfter: 45_000 } });
  const { agent } = await rig.connect();
  const containers = [
    payloadContainer("web", { dependsOn: [{ containerName: "db", condition: "HEALTHY" }] }),
    payloadContainer("db", { image: "slow", ...checked({ interval: 10, startPeriod: 300 }) }),
  ];
  rig.server.assign(payloadTask("a1", { containers }));
  await passUntil(rig.clock, () => rig.runtime.starts.has("a1-db"));
  const startedAt = rig.clock.now();
  await passUntil(rig.clock, () => rig.runtime.starts.has("a1-web"));
  assert.equal(rig.clock.now() - startedAt, 50_000);
  assert.equal(healthOf(agent, "db")?.status, "HEALTHY");
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  assert.equal(rig.server.reports[0]?.status, "RUNNING");
});

test("a dependency that is UNHEALTHY may recover; its dependents wait for it until its startTimeout", async () => {
  await using rig = await Rig.create({
    late: { healthyAfter: 100_000 },
    never: { execExitCode: 1 },
  });
  await rig.connect();
  const pair = (image: string) => [
    payloadContainer("web", { dependsOn: [{ containerName: "db", condition: "HEALTHY" }] }),
    payloadContainer("db", { image, startTimeout: 120, ...checked({ interval: 10, retries: 1 }) }),
  ];
  rig.server.assign(payloadTask("late", { containers: pair("late") }));
  rig.server.assign(payloadTask("never", { containers: pair("never") }));
  await passUntil(rig.clock, () => rig.server.reports.length === 2);
  const [recovered, failed] = rig.server.reports;
  assert.equal(recovered?.task.endsWith("late") && recovered.status, "RUNNING");
  assert.equal(failed?.status, "STOPPED");
  const web = failed?.containers.find(({ containerName }) => containerName === "web");
  assert.equal(web?.exitCode, 143);
  assert.equal(
    web?.reason,
    "CannotStartContainerError: dependency db of container web timed out before condition HEALTHY",
  );
});

test("nobody waits for the health of a container that has no check", async () => {
  await using rig = await Rig.create();
  await rig.connect();
  const containers = [
    payloadContainer("web", { dependsOn: [{ containerName: "db", condition: "HEALTHY" }] }),
    payloadContainer("db"),
  ];
  rig.server.assign(payloadTask("a1", { containers }));
  await passUntil(rig.clock, () => rig.server.reports.length === 1);
  const news = rig.server.reports[0]?.containers ?? [];
  assert.match(
    news.find(({ containerName }) => containerName === "web")?.reason ?? "",
    /^CannotStartContainerError: .*db .*has no health check/,
  );
});
