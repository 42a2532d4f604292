import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { endedBy, restarted, stoppedBy } from "./container-end.ts";
import {
  type ContainerRecord,
  definitionOf,
  NOTHING_REPORTED,
  newRecord,
  shallRun,
  type TaskRecord,
  withContainer,
} from "./task-record.ts";
import { nextReport } from "./task-report.ts";
import { NO_PROGRESS, nextStep, type Step, type TaskProgress } from "./task-step.ts";
import { checked, payloadContainer, payloadTask } from "./testing/rig.fixture.ts";

const CONDITIONS = ["START", "COMPLETE", "SUCCESS", "HEALTHY"] as const;

/** One to four containers, each depending only on later ones, on as many as it likes. */
const task = fc
  .record({
    pidMode: fc.constantFrom(undefined, "task"),
    containers: fc.array(
      fc.record({
        essential: fc.boolean(),
        isChecked: fc.boolean(),
        restarts: fc.boolean(),
        startTimeout: fc.constantFrom(undefined, 30),
        conditions: fc.array(fc.constantFrom(...CONDITIONS, undefined), { maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  })
  .map(({ pidMode, containers }) =>
    payloadTask("a1", {
      ...(pidMode && { pidMode }),
      containers: containers.map((drawn, index) =>
        payloadContainer(`c${index}`, {
          essential: drawn.essential || index === 0,
          ...(drawn.isChecked && checked()),
          ...(drawn.restarts && { restartPolicy: { enabled: true, restartAttemptPeriod: 60 } }),
          ...(drawn.startTimeout && { startTimeout: drawn.startTimeout }),
          dependsOn: drawn.conditions.flatMap((condition, distance) => {
            const on = index + 1 + distance;
            if (condition === undefined || on >= containers.length) return [];
            return [{ containerName: `c${on}`, condition }];
          }),
        }),
      ),
    }),
  );

/** What the world does when the agent waits. */
const event = fc.oneof(
  fc.record({ exits: fc.nat(3), code: fc.constantFrom(0, 3) }),
  fc.record({ checks: fc.nat(3), finds: fc.constantFrom("HEALTHY", "UNHEALTHY") }),
  fc.constant({ stop: true as const }),
  fc.record({ passes: fc.integer({ min: 1, max: 90_000 }) }),
);
type WorldEvent = typeof event extends fc.Arbitrary<infer T> ? T : never;

interface World {
  record: TaskRecord;
  progress: TaskProgress;
  now: number;
}

/** Carries a step out as the controller would, in a world where all goes well. */
function carryOut(world: World, step: Step): void {
  const change = (name: string, what: Parameters<typeof withContainer>[2]): void => {
    world.record = withContainer(world.record, name, what, world.now);
  };
  switch (step.kind) {
    case "networkUp":
    case "namespacesUp":
    case "imagesUp":
    case "logsUp":
      world.progress = { ...world.progress, [step.kind]: true };
      break;
    case "containerUp":
      assert.ok(world.progress.networkUp && world.progress.imagesUp && world.progress.logsUp);
      change(step.name, { status: "RUNNING", startedAt: world.now });
      break;
    case "restart":
      change(step.name, restarted(world.record, containerOf(world.record, step.name), world.now));
      break;
    case "ended": {
      const { restartAfter } = containerOf(world.record, step.name);
      assert.ok(restartAfter);
      change(step.name, stoppedBy(restartAfter));
      break;
    }
    case "skip":
      change(step.name, { status: "STOPPED", stoppedAt: world.now });
      break;
    case "stop":
      change(step.name, { stopSignalledAt: world.now });
      break;
    case "kill":
      change(step.name, stoppedBy({ exitCode: 137, exitedAt: world.now, oomKilled: false }));
      break;
    case "containerDown":
      world.progress = {
        ...world.progress,
        removed: new Set([...world.progress.removed, step.name]),
      };
      break;
    case "stopped":
      world.record = { ...world.record, stoppedAt: world.now };
      break;
    case "logsFlush":
      world.progress = { ...world.progress, logsFlushed: true };
      break;
    case "namespacesDown":
    case "networkDown":
    case "logsDown":
    case "filesDown":
      world.progress = { ...world.progress, [step.kind]: true };
      break;
    case "wait":
    case "done":
      break;
  }
}

function containerOf(record: TaskRecord, name: string): ContainerRecord {
  const found = record.containers.find((container) => container.name === name);
  assert.ok(found);
  return found;
}

/** Whether a condition of `dependsOn` has come true: written down here a second time. */
function hasCome(dependency: ContainerRecord, condition: (typeof CONDITIONS)[number]): boolean {
  const { exitCode, health, startedAt, status } = dependency;
  if (condition === "START") return startedAt !== undefined || status === "STOPPED";
  if (startedAt === undefined) return false;
  if (condition === "HEALTHY") return status === "RUNNING" && health?.status === "HEALTHY";
  return status === "STOPPED" && (condition === "COMPLETE" || exitCode === 0);
}

/** What must be true of every step before it is done. */
function checkStep({ now, progress, record }: World, step: Step): void {
  if (step.kind === "containerUp") {
    assert.ok(shallRun(record), "nothing starts in a task that shall stop");
    assert.ok(record.task.pidMode === undefined || progress.namespacesUp);
    for (const { condition, containerName } of definitionOf(record, step.name)?.dependsOn ?? []) {
      assert.ok(hasCome(containerOf(record, containerName), condition), `${condition} first`);
    }
  }
  if (step.kind === "restart") assert.ok(shallRun(record) && progress.networkUp);
  if (step.kind === "stop" || step.kind === "kill") {
    const dependents = record.containers.filter(
      ({ name, status }) =>
        status === "RUNNING" &&
        definitionOf(record, name)?.dependsOn?.some((on) => on.containerName === step.name),
    );
    assert.deepEqual(dependents, [], "dependents stop before what they depend on");
  }
  if (step.kind === "kill") {
    const { stopSignalledAt = now } = containerOf(record, step.name);
    assert.ok(now - stopSignalledAt >= 30_000, "the stop signal has its time");
  }
  if (step.kind === "namespacesDown" || step.kind === "networkDown" || step.kind === "stopped") {
    assert.ok(record.containers.every(({ status }) => status === "STOPPED"));
    assert.equal(progress.removed.size, record.containers.length);
  }
}

/** Steps until nothing is to be done; the wait or the end that was reached. */
function settle(world: World): Step {
  for (let steps = 0; steps < 100; steps++) {
    const step = nextStep(world.record, world.progress, world.now);
    if (step.kind === "wait" || step.kind === "done") return step;
    checkStep(world, step);
    carryOut(world, step);
  }
  throw new Error("it never comes to rest");
}

function happen(world: World, drawn: WorldEvent): void {
  if ("stop" in drawn) {
    world.record = { ...world.record, desiredStatus: "STOPPED" };
    return;
  }
  if ("passes" in drawn) {
    world.now += drawn.passes;
    return;
  }
  const container = world.record.containers["exits" in drawn ? drawn.exits : drawn.checks];
  if (container?.status !== "RUNNING") return;
  const change =
    "exits" in drawn
      ? endedBy(world.record, container, {
          exitCode: drawn.code,
          exitedAt: world.now,
          oomKilled: false,
        })
      : { health: { status: drawn.finds, since: world.now } };
  world.record = withContainer(world.record, container.name, change, world.now);
}

test("nextStep() always comes to rest, and a task told to stop comes to its end", () => {
  fc.assert(
    fc.property(task, fc.array(event, { maxLength: 8 }), fc.nat(8), (drawn, events, crashAfter) => {
      const world: World = { record: newRecord(drawn), progress: NO_PROGRESS, now: 1000 };
      events.forEach((one, index) => {
        settle(world);
        if (index === crashAfter) world.progress = NO_PROGRESS;
        happen(world, one);
      });
      world.record = { ...world.record, desiredStatus: "STOPPED" };
      for (let waits = 0; waits < 20; waits++) {
        const step = settle(world);
        if (step.kind === "done") break;
        assert.ok(step.kind === "wait" && Number.isFinite(step.untilAt), "only a timeout is left");
        world.now = step.untilAt;
      }
      assert.equal(settle(world).kind, "done");
      assert.ok(world.record.containers.every(({ status }) => status === "STOPPED"));
      assert.ok(world.progress.removed.size === world.record.containers.length);
    }),
  );
});

test("nextReport() tells each thing once: RUNNING if it ran, then STOPPED, then nothing", () => {
  fc.assert(
    fc.property(task, fc.array(event, { maxLength: 8 }), (drawn, events) => {
      const world: World = { record: newRecord(drawn), progress: NO_PROGRESS, now: 1000 };
      let reported = NOTHING_REPORTED;
      const told: string[] = [];
      const tell = (): void => {
        for (let reports = 0; reports < 10; reports++) {
          const report = nextReport(world.record, reported);
          if (report === undefined) return;
          reported = report.reported;
          if (told.at(-1) !== report.change.status) told.push(report.change.status);
          for (const { containerName, status } of report.change.containers) {
            told.push(`${containerName} ${status}`);
          }
        }
        throw new Error("it never stops reporting");
      };
      for (const one of [...events, { stop: true as const }]) {
        settle(world);
        tell();
        happen(world, one);
      }
      for (let waits = 0; waits < 20 && settle(world).kind !== "done"; waits++) world.now += 40_000;
      tell();
      const news = told.filter((line) => line.includes(" "));
      assert.equal(new Set(news).size, news.length, "no container's change is told twice");
      assert.equal(told.includes("RUNNING"), world.record.runningAt !== undefined);
      assert.equal(reported.task, "STOPPED");
      for (const { name } of world.record.containers) assert.ok(news.includes(`${name} STOPPED`));
    }),
  );
});

test("a clock that is set back holds up no stop", () => {
  const hour = 3_600_000;
  const change = { status: "RUNNING", startedAt: hour, stopSignalledAt: hour } as const;
  const running = withContainer(newRecord(payloadTask("a1")), "web", change, hour);
  const stopping: TaskRecord = { ...running, desiredStatus: "STOPPED" };
  assert.deepEqual(nextStep(stopping, NO_PROGRESS, 1000), { kind: "stop", name: "web" });
  const signalled = withContainer(stopping, "web", { stopSignalledAt: 1000 }, 1000);
  assert.deepEqual(nextStep(signalled, NO_PROGRESS, 1000), { kind: "wait", untilAt: 31_000 });
});
