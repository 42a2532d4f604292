/** `gantry server`: the control plane alone, and the commands beside it. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { GantryKit, skipReason } from "../e2e/gantry-kit.ts";
import { gantry, startServer, temporaryDirectory } from "./cli-kit.ts";

const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;

test("a server answers the AWS CLI, and a second start has its state and its key", async () => {
  using directory = temporaryDirectory();
  const data = join(directory.path, "data");
  let keys: string;
  {
    await using _server = await startServer(data);
    keys = (await gantry(data, "env")).stdout.replace(/.*ENDPOINT.*\n/g, "");
    const made = await gantry(data, "aws", "ecs", "create-cluster", "--cluster-name", "kept");
    assert.equal(made.code, 0, made.stderr);
  }
  await using _server = await startServer(data);
  const { stdout } = await gantry(data, "aws", "ecs", "list-clusters", "--output", "text");
  assert.match(stdout, /cluster\/kept/);
  assert.equal((await gantry(data, "env")).stdout.replace(/.*ENDPOINT.*\n/g, ""), keys);
  assert.equal(statSync(data).mode & 0o777, 0o700);
});

test("a server needs no root", { skip: isRoot ? false : "runs without root anyway" }, async () => {
  using directory = temporaryDirectory();
  const data = join(directory.path, "data");
  mkdirSync(data, { mode: 0o700 });
  chownSync(data, NOBODY, NOBODY);
  chmodSync(directory.path, 0o755);
  const program = [
    "setpriv",
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    "--clear-groups",
    "--bounding-set=-all",
    "--inh-caps=-all",
    "bin/gantry",
  ];
  await using _server = await startServer(data, { program });
  const { code, stderr } = await gantry(data, "aws", "ecs", "list-clusters");
  assert.equal(code, 0, stderr);
});

test("a variable that is no setting is named", async () => {
  using directory = temporaryDirectory();
  const program = ["env", "GANTRY_LISTN=127.0.0.1:1", "bin/gantry"];
  await using server = await startServer(join(directory.path, "data"), { program });
  assert.match(server.output(), /warn.*GANTRY_LISTN is not a setting/);
});

test("status tells what runs, and by its exit code whether", async () => {
  using directory = temporaryDirectory();
  const data = join(directory.path, "data");
  const never = await gantry(data, "status");
  assert.deepEqual([never.code, never.stdout], [3, `Gantry is not running on ${data}\n`]);
  {
    await using server = await startServer(data);
    await gantry(data, "aws", "ecs", "create-cluster", "--cluster-name", "one");
    const { code, stdout } = await gantry(data, "status");
    assert.equal(code, 0);
    assert.match(stdout, /^Gantry \d+\.\d+\.\d+ is running \(control plane alone\)$/m);
    assert.match(stdout, new RegExp(`^ +endpoint +${server.endpoint}$`, "m"));
    assert.match(stdout, /^ +process +\d+, for \d+ s$/m);
    assert.match(stdout, /^ +clusters +1$/m);
    assert.match(stdout, /^ +tasks +0 running, 0 pending, 0 stopped$/m);
    assert.match(stdout, /^ +data .* used \(server .*\), .* free$/m);
  }
  const after = await gantry(data, "status");
  assert.equal(after.code, 3);
  assert.match(after.stdout, /not running[\s\S]*used \(server/);
});

test("status is not taken in by another process with the same id", async () => {
  using directory = temporaryDirectory();
  const data = join(directory.path, "data");
  mkdirSync(data);
  writeFileSync(
    join(data, "process.json"),
    JSON.stringify({ pid: process.pid, startTicks: "1", command: "up", endpoint: "", version: "" }),
  );
  assert.equal((await gantry(data, "status")).code, 3);
});

test("explain tells why tasks found no place", async () => {
  using directory = temporaryDirectory();
  const data = join(directory.path, "data");
  assert.match((await gantry(data, "explain")).stderr, /no server runs on .*: start one with/);
  await using _server = await startServer(data);
  const ecs = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await gantry(data, "aws", "ecs", ...args);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  await ecs("create-cluster", "--cluster-name", "shop");
  const containers = '[{"name":"main","image":"web","memory":64}]';
  await ecs("register-task-definition", "--family", "web", "--container-definitions", containers);
  assert.match((await gantry(data, "explain", "shop")).stdout, /^Every task of shop found a place/);
  const [subnetId] = JSON.parse(
    (await gantry(data, "aws", "ec2", "describe-subnets", "--query", "Subnets[].SubnetId")).stdout,
  ) as string[];
  await ecs(
    ...["register-task-definition", "--family", "job", "--container-definitions", containers],
    ...["--requires-compatibilities", "FARGATE", "--network-mode", "awsvpc"],
    ...["--cpu", "256", "--memory", "512"],
  );
  await ecs(
    ...["run-task", "--cluster", "shop", "--task-definition", "job", "--count", "2"],
    ...["--launch-type", "FARGATE"],
    ...["--network-configuration", `awsvpcConfiguration={subnets=[${subnetId}]}`],
  );
  const { code, stdout } = await gantry(data, "explain", "shop");
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^\S+Z {2}2 of 2 tasks of job:1 \(FARGATE, family:job\): none of 0 instances$/m,
  );
  const unknown = await gantry(data, "explain", "nowhere");
  assert.equal(unknown.code, 1);
  assert.match(
    unknown.stderr,
    /^gantry: there is no cluster nowhere in us-east-1: 'aws ecs list-clusters'/,
  );
});

test("one data directory serves `up` and `server` in turn", {
  skip: await skipReason(),
}, async () => {
  await using kit = new GantryKit();
  await kit.start();
  await kit.gantry("aws", "ecs", "create-cluster", "--cluster-name", "by-up");
  await kit.stop();
  {
    await using _server = await startServer(kit.directory);
    const listed = await kit.gantry("aws", "ecs", "list-clusters", "--output", "text");
    assert.match(listed.stdout, /cluster\/by-up/);
    await kit.gantry("aws", "ecs", "create-cluster", "--cluster-name", "by-server");
  }
  await kit.start();
  const { stdout } = await kit.gantry("aws", "ecs", "list-clusters", "--output", "text");
  assert.match(stdout, /by-server/);
  const running = await kit.gantry("status");
  assert.match(running.stdout, /\(server and node\)[\s\S]*instances +1/);
});

test("settings come from variables, and flags win over them", async () => {
  using directory = temporaryDirectory();
  const data = join(directory.path, "data");
  const root = {
    GANTRY_ROOT_ACCESS_KEY_ID: "AKIAROOTROOTROOTROOT",
    GANTRY_ROOT_SECRET_ACCESS_KEY: "a secret of sixteen and more",
  };
  const program = [
    "env",
    ...Object.entries(root).map((pair) => pair.join("=")),
    "GANTRY_REGION=eu-west-1",
    "bin/gantry",
  ];
  await using _server = await startServer(data, { program, flags: ["--region", "eu-north-1"] });
  const { stdout } = await gantry(data, "env");
  assert.match(stdout, /AWS_REGION=eu-north-1/);
  assert.match(stdout, /AWS_ACCESS_KEY_ID=AKIAROOTROOTROOTROOT/);
  const identity = await gantry(data, "aws", "ecs", "list-clusters");
  assert.equal(identity.code, 0, identity.stderr);
});
