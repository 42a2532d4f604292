/** `npm pack` and `npm install -g`, in an empty folder: the package runs by itself, as JavaScript. */
import assert from "node:assert/strict";
import { existsSync, globSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  RunTaskCommand,
} from "@aws-sdk/client-ecs";
import { type CommandResult, command, GantryKit, skipReason } from "../e2e/gantry-kit.ts";
import { buildHelloImage } from "../e2e/images.ts";
import { startServer, temporaryDirectory } from "./cli-kit.ts";

const skip = await skipReason();

describe("the npm package", () => {
  const directory = temporaryDirectory();
  const prefix = join(directory.path, "prefix");
  const program = join(prefix, "bin/gantry");
  const installed = join(prefix, "lib/node_modules/gantry");

  before(async () => {
    const packed = await command("npm", ["pack", "--silent", "--pack-destination", directory.path]);
    assert.equal(packed.code, 0, packed.stderr);
    const [archive = ""] = readdirSync(directory.path).filter((name) => name.endsWith(".tgz"));
    const flags = ["--prefix", prefix, "--prefer-offline", "--no-audit", "--no-fund"];
    const install = ["install", "--global", ...flags, join(directory.path, archive)];
    const done = await command("npm", [...install, "--ignore-scripts"]);
    assert.equal(done.code, 0, done.stderr);
  });
  after(() => directory[Symbol.dispose]());

  test("holds what it runs and nothing else", () => {
    assert.deepEqual(readdirSync(installed).sort(), [
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "bin",
      "dist",
      "node_modules",
      "package.json",
    ]);
    const own = globSync("{bin,dist}/**/*", { cwd: installed });
    assert.deepEqual(
      own.filter((path) => /\.ts$|test|fixture|\.map$/.test(path)),
      [],
    );
    assert.ok(own.includes("dist/door/shapes/ecs.json"));
    assert.ok(!existsSync(join(installed, "node_modules/@aws-sdk")), "no SDK at run time");
  });

  test("gantry server comes up from it, answers, and has its state again", async () => {
    const data = join(directory.path, "data");
    const environment = { GANTRY_DATA_DIR: data };
    const gantry = (...args: string[]): Promise<CommandResult> =>
      command(program, args, environment);
    {
      await using server = await startServer(data, { program: [program] });
      assert.match(server.output(), /eval "\$\(gantry env --data-dir/);
      const made = await gantry("aws", "ecs", "create-cluster", "--cluster-name", "packed");
      assert.equal(made.code, 0, made.stderr);
    }
    await using _server = await startServer(data, { program: [program] });
    const { stdout } = await gantry("aws", "ecs", "list-clusters", "--output", "text");
    assert.match(stdout, /cluster\/packed/);
    assert.match((await gantry("status")).stdout, /clusters +1/);
    const unit = await gantry("up", "--print-unit");
    assert.match(unit.stdout, /^ExecStart=\/.*\/gantry\/bin\/gantry up /m);
  });

  test("gantry up runs a container from it", { skip }, async () => {
    await using kit = new GantryKit(program);
    await kit.start();
    const archive = await buildHelloImage();
    try {
      await kit.loadImage(archive);
    } finally {
      rmSync(archive);
    }
    const cluster = "default";
    const definition: RegisterTaskDefinitionCommandInput = {
      family: "packed",
      networkMode: "host",
      containerDefinitions: [
        {
          name: "main",
          image: "hello:latest",
          memory: 32,
          entryPoint: ["sh", "-c"],
          command: ["exit 3"],
        },
      ],
    };
    await kit.ecs.send(new RegisterTaskDefinitionCommand(definition));
    const { tasks } = await kit.ecs.send(
      new RunTaskCommand({ cluster, taskDefinition: "packed", launchType: "EC2" }),
    );
    const task = await kit.taskIs(cluster, tasks?.[0]?.taskArn, "STOPPED");
    assert.equal(task.containers?.[0]?.exitCode, 3);
  });
});
