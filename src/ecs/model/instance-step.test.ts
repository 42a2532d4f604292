import assert from "node:assert/strict";
import { test } from "node:test";
import { buildInstance } from "./instance.fixture.ts";
import { type InstanceLimits, type InstanceView, nextInstanceStep } from "./instance-step.ts";
import { FLEET_ACCOUNT_ID } from "./keys.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const LIMITS: InstanceLimits = { lossAfterMs: 5 * MINUTE_MS, retentionMs: HOUR_MS };
const NOW = 100 * HOUR_MS;

const AWAY = buildInstance({ agentConnected: false, disconnectedAt: NOW - HOUR_MS });
const FLEET = { ...AWAY, accountId: FLEET_ACCOUNT_ID };
const RETIRED = { at: NOW - 1000, stopCode: "UserInitiated", reason: "enough" } as const;
const INACTIVE = buildInstance({ status: "INACTIVE", agentConnected: false, retired: RETIRED });

const CASES: readonly [name: string, view: Partial<InstanceView>, step: string][] = [
  ["an instance that is there needs nothing", { instance: buildInstance() }, "nothing"],
  ["one that is away without tasks can be away", { instance: AWAY }, "nothing"],
  ["one that is away with tasks is watched", { instance: AWAY, liveTaskCount: 1 }, "look 30000"],
  [
    "one that is silent for as long as the limit has lost its tasks",
    { instance: AWAY, liveTaskCount: 1, silentMs: 5 * MINUTE_MS },
    "loseTasks TerminationNotice: Host EC2 (instance i-00000000000000001) lost: its agent has been silent for 300 seconds.",
  ],
  [
    "nobody is told of the fleet's machines",
    { instance: FLEET, liveTaskCount: 1, silentMs: 5 * MINUTE_MS },
    "loseTasks TerminationNotice: The task's host lost: its agent has been silent for 300 seconds.",
  ],
  [
    "the fleet's capacity stays for a day",
    { instance: FLEET, silentMs: 5 * MINUTE_MS },
    `look ${23 * HOUR_MS}`,
  ],
  [
    "and then goes out of service",
    { instance: { ...FLEET, disconnectedAt: NOW - 24 * HOUR_MS }, silentMs: 5 * MINUTE_MS },
    "retire",
  ],
  [
    "a day that the clock has jumped is no day of silence",
    { instance: { ...FLEET, disconnectedAt: NOW - 24 * HOUR_MS } },
    "look 30000",
  ],
  [
    "out of service, tasks end as the service did",
    { instance: INACTIVE, liveTaskCount: 1, unconfirmedCount: 1 },
    "endTasks UserInitiated: enough",
  ],
  ["then nobody is waited for", { instance: INACTIVE, unconfirmedCount: 1 }, "confirmStops"],
  ["then it can be described for its time", { instance: INACTIVE }, `look ${HOUR_MS - 1000}`],
  [
    "then it is deleted",
    { instance: { ...INACTIVE, retired: { ...RETIRED, at: NOW - HOUR_MS } } },
    "delete",
  ],
];

for (const [name, view, expected] of CASES) {
  test(`nextInstanceStep(): ${name}`, () => {
    assert.equal(stepOf(view), expected);
  });
}

test("nextInstanceStep(): where no machine is ever lost, silence ends nothing", () => {
  const view = { instance: AWAY, liveTaskCount: 1, silentMs: 99 * HOUR_MS };
  assert.equal(stepOf(view, { ...LIMITS, lossAfterMs: undefined }), "nothing");
});

function stepOf(view: Partial<InstanceView>, limits: InstanceLimits = LIMITS): string {
  const step = nextInstanceStep(
    {
      instance: buildInstance(),
      liveTaskCount: 0,
      unconfirmedCount: 0,
      silentMs: 0,
      now: NOW,
      ...view,
    },
    limits,
  );
  if (step.kind === "look") return `look ${step.againAfterMs}`;
  const cause = "cause" in step ? ` ${step.cause.stopCode}: ${step.cause.reason}` : "";
  return `${step.kind}${cause}`;
}
