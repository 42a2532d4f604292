import assert from "node:assert/strict";
import { existsSync, readFileSync, watch } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import { findExecutable } from "./executables.ts";
import { containerdPaths, requireListener, startContainerd } from "./private-containerd.ts";

test("containerdPaths() keeps everything below the directory", () => {
  for (const path of Object.values(containerdPaths("/var/lib/gantry/containerd"))) {
    assert.ok(path.startsWith("/var/lib/gantry/containerd/"));
  }
});

test("containerdPaths() never gives a socket path the kernel would refuse, nor one path to two directories", () => {
  const directory = fc.string({ unit: fc.constantFrom("a", "b", "é", "/"), maxLength: 200 });
  fc.assert(
    fc.property(directory, directory, (one, two) => {
      const [a, b] = [containerdPaths(`/${one}x`), containerdPaths(`/${two}x`)];
      assert.ok(Buffer.byteLength(`${a.socket}.ttrpc`) <= 107);
      assert.equal(a.socket === b.socket, a.config === b.config);
    }),
  );
});

test("a containerd that is killed while it starts is started again", {
  skip: (await findExecutable("containerd")) === undefined && "containerd is not installed",
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), "gantry-containerd-"));
  const pidFile = containerdPaths(directory).pid;
  let starts = 0;
  const engine = await startContainerd({
    directory,
    log: silentLog,
    clock: systemClock,
    beforeStart: async () => {
      starts += 1;
      if (starts > 1) return { [Symbol.dispose]: () => undefined };
      // Its process id is written down as soon as it has one, long before it answers.
      const watcher = watch(directory, () => {
        const pid = Number(existsSync(pidFile) && readFileSync(pidFile, "utf8"));
        if (pid > 1) process.kill(pid, "SIGKILL");
      });
      return { [Symbol.dispose]: () => watcher.close() };
    },
  });
  try {
    assert.equal(starts, 2);
    await requireListener(engine.socketPath);
  } finally {
    await engine.stop();
    await rm(directory, { recursive: true });
  }
});
