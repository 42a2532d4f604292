/** What the command says about itself: help, completion, units; and that the README says the same. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { COMMANDS } from "../../src/cli/commands.ts";
import { SETTINGS } from "../../src/settings.ts";
import { command } from "../e2e/gantry-kit.ts";

const hasVerifier = (await command("systemd-analyze", ["--version"])).code === 0;
const hasZsh = (await command("zsh", ["--version"])).code === 0;

test("every command explains itself, with exactly the settings that it takes", async () => {
  for (const { name, settings, passesOn } of COMMANDS) {
    const words = passesOn ? ["help", name] : [name, "--help"];
    const { code, stdout } = await command("bin/gantry", words);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^Usage: gantry ${name}`));
    const flags = [...stdout.matchAll(/^ {2}--(\S+) +GANTRY_/gm)].map((match) => match[1]);
    assert.deepEqual(
      flags,
      settings.map((setting) => SETTINGS[setting].flag),
    );
  }
});

test("help and version need no data directory, and no command is an error", async () => {
  for (const words of [["--help"], ["-h"], ["help"]]) {
    const { code, stdout } = await command("bin/gantry", words);
    assert.equal(code, 0);
    for (const { name } of COMMANDS) assert.match(stdout, new RegExp(`^ {2}${name}\\b`, "m"));
  }
  assert.equal((await command("bin/gantry", ["help", "up"])).code, 0);
  const version = await command("bin/gantry", ["--version"]);
  assert.equal(version.stdout, (await command("bin/gantry", ["version"])).stdout);
  const nothing = await command("bin/gantry", []);
  assert.deepEqual([nothing.code, nothing.stdout], [2, ""]);
  assert.match(nothing.stderr, /Usage: gantry COMMAND/);
});

test("bash completes commands, their words and their flags", async () => {
  const complete = async (line: string): Promise<string[]> => {
    const words = line.split(" ");
    const script = `source <(bin/gantry completion bash); COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _gantry; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await command("bash", ["-c", script]);
    return stdout.split("\n").filter(Boolean);
  };
  assert.deepEqual(await complete("gantry s"), ["server", "status"]);
  assert.deepEqual(await complete("gantry image "), [
    "load",
    "pull",
    "list",
    "rm",
    "--data-dir",
    "--registry-auth",
    "--insecure-registries",
    "--help",
  ]);
  assert.deepEqual(await complete("gantry completion z"), ["zsh"]);
  assert.deepEqual(await complete("gantry up --tls-c"), ["--tls-cert", "--tls-ca"]);
  assert.deepEqual(await complete("gantry aws "), []);
});

test("zsh loads its completion", { skip: hasZsh ? false : "zsh is not installed" }, async () => {
  const script = 'eval "$(bin/gantry completion zsh)" && whence -w _gantry';
  const { code, stdout, stderr } = await command("zsh", ["-f", "-c", script]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /_gantry: function/);
});

for (const name of ["up", "server"]) {
  test(`${name} --print-unit prints a unit for this command line, without secrets`, async () => {
    const flags = ["--data-dir", "/srv/my data/100%", "--listen", "0.0.0.0:443", "--print-unit"];
    const { code, stdout } = await command("bin/gantry", [name, ...flags], {
      GANTRY_ROOT_ACCESS_KEY_ID: "AKIAROOTROOTROOTROOT",
      GANTRY_ROOT_SECRET_ACCESS_KEY: "a-secret-that-nobody-sees",
      GANTRY_REGION: "eu-west-1",
    });
    assert.equal(code, 0);
    const line = /^ExecStart=(.*)$/m.exec(stdout)?.[1] ?? "";
    assert.match(line, new RegExp(`^/\\S+/bin/gantry ${name} `));
    assert.match(line, /--data-dir "\/srv\/my data\/100%%" --listen 0\.0\.0\.0:443/);
    assert.match(line, /--region eu-west-1/);
    assert.doesNotMatch(stdout, /a-secret/);
    assert.equal(/^KillMode=process$/m.test(stdout), name === "up");
    assert.equal(/^Delegate=yes$/m.test(stdout), name === "up");
    assert.equal(/^ProtectSystem=strict$/m.test(stdout), name === "server");
  });

  test(`systemd accepts the unit of ${name}`, {
    skip: hasVerifier ? false : "systemd-analyze is not installed",
  }, async () => {
    const script = `dir=$(mktemp -d) && trap 'rm -r "$dir"' EXIT && bin/gantry ${name} --print-unit > "$dir/gantry.service" && systemd-analyze verify --man=no "$dir/gantry.service"`;
    const { code, stderr } = await command("bash", ["-c", script]);
    assert.doesNotMatch(stderr, /gantry\.service:\d+/, stderr);
    assert.equal(code, 0, stderr);
  });
}

test("the README names only settings and commands that exist", () => {
  const readme = readFileSync("README.md", "utf8");
  const flags = new Set(Object.values(SETTINGS).map(({ flag }) => `--${flag}`));
  const variables = new Set(Object.values(SETTINGS).map(({ variable }) => variable));
  const rows = [...readme.matchAll(/^\| `(--[\w-]+)` \| `(GANTRY_\w+)` \|/gm)];
  assert.ok(rows.length > 5);
  for (const [, flag = "", variable = ""] of rows) {
    assert.ok(flags.has(flag), flag);
    assert.ok(variables.has(variable), variable);
  }
  const names = new Set(COMMANDS.map(({ name }) => name));
  for (const [, name = ""] of readme.matchAll(/\bgantry ([a-z]+)\b/g)) {
    if (/^(npx |`|\$)/.test(name)) continue;
    assert.ok(names.has(name), `gantry ${name}`);
  }
});
