import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  NEXT_TASK_STATUS,
  rankOf,
  TASK_EVENTS,
  TASK_STATUSES,
  type TaskEvent,
  type TaskStatus,
} from "./task-state.ts";

const ROW = /^\| ([A-Z]+) \| ([A-Za-z]+) \| ([A-Z]+) \|$/gm;

test("docs/state-machines.md holds exactly the transitions of the code", () => {
  const document = readFileSync(
    new URL("../../../docs/state-machines.md", import.meta.url),
    "utf8",
  );
  const documented = [...document.matchAll(ROW)].map(([, ...cells]) => cells.join(" "));
  assert.deepEqual(
    documented.toSorted(),
    transitions()
      .map((cells) => cells.join(" "))
      .toSorted(),
  );
});

test("no transition lowers the rank of a task", () => {
  for (const [from, event, to] of transitions()) {
    assert.ok(rankOf(to) > rankOf(from), `${from} –${event}→ ${to}`);
  }
});

test("a stopped task stays as it is", () => {
  for (const event of TASK_EVENTS) assert.equal(NEXT_TASK_STATUS.STOPPED[event], "ignored");
});

function transitions(): [TaskStatus, TaskEvent, TaskStatus][] {
  return TASK_STATUSES.flatMap((from) =>
    TASK_EVENTS.flatMap((event): [TaskStatus, TaskEvent, TaskStatus][] => {
      const to = NEXT_TASK_STATUS[from][event];
      return to === "ignored" ? [] : [[from, event, to]];
    }),
  );
}
