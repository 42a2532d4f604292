import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stoppedBy } from "./container-end.ts";
import {
  NOTHING_REPORTED,
  newRecord,
  shallRun,
  type TaskRecord,
  withContainer,
} from "./task-record.ts";
import { nextReport } from "./task-report.ts";
import { NO_PROGRESS, nextStep, type Step, type TaskProgress } from "./task-step.ts";
import { payloadContainer, payloadTask } from "./testing/rig.fixture.ts";

/** One to three containers, each depending only on later ones. */
const task = fc
  .array(
    fc.record({
      essential: fc.boolean(),
      condition: fc.constantFrom("START", "COMPLETE", "SUCCESS", undefined),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((drawn) =>
    payloadTask("a1", {
      containers: drawn.map(({ essential, condition }, index) =>
        payloadContainer(`c${index}`, {
          essential: essential || index === 0,
          ...(condition !== undefined &&
            index + 1 < drawn.length && {
              dependsOn: [{ containerName: `c${index + 1}`, condition }],
            }),
        }),
      ),
    }),
  );

/** What the world does when the agent waits. */
const event = fc.oneof(
  fc.record({ exits: fc.nat(2), code: fc.constantFrom(0, 3) }),
  fc.constant({ stop: true as const }),
  fc.record({ passes: fc.integer({ min: 1, max: 40_000 }) }),
);

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

/** Steps until nothing is to be done; the wait or the end that was reached. */
function settle(world: World): Step {
  for (let steps = 0; steps < 100; steps++) {
    const step = nextStep(world.record, world.progress, world.now);
    if (step.kind === "wait" || step.kind === "done") return step;
    const before = world.record;
    const runsOn = shallRun(before);
    carryOut(world, step);
    if (step.kind === "containerUp") assert.ok(runsOn, "nothing starts in a task that shall stop");
  }
  throw new Error("it never comes to rest");
}

function happen(
  world: World,
  drawn: { exits: number; code: number } | { stop: true } | { passes: number },
): void {
  if ("stop" in drawn) world.record = { ...world.record, desiredStatus: "STOPPED" };
  else if ("passes" in drawn) world.now += drawn.passes;
  else {
    const container = world.record.containers[drawn.exits];
    if (container?.status !== "RUNNING") return;
    const exit = { exitCode: drawn.code, exitedAt: world.now, oomKilled: false };
    world.record = withContainer(world.record, container.name, stoppedBy(exit), world.now);
  }
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
