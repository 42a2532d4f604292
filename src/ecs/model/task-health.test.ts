import assert from "node:assert/strict";
import { test } from "node:test";
import { buildContainer, buildTask } from "./task.fixture.ts";
import type { Container, HealthStatus } from "./task.ts";
import { healthStatusOf, withHealth } from "./task-health.ts";

function container(name: string, change: Partial<Container> = {}): Container {
  return buildContainer({ name, lastStatus: "RUNNING", ...change });
}

function health(...statuses: readonly (HealthStatus | undefined)[]): HealthStatus {
  return healthStatusOf({
    containers: statuses.map((healthStatus, index) =>
      container(`c${index}`, healthStatus === undefined ? {} : { healthStatus }),
    ),
  });
}

test("a task is as healthy as its worst essential container; one without a check is unknown", () => {
  assert.equal(health("HEALTHY"), "HEALTHY");
  assert.equal(health("HEALTHY", "HEALTHY"), "HEALTHY");
  assert.equal(health("HEALTHY", "UNHEALTHY"), "UNHEALTHY");
  assert.equal(health("UNHEALTHY", undefined), "UNHEALTHY");
  assert.equal(health("HEALTHY", "UNKNOWN"), "UNKNOWN");
  assert.equal(health("HEALTHY", undefined), "UNKNOWN");
  assert.equal(health(undefined), "UNKNOWN");
});

test("containers that are not essential do not count", () => {
  const side = container("side", { essential: false, healthStatus: "UNHEALTHY" });
  const web = container("web", { healthStatus: "HEALTHY" });
  assert.equal(healthStatusOf({ containers: [web, side] }), "HEALTHY");
});

test("a report changes the task once, and only what it speaks of", () => {
  const task = buildTask({ containers: [container("web"), container("side")] });
  const reports = [{ name: "web", status: "HEALTHY" as const }];
  const changed = withHealth(task, reports);
  assert.equal(changed.containers[0]?.healthStatus, "HEALTHY");
  assert.equal(changed.containers[1]?.healthStatus, undefined);
  assert.equal(changed.version, task.version + 1);
  assert.equal(withHealth(changed, reports), changed);
  assert.equal(withHealth(task, [{ name: "web", status: "UNKNOWN" }]), task);
  assert.equal(withHealth(task, [{ name: "stranger", status: "HEALTHY" }]), task);
});

test("what has stopped keeps the health it had", () => {
  const gone = container("web", { lastStatus: "STOPPED", healthStatus: "UNHEALTHY" });
  const task = buildTask({ containers: [gone] });
  const reports = [{ name: "web", status: "HEALTHY" as const }];
  assert.equal(withHealth(task, reports), task);
  const stopped = buildTask({ lastStatus: "STOPPED", containers: [container("web")] });
  assert.equal(withHealth(stopped, reports), stopped);
});
