/** Listing and removing images in a real containerd. Skips where containers cannot run. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FakeRegistry } from "../../test/images/fake-registry.ts";
import { type ImageContent, imageContent, noise } from "../../test/images/image-content.ts";
import { eventually, IMAGE, useRealRuntime } from "../../test/images/real-runtime.ts";
import { systemClock } from "../lib/clock.ts";
import { ImageError } from "./runtime.ts";

const real = await useRealRuntime();
const { skip } = real;
const never = new AbortController().signal;
let registry: FakeRegistry;
let shared: Buffer;

before(async () => {
  if (skip !== false) return;
  registry = await FakeRegistry.start();
  shared = noise(200_000);
});
after(async () => {
  if (skip !== false) return;
  await registry[Symbol.asyncDispose]();
});

async function pull(name: string): Promise<{ name: string; image: ImageContent }> {
  const image = await imageContent({ layers: [{ "/shared": shared }, { "/own": name }] });
  registry.put(name, image);
  const pulled = await real.runtime.pullImage(`${registry.host}/${name}`, { signal: never });
  return { name: pulled.name, image };
}

const names = async (): Promise<readonly string[]> =>
  (await real.runtime.listImages()).map(({ name }) => name);

test("the list says of each image where it came from, how large it is and who uses it", {
  skip,
}, async () => {
  const { name, image } = await pull("listed:1");
  await real.runtime.create(real.spec("list-a", ["true"], { image: name }));
  const all = await real.runtime.listImages();
  assert.deepEqual(
    all.map(({ name: listed, origin, usedBy }) => [listed, origin, usedBy]),
    [
      [name, "pulled", ["list-a"]],
      [IMAGE, "loaded", []],
    ],
  );
  const bytes = image.blobs.reduce((sum, blob) => sum + blob.bytes.length, 0);
  assert.equal(all[0]?.bytes, bytes);
  assert.ok(Math.abs((all[0]?.storedAt ?? 0) - systemClock.now()) < 60_000);
  await assert.rejects(real.runtime.removeImage(name), (error) => {
    assert.ok(error instanceof ImageError);
    assert.equal(error.message, `${name} is used by container list-a`);
    return true;
  });
  await real.runtime.remove("list-a");
  assert.equal(await real.runtime.removeImage(name), name);
  assert.equal(await real.runtime.removeImage(name), undefined);
  assert.deepEqual(await names(), [IMAGE]);
});

test("removing an image frees what no other image has, and nothing else", { skip }, async () => {
  const snapshots = (await real.client.snapshots.list()).length;
  const [a, b] = [await pull("a:1"), await pull("b:1")];
  const [, , common, ownOfA] = a.image.blobs;
  assert.ok(common && ownOfA);
  await real.runtime.removeImage(a.name);
  assert.equal(await real.client.content.exists(ownOfA.digest), false);
  assert.equal(await real.client.content.exists(common.digest), true);
  assert.equal((await real.run("b-a", "cat /own", { image: b.name })).output, "b:1");
  await real.runtime.removeImage(b.name);
  assert.equal(await real.client.content.exists(common.digest), false);
  await eventually("the snapshots are gone", async () => {
    return (await real.client.snapshots.list()).length === snapshots;
  });
});

test("unused images are removed, but not those that a container or a task wants, or that were loaded", {
  skip,
}, async () => {
  const kept = await pull("kept:1");
  const running = await pull("running:1");
  const unused = [await pull("unused:1"), await pull("unused:2"), await pull("unused:3")];
  await real.runtime.create(real.spec("run-a", ["true"], { image: running.name }));
  const cleanup = { minAgeMs: 0, countMax: 2, referenced: [kept.name, "nonsense::"] };
  assert.deepEqual(await real.runtime.removeUnusedImages({ ...cleanup, minAgeMs: 60_000 }), []);
  // Of those used longest ago, as many as are allowed.
  await real.runtime.findImage(unused[0]?.name ?? "");
  await systemClock.sleep(5);
  assert.deepEqual(await real.runtime.removeUnusedImages(cleanup), [
    unused[1]?.name,
    unused[2]?.name,
  ]);
  assert.deepEqual(await real.runtime.removeUnusedImages(cleanup), [unused[0]?.name]);
  assert.deepEqual(await real.runtime.removeUnusedImages(cleanup), []);
  assert.deepEqual(await names(), [kept.name, running.name, IMAGE].sort());
  await real.runtime.remove("run-a");
});

test("an image that is asked for while it is removed is pulled anew", { skip }, async () => {
  const { name } = await pull("raced:1");
  for (let round = 0; round < 10; round++) {
    const cleanup = { minAgeMs: 0, countMax: 10, referenced: [] };
    const [image] = await Promise.all([
      real.runtime.pullImage(name, { signal: never }),
      real.runtime.removeUnusedImages(cleanup),
    ]);
    // Whoever got it can make a container of it.
    assert.equal(
      (await real.run(`raced-${round}`, "cat /own", { image: image.name })).output,
      "raced:1",
    );
  }
});
