/** A clone runs what `npm start` and `npm test` built of its sources, and never anything older than them. */
import assert from "node:assert/strict";
import {
  appendFileSync,
  cpSync,
  globSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { type CommandResult, command } from "../e2e/gantry-kit.ts";
import { startServer, temporaryDirectory } from "./cli-kit.ts";

const directory = temporaryDirectory();
const clone = join(directory.path, "clone");
const program = join(clone, "bin/gantry");

before(() => {
  for (const path of ["bin", "scripts", "src", "package.json", "package-lock.json"]) {
    cpSync(path, join(clone, path), { recursive: true });
  }
  symlinkSync(resolve("node_modules"), join(clone, "node_modules"));
});
after(() => directory[Symbol.dispose]());

/** What `npm start` does of a start, of this. */
function prepareBuild(): Promise<CommandResult> {
  return command("bash", [
    "-c",
    `cd ${clone} && set -euo pipefail && . scripts/prepare.sh && prepare_build`,
  ]);
}

const SUMMARY = "bring the whole system up on this machine";

/** Writes another summary of `gantry up` into a file, which then looks as if nobody had touched it. */
function reword(path: string, summary: string): void {
  const { atime, mtime } = statSync(path);
  writeFileSync(path, readFileSync(path, "utf8").replace(SUMMARY, summary));
  utimesSync(path, atime, mtime);
}

/** The summary of `gantry up` as it is in what ran. */
async function shown(): Promise<string> {
  const { stdout, stderr } = await command(program, ["help"]);
  return /^ +up +(.*), in the foreground$/m.exec(stdout)?.[1] ?? stderr;
}

test("a clone runs its sources, until they are built, and again once one has changed", async () => {
  assert.equal(await shown(), SUMMARY);

  const built = await prepareBuild();
  assert.equal(built.code, 0, built.stderr);
  assert.match(built.stdout, /Bundling the sources/);
  for (const path of globSync(join(clone, "build/**/*.js"))) reword(path, "what was built");
  assert.equal(await shown(), "what was built");
  assert.equal((await prepareBuild()).stdout, "", "nothing to build");

  reword(join(clone, "src/cli/commands.ts"), "what was changed");
  assert.equal(await shown(), "what was changed", "though the file says that it is old");
  await prepareBuild();
  assert.equal(await shown(), "what was changed");
  assert.ok(
    globSync(join(clone, "build/**/*.js")).some((path) =>
      readFileSync(path, "utf8").includes("what was changed"),
    ),
  );

  rmSync(join(clone, "src/lib/shells.test.ts"));
  assert.match((await prepareBuild()).stdout, /Bundling/, "a file is gone");
});

test("what runs from a build goes on when the next one is made", async () => {
  await prepareBuild();
  const data = join(directory.path, "data");
  await using server = await startServer(data, { program: [program] });
  assert.match(server.output(), /eval "\$\(npx gantry env --data-dir/, "it is a clone still");
  appendFileSync(join(clone, "src/sts/operations.ts"), "export const another = process.pid;\n");
  await prepareBuild();
  const environment = { GANTRY_DATA_DIR: data };
  const { stdout, stderr } = await command(
    program,
    ["aws", "sts", "get-caller-identity"],
    environment,
  );
  assert.match(stdout, /:root"/, stderr);
});

test("a clone where nothing can be built runs its sources", async () => {
  rmSync(join(clone, "build"), { recursive: true, force: true });
  writeFileSync(join(clone, "build"), "");
  const { code, stdout } = await prepareBuild();
  assert.equal(code, 0);
  assert.match(stdout, /Not bundled/);
  assert.equal(await shown(), "what was changed");
});
