import { test } from "node:test";
import { assertWorldsHold, range } from "./report.ts";

// `sim.test.ts`, which runs beside it, has the others: about as much work.
test("worlds 1–155 hold what must hold at every commit, and come to rest after their troubles", async () => {
  await assertWorldsHold(range(1, 155));
});
