/** The README's session, word for word, with Debian's AWS CLI: `examples/hello/run.sh`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { command, GantryKit, skipReason } from "./gantry-kit.ts";

const skip = await skipReason();

test("examples/hello: from an image to an answer, its log and a clean stop", { skip }, async () => {
  await using gantry = new GantryKit();
  await gantry.start();
  const { code, stdout, stderr } = await command("examples/hello/run.sh", [], gantry.environment);
  assert.equal(code, 0, `${stdout}\n${stderr}\n${gantry.output}`);
  assert.match(stdout, /\$ aws ecs create-cluster --cluster-name demo/);
  assert.match(stdout, /Hello from Gantry/, "curl shows the page");
  assert.match(stdout, /"message": ".*url:\//, "the log has the request");
  const [status, stopCode, reason, exitCode] = JSON.parse(
    stdout.slice(stdout.lastIndexOf("[")),
  ) as unknown[];
  assert.deepEqual(
    [status, stopCode, reason],
    ["STOPPED", "UserInitiated", "Task stopped by user"],
  );
  assert.equal(typeof exitCode, "number");
});
