import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../lib/virtual-clock.ts";
import { ProgressLine, progressText } from "./progress.ts";

async function written(isTTY: boolean): Promise<string> {
  let text = "";
  const clock = new VirtualClock(0);
  const output = {
    isTTY,
    write: (more: string) => {
      text += more;
    },
  };
  const line = new ProgressLine(output, clock);
  line.show("begin", { isLast: true });
  for (const [ms, what] of [
    [0, "one"],
    [50, "two"],
    [60, "three"],
    [6_000, "four"],
  ] as const) {
    await clock.advance(ms);
    line.show(what, { isLast: false });
  }
  line.end();
  line.end();
  return text;
}

test("on a terminal one line changes in place and is cleared; a file gets a line now and then", async () => {
  const clear = "\r\x1b[2K";
  assert.equal(await written(true), `begin\none${clear}three${clear}four${clear}`);
  assert.equal(await written(false), "begin\none\nfour\n");
});

test("how far a pull is", () => {
  const progress = { layersDone: 1, layers: 3, bytes: 1_572_864, bytesTotal: 20_971_520 };
  assert.equal(progressText(progress), "1 of 3 layers, 1.5 of 20.0 MiB");
});
