/** Volumes and what of the image is copied into them, with a real containerd and runc. */
import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { mkdtemp, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { busyboxImage } from "../../scripts/busybox-image.ts";
import { readIfThere, useRealRuntime } from "../../test/images/real-runtime.ts";
import { copyUp } from "./copy-up.ts";
import type { BindMount } from "./runtime.ts";

const real = await useRealRuntime();
const { skip } = real;

before(async () => {
  if (skip !== false) return;
  const file = join(real.directory, "volumes.tar");
  await busyboxImage({
    file,
    names: ["vol:1"],
    files: { "/data/a": "from the image", "/data/sub/b": "deep" },
  });
  await real.runtime.loadImage(createReadStream(file));
});

const IMAGE = { image: "docker.io/library/vol:1" };

async function volume(target: string): Promise<BindMount> {
  const source = await mkdtemp(join(real.directory, "volume-"));
  return { source, target, readonly: false, copyUp: true };
}

test("an empty volume gets what the image has at its place, owner and mode included", {
  skip,
}, async () => {
  const mount = await volume("/data");
  const script = "cat /data/a /data/sub/b; stat -c %a /data; echo new > /data/c";
  const first = await real.run("vol-a", script, { ...IMAGE, mounts: [mount] });
  assert.equal(first.output, "from the imagedeep755\n");
  assert.equal((await stat(mount.source)).mode & 0o777, 0o755);
  assert.deepEqual((await readdir(mount.source)).sort(), ["a", "c", "sub"]);
  await writeFile(join(mount.source, "a"), "changed");
  const second = await real.run("vol-b", "cat /data/a", { ...IMAGE, mounts: [mount] });
  assert.equal(second.output, "changed", "a volume with content is left as it is");
});

test("several layers are seen as one, their deletions too, and no symbolic link is followed", {
  skip,
}, async () => {
  const { client, runtime } = real;
  // What a container wrote becomes the second layer of the next.
  const script =
    "rm /data/a; echo two > /data/d; ln -s /bin /data/link; chown 1000:1000 /data; chmod 700 /data";
  await runtime.create(real.spec("layer-a", ["sh", "-c", script], IMAGE));
  await runtime.start("layer-a");
  await runtime.wait("layer-a", new AbortController().signal);
  await client.snapshots.commit("two-layers", "layer-a");
  const rootfs = await client.snapshots.prepare("on-two", "two-layers", {});
  const data = await volume("/data");
  await copyUp(rootfs, data, real.directory);
  assert.deepEqual((await readdir(data.source)).sort(), ["d", "link", "sub"]);
  const { uid, gid, mode } = await stat(data.source);
  assert.deepEqual([uid, gid, mode & 0o777], [1000, 1000, 0o700]);
  for (const target of ["/data/link", "/data/d", "/data/nosuch", "/nowhere/at/all"]) {
    const empty = await volume(target);
    await copyUp(rootfs, empty, real.directory);
    assert.deepEqual(await readdir(empty.source), [], target);
  }
  await client.snapshots.remove("on-two");
  await runtime.remove("layer-a");
  await client.snapshots.remove("two-layers");
  assert.ok(!readIfThere("/proc/self/mounts").includes(join(real.directory, "copy-up")));
});

test("a read-only mount is one, and what one container writes its sibling reads", {
  skip,
}, async () => {
  const mount = await volume("/shared");
  await real.run("both-a", "echo hello > /shared/x", { mounts: [mount] });
  const readonly = { ...mount, readonly: true };
  const script = "cat /shared/x; touch /shared/y 2> /dev/null || echo refused";
  const { output } = await real.run("both-b", script, { mounts: [readonly] });
  assert.equal(output, "hello\nrefused\n");
  assert.equal(await readFile(join(mount.source, "x"), "utf8"), "hello\n");
});
