/** Images and a loss of power, with a real containerd on a disk of the test's own. Skips, saying why, where containers cannot run. */
import assert from "node:assert/strict";
import { globSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { after, test } from "node:test";
import { useRealRuntime } from "../../test/images/real-runtime.ts";
import { PowerlessDisk } from "../../test/powerless-disk.ts";

const disk = PowerlessDisk.open(192 << 20);
if (disk !== undefined) process.env.TMPDIR = disk.path;
const real = await useRealRuntime();
after(() => disk?.[Symbol.dispose]());

test("an image that is here is here after a loss of power, with what is in its files", {
  skip: real.skip || (disk === undefined && "no disk can be mounted here"),
}, async () => {
  assert.ok(disk);
  const images = await real.runtime.listImages();
  assert.equal(images.length, 1);
  const snapshots = join(real.directory, "containerd/root/*.overlayfs/snapshots/*/fs/bin/busybox");
  const programs = globSync(snapshots);
  assert.equal(programs.length, 1);
  const left = disk.losePower();
  for (const path of programs) {
    const found = join(left, relative(disk.path, path));
    assert.equal(statSync(found).size, statSync(path).size);
  }
});
