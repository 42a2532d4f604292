import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../lib/virtual-clock.ts";
import { type Change, Wake, waitForChange } from "./wake.ts";

const never = new AbortController().signal;

/** Whether a wait has ended once all that can happen without time has happened. */
async function hasEnded(clock: VirtualClock, wait: Promise<void>): Promise<boolean> {
  let ended = false;
  void wait.then(() => {
    ended = true;
  });
  await clock.advance(0);
  return ended;
}

test("waitForChange() ends with the change, also with one that came before the wait", async () => {
  const clock = new VirtualClock();
  const wake = new Wake();
  const [first, second] = [wake.next(), wake.next()];
  const wait = waitForChange(clock, first, 1_000, never);
  assert.equal(await hasEnded(clock, wait), false);
  wake.notify();
  assert.equal(await hasEnded(clock, wait), true);
  assert.equal(await hasEnded(clock, waitForChange(clock, second, 1_000, never)), true);
  assert.equal(await hasEnded(clock, waitForChange(clock, wake.next(), 1_000, never)), false);
});

test("waitForChange() ends when it is time, and when it is aborted", async () => {
  const clock = new VirtualClock();
  const change = new Wake().next();
  const timed = waitForChange(clock, change, 1_000, never);
  const abort = new AbortController();
  const aborted = waitForChange(clock, change, 2_000, abort.signal);
  await clock.advance(1_000);
  assert.equal(await hasEnded(clock, timed), true);
  assert.equal(await hasEnded(clock, aborted), false);
  abort.abort();
  assert.equal(await hasEnded(clock, aborted), true);
});

test("waitForChange() leaves nothing behind at a change that does not come", async () => {
  const clock = new VirtualClock();
  const listeners = new Set<() => void>();
  const change: Change = {
    hasHappened: false,
    subscribe: (listener) => listeners.add(listener),
    unsubscribe: (listener) => listeners.delete(listener),
  };
  const waits = [1, 2, 3].map((at) => waitForChange(clock, change, at, never));
  assert.equal(listeners.size, 3);
  await clock.advance(3);
  await Promise.all(waits);
  assert.equal(listeners.size, 0);
});
