import { test } from "node:test";
import { assertWorldsHold, range } from "./report.ts";

// With those of `sim.test.ts`, which runs beside it: what two cores live in a minute.
test("worlds 1–60 hold what must hold at every commit, and come to rest after their troubles", async () => {
  await assertWorldsHold(range(1, 60));
});
