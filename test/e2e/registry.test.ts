/** Images out of a registry, as an operator and a user meet them. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { RegisterTaskDefinitionCommand, RunTaskCommand, type Task } from "@aws-sdk/client-ecs";
import {
  type DebianRegistry,
  registrySkip,
  startDebianRegistry,
} from "../images/debian-registry.ts";
import { imageContent } from "../images/image-content.ts";
import { GantryKit, skipReason } from "./gantry-kit.ts";

const skip = (await skipReason()) || registrySkip;
const LOGIN = {
  username: "me",
  password: "correct horse",
  htpasswd: "me:$2b$05$7ncBiKxcHHlU77UrhQwNd.6EE6hXO/SBbHK3.oJ5El53BwKn6c0pa",
};

describe("images out of a registry", { skip, concurrency: false }, () => {
  let gantry: GantryKit;
  let registry: DebianRegistry;
  let logins: string;

  before(async () => {
    registry = await startDebianRegistry({ login: LOGIN });
    gantry = new GantryKit();
    logins = join(gantry.directory, "logins.json");
    writeFileSync(logins, "{}");
    await gantry.start("--registry-auth", logins);
  });
  after(async () => {
    await gantry[Symbol.asyncDispose]();
    await registry.close();
  });

  async function run(image: string): Promise<string | undefined> {
    await gantry.ecs.send(
      new RegisterTaskDefinitionCommand({
        family: "pulled",
        networkMode: "none",
        containerDefinitions: [{ name: "main", image, memory: 64, command: ["true"] }],
      }),
    );
    const { tasks } = await gantry.ecs.send(new RunTaskCommand({ taskDefinition: "pulled" }));
    return tasks?.[0]?.taskArn;
  }

  const stopped = async (image: string): Promise<Task> =>
    gantry.taskIs("default", await run(image), "STOPPED");

  test("the machine's logins count as soon as they are written, by tag and by digest", async () => {
    const image = await imageContent({ layers: [{ "/greeting": "hello" }] });
    await registry.push("team/app:1", image);
    const reference = `${registry.host}/team/app:1`;
    const refused = await stopped(reference);
    assert.equal(refused.stopCode, "TaskFailedToStart");
    assert.match(
      refused.stoppedReason ?? "",
      /^CannotPullImageManifestError: .*pull access denied for .*no basic auth credentials$/,
    );
    const auth = btoa(`${LOGIN.username}:${LOGIN.password}`);
    writeFileSync(logins, JSON.stringify({ auths: { [registry.host]: { auth } } }));
    for (const name of [reference, `${registry.host}/team/app@${image.root.digest}`]) {
      const task = await stopped(name);
      const [container] = task.containers ?? [];
      assert.equal(container?.exitCode, 0, JSON.stringify(task));
      assert.equal(container.imageDigest, image.root.digest);
      assert.ok(task.pullStartedAt && task.pullStoppedAt);
      assert.ok(task.pullStartedAt <= task.pullStoppedAt);
    }
    const missing = await stopped(`${registry.host}/team/app:2`);
    assert.match(
      missing.stoppedReason ?? "",
      /^CannotPullImageManifestError: .*manifest for .*app:2 not found: manifest unknown: manifest unknown$/,
    );
  });

  test("`gantry image` pulls with the logins of what runs or others, lists and removes", async () => {
    await registry.push("team/tool:1", await imageContent());
    const name = `${registry.host}/team/tool:1`;
    const pulled = await gantry.gantry("image", "pull", name);
    assert.equal(pulled.code, 0, pulled.stderr);
    assert.match(pulled.stdout, /^127\.0\.0\.1:\d+\/team\/tool:1 sha256:[0-9a-f]{64}\n$/);
    const listed = await gantry.gantry("image", "list");
    assert.match(listed.stdout, /^IMAGE +DIGEST +SIZE +ORIGIN +CONTAINERS$/m);
    assert.match(listed.stdout, /\/team\/tool:1 +[0-9a-f]{12} +\d+\.\d MiB +pulled +0$/m);
    const none = join(gantry.directory, "no-logins.json");
    writeFileSync(none, "{}");
    const denied = await gantry.gantry("image", "pull", name, "--registry-auth", none);
    assert.deepEqual([denied.code, denied.stdout], [1, ""]);
    assert.match(denied.stderr, /team\/tool:1: pull access denied.*\n.*--registry-auth/);
    const absent = await gantry.gantry("image", "pull", "127.0.0.1:9/app");
    assert.equal(absent.code, 1);
    assert.match(absent.stderr, /connection refused\n.*name and port: 127\.0\.0\.1:9/);
    assert.doesNotMatch(absent.stderr, /trying again/);
    const removed = await gantry.gantry("image", "rm", name);
    assert.deepEqual([removed.code, removed.stdout], [0, `${name} removed\n`]);
    const again = await gantry.gantry("image", "rm", name);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /no such image on this machine/);
  });
});
