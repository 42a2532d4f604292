/** What a newcomer can run into at the start: one line that says what to do, exit code 1, nothing changed. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { command, GantryKit, skipReason } from "./gantry-kit.ts";

const skip = await skipReason();

test("a taken port is named, with what to do", { skip }, async () => {
  await using gantry = new GantryKit();
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  const { code, stderr } = await gantry.gantry("up", "--listen", `127.0.0.1:${port}`);
  server.close();
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`^gantry: .*127\\.0\\.0\\.1:${port}.*--listen`, "m"));
});

test("a second Gantry on the same data directory is refused and the first is not disturbed", {
  skip,
}, async () => {
  await using gantry = new GantryKit();
  await gantry.start();
  const { code, stderr } = await gantry.gantry("up");
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`another Gantry.*${gantry.directory}`));
  assert.equal((await gantry.gantry("aws", "ecs", "list-clusters")).code, 0);
});

test("two systems stand side by side on one machine", { skip }, async () => {
  await using one = new GantryKit();
  await using two = new GantryKit();
  await one.start();
  await two.start();
  assert.notEqual(one.client.endpoint, two.client.endpoint);
  await one.gantry("aws", "ecs", "create-cluster", "--cluster-name", "only-in-one");
  const { stdout } = await two.gantry("aws", "ecs", "list-clusters", "--output", "text");
  assert.doesNotMatch(stdout, /only-in-one/);
});

test("without root it says so and what to do", { skip }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-user-"));
  const { code, stderr } = await command("setpriv", [
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "bin/gantry",
    "up",
    "--data-dir",
    `${directory}/data`,
    "--listen",
    "127.0.0.1:0",
  ]);
  assert.equal(code, 1);
  assert.match(stderr, /root/);
  assert.ok(!existsSync(`${directory}/data`));
  rmSync(directory, { recursive: true });
});

test("commands that need a running Gantry say how to start one", async () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-none-"));
  for (const words of [["env"], ["aws", "ecs", "list-clusters"], ["image", "load", "x.tar"]]) {
    const { code, stderr } = await command("bin/gantry", words, {
      GANTRY_DATA_DIR: join(directory, "none"),
    });
    assert.equal(code, 1);
    assert.match(stderr, /npm start|--data-dir/);
  }
  rmSync(directory, { recursive: true });
});
