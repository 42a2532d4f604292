/** `examples/shop`: what a realistic task definition asks for, with Debian's AWS CLI and real containers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { command, GantryKit, skipReason } from "./gantry-kit.ts";

const skip = await skipReason();

test("examples/shop: order of start, secrets, health, shared volumes and logs", {
  skip,
}, async () => {
  await using gantry = new GantryKit();
  await gantry.start();
  const { code, stdout, stderr } = await command("examples/shop/run.sh", [], gantry.environment);
  assert.equal(code, 0, `${stdout}\n${stderr}\n${gantry.output}`);
  assert.match(stdout, /^wrong key$/m);
  assert.match(stdout, /^Order 1 at The Corner Shop: thank you$/m);
  assert.match(stdout, /^prepare\tSTOPPED\t0\tUNKNOWN$/m);
  assert.match(stdout, /^web\tRUNNING\tNone\tHEALTHY$/m);
  for (const line of ["prepared", "shop: order 1", "1 orders so far"]) {
    assert.match(stdout, new RegExp(`shop/(prepare|web|reporter)/[0-9a-f]{32} ${line}`));
  }
  assert.match(stdout, /^STOPPED\tUserInitiated\tTask stopped by user$/m);
  assert.ok(!gantry.output.includes("open-sesame"), "no secret in a log");
});
