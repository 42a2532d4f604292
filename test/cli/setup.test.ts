/** What stands in the way of a start: one line that says what to do, an exit code, and nothing changed. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  globSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { type CommandResult, command } from "../e2e/gantry-kit.ts";
import { gantry, snapshot, startServer, temporaryDirectory } from "./cli-kit.ts";

const isRoot = process.geteuid?.() === 0;
const { code: unshareCode } = await command("unshare", ["--mount", "true"]);
const skipMounts = unshareCode === 0 ? false : "needs the privilege to mount";

/** A command that must fail: `gantry server` with flags. */
function server(data: string, ...flags: readonly string[]): Promise<CommandResult> {
  return command("bin/gantry", ["server", "--data-dir", data, "--listen", "127.0.0.1:0", ...flags]);
}

function assertOneLine({ code, stdout, stderr }: CommandResult, pattern: RegExp): void {
  assert.equal(code, 1, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, pattern);
  assert.match(stderr, /^gantry: [^\n]+\n$/, "one line");
}

/** A data directory that a server has used, with some state. */
async function usedDirectory(data: string): Promise<void> {
  await using _server = await startServer(data);
  const made = await gantry(data, "aws", "ecs", "create-cluster", "--cluster-name", "kept");
  assert.equal(made.code, 0, made.stderr);
}

function stateFile(data: string): string {
  const [name] = globSync("state-*.db", { cwd: join(data, "server/store") });
  assert.ok(name !== undefined);
  return join(data, "server/store", name);
}

/** Who holds the lock is written down even by one who then finds that the state is damaged. */
function stateOf(data: string): Record<string, string> {
  const { "server/store/pid": _pid, ...files } = snapshot(data);
  return files;
}

const DAMAGES: Readonly<Record<string, (path: string) => void>> = {
  "is cut off": (path) => truncateSync(path, 20_000),
  "is empty": (path) => truncateSync(path, 0),
  "has a garbled header": (path) => overwrite(path, 0, 100),
  "has garbled pages": (path) => overwrite(path, 16_384, 16_384),
  "is another program's": (path) => writeFileSync(path, "not a database at all\n".repeat(1000)),
};

function overwrite(path: string, from: number, length: number): void {
  const bytes = readFileSync(path);
  for (let at = from; at < Math.min(from + length, bytes.length); at++)
    bytes[at] = (at * 37) & 0xff;
  writeFileSync(path, bytes);
}

test("a data directory whose state is damaged is named and left as it is", async (t) => {
  using directory = temporaryDirectory();
  const used = join(directory.path, "used");
  await usedDirectory(used);
  for (const [damage, inflict] of Object.entries(DAMAGES)) {
    await t.test(`the state file ${damage}`, async () => {
      const data = join(directory.path, damage.replaceAll(/\W/g, "-"));
      execFileSync("cp", ["-a", used, data]);
      inflict(stateFile(data));
      const before = stateOf(data);
      assertOneLine(await server(data), /store.*(damaged|not a state file)/);
      assert.deepEqual(stateOf(data), before);
    });
  }
  await t.test("the identity is damaged", async () => {
    const data = join(directory.path, "identity");
    execFileSync("cp", ["-a", used, data]);
    writeFileSync(join(data, "identity.json"), "{");
    const before = stateOf(data);
    assertOneLine(await server(data), /identity\.json is damaged: restore it from a backup/);
    assert.deepEqual(stateOf(data), before);
  });
});

test("what clients are told of a damaged client.json is how to have it written anew", async () => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, "client.json"), '{"endpoint"');
  assertOneLine(await gantry(directory.path, "env"), /client\.json is damaged: start Gantry again/);
});

test("a data directory in use is refused, with the process that uses it", async () => {
  using directory = temporaryDirectory();
  const data = join(directory.path, "data");
  await using first = await startServer(data);
  const before = snapshot(data);
  assertOneLine(await server(data), new RegExp(`another Gantry \\(process ${first.pid}\\) uses`));
  assertOneLine(
    await gantry(data, "down"),
    new RegExp(`another Gantry \\(process ${first.pid}\\)`),
  );
  assert.deepEqual(snapshot(data), before);
  assert.equal((await gantry(data, "aws", "ecs", "list-clusters")).code, 0);
});

