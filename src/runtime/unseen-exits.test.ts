/** Containers that end while there is no containerd, with real shims. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { eventually, useRealRuntime } from "../../test/images/real-runtime.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import { exitsDirectory, openExitRecords } from "./exit-records.ts";
import { containerdPaths } from "./private-containerd.ts";
import { watchUnseenExits } from "./unseen-exits.ts";

const real = await useRealRuntime();
const { skip } = real;
const never = new AbortController().signal;

test("the ends of containers that nobody saw are known before containerd starts again, and as it starts", {
  skip,
}, async () => {
  const source = await mkdtemp(join(real.directory, "bound-"));
  const mounts = [{ source, target: "/bound", readonly: true }];
  for (const [id, exitCode] of [
    ["unseen-a", 7],
    ["other-a", 8],
    ["late-a", 9],
  ] as const) {
    const script = `until test -e /bound/${id}; do sleep 0.05; done; exit ${exitCode}`;
    await real.runtime.create(real.spec(id, ["sh", "-c", script], { mounts }));
    await real.runtime.start(id);
  }
  await real.runtime.create(real.spec("never-a", ["true"]));
  await real.crash();
  await killContainerd();
  const stateDirectory = join(real.directory, "state");
  const records = await openExitRecords(exitsDirectory(stateDirectory));
  const watch = (): Promise<Disposable> =>
    watchUnseenExits({
      containerdState: containerdPaths(join(real.directory, "containerd")).state,
      namespace: real.name,
      stateDirectory,
      clock: systemClock,
      log: silentLog,
    });

  await writeFile(join(source, "unseen-a"), "");
  await eventually("a shim says that its container has ended", async () => {
    using _watch = await watch();
    return (await records.get("unseen-a")) !== undefined;
  });
  {
    using _watch = await watch();
    assert.equal(await records.get("other-a"), undefined);
    await writeFile(join(source, "other-a"), "");
    await eventually("it is heard of", async () => (await records.get("other-a")) !== undefined);
  }
  await writeFile(join(source, "late-a"), "");

  await real.start();
  for (const [id, exitCode] of [
    ["unseen-a", 7],
    ["other-a", 8],
    ["late-a", 9],
  ] as const) {
    const exit = await real.runtime.wait(id, never);
    assert.equal(exit.exitCode, exitCode);
    assert.ok(exit.exitedAt > 0);
    await real.runtime.remove(id);
  }
  const left = (await real.runtime.list()).map(({ id, status }) => [id, status]);
  assert.deepEqual(left, [["never-a", "created"]]);
  await real.runtime.remove("never-a");
});

async function killContainerd(): Promise<void> {
  const { pid } = containerdPaths(join(real.directory, "containerd"));
  const number = Number(await readFile(pid, "utf8"));
  process.kill(number, "SIGKILL");
  await eventually("containerd is gone", () => {
    try {
      process.kill(number, 0);
      return false;
    } catch {
      return true;
    }
  });
}
