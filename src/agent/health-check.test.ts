import assert from "node:assert/strict";
import { test } from "node:test";
import { afterCheck, type CheckResult, type HealthCheck, healthCheckOf } from "./health-check.ts";
import { checked, payloadContainer } from "./testing/rig.fixture.ts";

const CHECK: HealthCheck = {
  args: ["true"],
  intervalMs: 30_000,
  timeoutMs: 5_000,
  startPeriodMs: 0,
  retries: 3,
};

function withTest(test: readonly string[]): HealthCheck | undefined {
  const config = { Healthcheck: { Test: test } };
  return healthCheckOf(payloadContainer("web", { healthCheckType: "docker", config }));
}

test("healthCheckOf() has Docker's defaults for what is left open", () => {
  assert.deepEqual(withTest(["CMD", "curl", "-f", "x"]), {
    args: ["curl", "-f", "x"],
    intervalMs: 30_000,
    timeoutMs: 30_000,
    startPeriodMs: 0,
    retries: 3,
  });
  assert.deepEqual(withTest(["CMD-SHELL", "a || b"])?.args, ["/bin/sh", "-c", "a || b"]);
  const own = checked({ interval: 7, timeout: 2, startPeriod: 60, retries: 5 });
  const { intervalMs, timeoutMs, startPeriodMs, retries } =
    healthCheckOf(payloadContainer("web", own)) ?? CHECK;
  assert.deepEqual([intervalMs, timeoutMs, startPeriodMs, retries], [7000, 2000, 60_000, 5]);
});

test("healthCheckOf() knows when there is none", () => {
  assert.equal(withTest(["NONE"]), undefined);
  assert.equal(withTest([]), undefined);
  assert.equal(withTest(["CMD"]), undefined);
  assert.equal(healthCheckOf(payloadContainer("web")), undefined);
  const { config } = checked();
  assert.equal(healthCheckOf(payloadContainer("web", { config })), undefined);
});

/** The statuses after each of a row of results, one every 10 s from the start at 0. */
function statuses(results: readonly CheckResult[], check: Partial<HealthCheck> = {}): string[] {
  let progress = { health: { status: "UNKNOWN" as const, since: 0 }, failures: 0 } as Parameters<
    typeof afterCheck
  >[0];
  return results.map((result, index) => {
    const at = { startedAt: 0, now: (index + 1) * 10_000 };
    progress = afterCheck(progress, { ...CHECK, ...check }, result, at);
    return progress.health.status;
  });
}

const PASS = { exitCode: 0, output: "" };
const FAIL = { exitCode: 1, output: "no" };

test("afterCheck(): one success makes healthy, failures in a row make unhealthy, and back", () => {
  assert.deepEqual(statuses([FAIL, FAIL, PASS, FAIL, FAIL, FAIL, PASS]), [
    "UNKNOWN",
    "UNKNOWN",
    "HEALTHY",
    "HEALTHY",
    "HEALTHY",
    "UNHEALTHY",
    "HEALTHY",
  ]);
});

test("afterCheck(): failures of the start period do not count, and the first success ends it", () => {
  const check = { startPeriodMs: 35_000, retries: 2 };
  assert.deepEqual(statuses([FAIL, FAIL, FAIL, FAIL, FAIL], check), [
    "UNKNOWN",
    "UNKNOWN",
    "UNKNOWN",
    "UNKNOWN",
    "UNHEALTHY",
  ]);
  assert.deepEqual(statuses([PASS, FAIL, FAIL], check), ["HEALTHY", "HEALTHY", "UNHEALTHY"]);
});

test("afterCheck(): what is late or cannot be run is a failure that says so", () => {
  const start = { health: { status: "UNKNOWN", since: 0 }, failures: 2 } as const;
  const at = { startedAt: 0, now: 50 };
  assert.deepEqual(afterCheck(start, CHECK, "timedOut", at).health, {
    status: "UNHEALTHY",
    since: 50,
    exitCode: -1,
    output: "Health check exceeded timeout (5s)",
  });
  assert.deepEqual(afterCheck(start, CHECK, { error: "no curl" }, at).health, {
    status: "UNHEALTHY",
    since: 50,
    exitCode: -1,
    output: "no curl",
  });
  const long = { exitCode: 1, output: "x".repeat(4096) };
  assert.equal(afterCheck(start, CHECK, long, at).health.output?.length, 1024);
});
