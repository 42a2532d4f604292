import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { systemClock } from "./clock.ts";
import { Shells } from "./shells.ts";

const TIMEOUT_MS = 60_000;

function open(countMax = 4): Shells & Disposable {
  const shells = new Shells({ path: "/bin/sh", env: process.env, countMax, clock: systemClock });
  return Object.assign(shells, { [Symbol.dispose]: () => shells.close() });
}

const run = (shells: Shells, script: string, ...args: string[]) =>
  shells.run(script, args, TIMEOUT_MS);

describe("Shells", () => {
  it("runs scripts with their words as they are, and tells output and status", async () => {
    using shells = open();
    const words = ["it's", 'a "$HOME"', "two\nlines", "", "`id`\\"];
    const said = await run(shells, 'printf "<%s>" "$@"', ...words);
    assert.deepEqual(said, { status: 0, output: words.map((word) => `<${word}>`).join("") });
    const failed = await run(shells, "echo out; echo err >&2; exit 7");
    assert.deepEqual(failed, { status: 7, output: "out\nerr\n" });
    const read = await run(shells, "cat; cat <<'END'\n$HOME\nEND");
    assert.deepEqual(read, { status: 0, output: "$HOME\n" });
  });

  it("runs a program with its words and its input as they are, and tells what it complains of", async () => {
    using shells = open();
    const words = ["it's", 'a "$HOME"', "two\nlines", "", "`id`\\"];
    const show = 'cat >&2; printf "<%s>" "$@" >&2; echo dropped; exit 3';
    const said = await shells.command(["/bin/sh", "-c", show, "sh", ...words], "$HOME", TIMEOUT_MS);
    const output = `$HOME\n${words.map((word) => `<${word}>`).join("")}`;
    assert.deepEqual(said, { status: 3, output });
    const missing = await shells.command(["/nonexistent/tool"], "", TIMEOUT_MS);
    assert.equal(missing.status, 127);
    assert.match(missing.output, /nonexistent/);
    assert.deepEqual(await run(shells, "echo again"), { status: 0, output: "again\n" });
  });

  it("keeps a shell for the next script, and nothing of the last one in it", async () => {
    using shells = open();
    const first = await run(shells, "cd /tmp; x=1; echo $$; set -e; false");
    const second = await run(shells, 'echo $$; [ -z "$x" ] && pwd');
    assert.equal(first.status, 1);
    assert.deepEqual(second, { status: 0, output: `${first.output}/\n` });
  });

  it("runs several at a time, and no more than it may", async (t) => {
    using shells = open(2);
    using others = open();
    const gate = spawn("sleep", ["600"]);
    t.after(() => gate.kill());
    await once(gate, "spawn");
    const waits = "echo; while kill -0 $1 2>/dev/null; do sleep 0.01; done";
    const waiting = run(shells, waits, String(gate.pid));
    assert.equal((await run(shells, "echo beside")).output, "beside\n");
    let isOver = false;
    const [second, third] = [run(shells, waits, String(gate.pid)), run(shells, "echo late")];
    void third.then(() => {
      isOver = true;
    });
    await run(others, "sleep 0.05");
    assert.equal(isOver, false);
    gate.kill();
    await Promise.all([waiting, second, third]);
  });

  it("kills what has no end, with all that it has started, and goes on", async () => {
    using shells = open(1);
    const hanging = await shells.run("sleep 600 & echo $!; wait", [], 200);
    assert.deepEqual(hanging, { status: undefined, output: "no end after 200 ms" });
    assert.deepEqual(await run(shells, "echo again"), { status: 0, output: "again\n" });
  });

  it("survives the end of its shell, and broken scripts", async () => {
    using shells = open(1);
    const killed = await run(shells, "kill -9 $$; sleep 1");
    assert.equal(killed.status, undefined);
    assert.deepEqual(await run(shells, "echo again"), { status: 0, output: "again\n" });
    const broken = await run(shells, "if then");
    assert.notEqual(broken.status, 0);
    assert.equal((await run(shells, "echo again")).status, 0);
  });

  it("says when there is no shell", async () => {
    const shells = new Shells({
      path: "/nonexistent/sh",
      env: {},
      countMax: 1,
      clock: systemClock,
    });
    const { output, status } = await run(shells, "echo");
    assert.equal(status, undefined);
    assert.match(output, /ENOENT/);
  });
});
