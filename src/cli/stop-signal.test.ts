import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { silentLog } from "../lib/log.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";
import { stopSignal } from "./stop-signal.ts";

function program(): {
  readonly signals: EventEmitter;
  readonly clock: VirtualClock;
  readonly stop: AbortSignal;
  readonly exits: () => number;
} {
  const signals = new EventEmitter();
  const clock = new VirtualClock();
  let count = 0;
  const exit = (): void => {
    count++;
  };
  const stop = stopSignal({ signals, clock, log: silentLog, exit });
  return { signals, clock, stop, exits: () => count };
}

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  test(`${name} asks to stop`, () => {
    const { signals, stop, exits } = program();
    signals.emit(name);
    assert.equal(stop.aborted, true);
    assert.equal(exits(), 0);
  });
}

test("one Ctrl-C that comes twice, from the terminal and from npm, asks once", async () => {
  const { signals, clock, exits } = program();
  signals.emit("SIGINT");
  await clock.advance(100);
  signals.emit("SIGINT");
  assert.equal(exits(), 0);
});

test("a second Ctrl-C ends the program at once", async () => {
  const { signals, clock, exits } = program();
  signals.emit("SIGINT");
  await clock.advance(1_000);
  signals.emit("SIGINT");
  assert.equal(exits(), 1);
});