test("a taken port changes nothing", async () => {
  using directory = temporaryDirectory();
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as { port: number };
  const result = await server(join(directory.path, "data"), "--listen", `127.0.0.1:${port}`);
  other.close();
  assertOneLine(result, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}.*GANTRY_LISTEN`));
  assert.deepEqual(snapshot(directory.path), {});
});

test("a disk without room at the start changes nothing", { skip: skipMounts }, async () => {
  using directory = temporaryDirectory();
  const script = `mount -t tmpfs -o size=4m none ${directory.path} && bin/gantry server --data-dir ${directory.path}/data --listen 127.0.0.1:0; code=$?; ls -A ${directory.path}; exit $code`;
  const result = await command("unshare", ["--mount", "sh", "-c", script]);
  assertOneLine(result, /disk of .*data is full .*make room on it, or .*GANTRY_DATA_DIR/);
});

test("a read-only file system is named", { skip: skipMounts }, async () => {
  using directory = temporaryDirectory();
  const script = `mount -t tmpfs -o ro none ${directory.path} && exec bin/gantry server --data-dir ${directory.path}/data --listen 127.0.0.1:0`;
  const result = await command("unshare", ["--mount", "sh", "-c", script]);
  assertOneLine(result, /cannot use the data directory .*(read-only|full).*GANTRY_DATA_DIR/);
});

test("a data directory of another user is named", {
  skip: isRoot ? false : "needs root to change the user",
}, async () => {
  using directory = temporaryDirectory();
  const data = join(directory.path, "data");
  mkdirSync(data, { mode: 0o700 });
  chmodSync(directory.path, 0o755);
  const result = await command("setpriv", [
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "bin/gantry",
    "server",
    "--data-dir",
    data,
    "--listen",
    "127.0.0.1:0",
  ]);
  assertOneLine(result, /cannot use the data directory .*permission denied.*GANTRY_DATA_DIR/);
});

test("a data directory that is a file, or a loop of links, is named", async () => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, "file"), "");
  symlinkSync("loop", join(directory.path, "loop"));
  for (const name of ["file", "file/below", "loop"]) {
    assertOneLine(await server(join(directory.path, name)), /cannot use the data directory/);
  }
});

test("settings that make no sense are named with flag, variable and form, and change nothing", async () => {
  using directory = temporaryDirectory();
  const data = join(directory.path, "data");
  for (const [flags, pattern] of [
    [
      ["--listen", "nonsense"],
      /--listen \(GANTRY_LISTEN\) is "nonsense", but must be address:port/,
    ],
    [["--listen", "127.0.0.1:70000"], /--listen .* a port from 0 to 65535/],
    [["--listen", "192.0.2.1:4566"], /cannot listen on 192\.0\.2\.1:4566 .*--listen/],
    [["--account-id", "12"], /--account-id .* 12 digits/],
    [["--region", "Mars"], /--region \(GANTRY_REGION\) .* a region name/],
    [["--vpc-cidr", "10.0.0.0/8"], /--vpc-cidr \(GANTRY_VPC_CIDR\) .* \/16/],
    [["--task-retention", "10m"], /--task-retention \(GANTRY_TASK_RETENTION\) .* from 1h to 3650d/],
    [
      ["--node-loss-after", "5"],
      /--node-loss-after \(GANTRY_NODE_LOSS_AFTER\) .* from 30s to 24h, or never/,
    ],
    [["--log-level", "loud"], /--log-level .* debug, info, warn or error/],
    [["--endpoint-host", "a b"], /--endpoint-host .* host name or an IP address/],
    [["--tls", "on"], /--tls \(GANTRY_TLS\) is "on", but must be off, or generate/],
    [["--tls-cert", "/c.pem"], /--tls-cert .* and --tls-key .* belong together/],
    [["--tls-cert", "c.pem", "--tls-key", "/k"], /--tls-cert .* absolute path/],
    [["--tls", "generate", "--tls-cert", "/c", "--tls-key", "/k"], /choose one of them/],
    [
      ["--tls-cert", "/none/c.pem", "--tls-key", "/none/k.pem"],
      /cannot read \/none\/c\.pem \(--tls-cert\)/,
    ],
    [["--root-access-key-id", "AKIAROOTROOTROOTROOT"], /belong together/],
    [["--wrong", "x"], /--wrong.*gantry server --help/],
    [["--listen"], /--listen.*gantry server --help/],
    [["surplus"], /usage: gantry server \[options\]/],
  ] as const) {
    assertOneLine(await server(data, ...flags), pattern);
  }
  assert.deepEqual(snapshot(directory.path), {});
});

test("a secret never appears in the message about it", async () => {
  using directory = temporaryDirectory();
  const { stderr } = await command("bin/gantry", ["server", "--data-dir", directory.path], {
    GANTRY_ROOT_ACCESS_KEY_ID: "AKIAROOTROOTROOTROOT",
    GANTRY_ROOT_SECRET_ACCESS_KEY: "tooshort",
  });
  assert.match(stderr, /GANTRY_ROOT_SECRET_ACCESS_KEY must have at least 16 characters/);
  assert.doesNotMatch(stderr, /tooshort/);
});
