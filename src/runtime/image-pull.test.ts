/** Pulls from Debian's docker-registry into a real containerd. Skips, saying why, where one of them cannot run. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type DebianRegistry,
  registrySkip,
  startDebianRegistry,
} from "../../test/images/debian-registry.ts";
import {
  ARCHITECTURE,
  imageContent,
  indexContent,
  noise,
} from "../../test/images/image-content.ts";
import { useRealRuntime } from "../../test/images/real-runtime.ts";
import { PullError, type PullProgress } from "./pull.ts";

const real = await useRealRuntime();
const skip = real.skip || registrySkip;
const never = new AbortController().signal;
let registry: DebianRegistry;

before(async () => {
  if (skip !== false) return;
  registry = await startDebianRegistry();
});
after(async () => {
  if (skip !== false) return;
  await registry.close();
});

for (const compression of ["none", "gzip", "zstd"] as const) {
  for (const docker of [false, true]) {
    const kind = docker ? "docker" : "oci";
    test(`an image with ${compression} layers of ${kind} is pulled and runs`, {
      skip,
    }, async () => {
      const image = await imageContent({
        compression,
        docker,
        layers: [{ "/greeting": `hello ${compression}` }, { "/noise": noise(3_000_000) }],
        environment: ["A=1"],
      });
      await registry.push(`${kind}/${compression}:1`, image);
      const reference = `${registry.host}/${kind}/${compression}:1`;
      const resolved: string[] = [];
      const progress: PullProgress[] = [];
      const pulled = await real.runtime.pullImage(reference, {
        onResolved: (digest) => resolved.push(digest),
        onProgress: (now) => progress.push(now),
        signal: never,
      });
      assert.equal(pulled.name, reference);
      assert.equal(pulled.origin, "pulled");
      assert.equal(pulled.digest, image.root.digest);
      assert.deepEqual(pulled.config.environment, ["PATH=/bin", "A=1"]);
      assert.deepEqual(resolved, [image.root.digest]);
      const bytesTotal = image.blobs.slice(1).reduce((sum, { bytes }) => sum + bytes.length, 0);
      assert.deepEqual(progress.at(-1), {
        layersDone: 3,
        layers: 3,
        bytes: bytesTotal,
        bytesTotal,
      });
      assert.deepEqual(await real.runtime.findImage(reference), pulled);
      const id = `${kind}${compression}-a`;
      const ran = await real.run(id, "cat /greeting; wc -c < /noise", { image: pulled.name });
      assert.equal(ran.output, `hello ${compression}3000000\n`);
    });
  }
}

test("of an index, the image for this machine is taken; the index is what the name stands for", {
  skip,
}, async () => {
  const ours = await imageContent({ layers: [{ "/which": "ours" }] });
  const foreign = await imageContent({ architecture: "s390x", layers: [{ "/which": "foreign" }] });
  const index = indexContent([
    { image: foreign, architecture: "s390x" },
    { image: ours, architecture: ARCHITECTURE },
  ]);
  await registry.push("many:1", index);
  const pulled = await real.runtime.pullImage(`${registry.host}/many:1`, { signal: never });
  assert.equal(pulled.digest, index.root.digest);
  assert.equal((await real.run("many-a", "cat /which", { image: pulled.name })).output, "ours");
  for (const [id, digest] of [
    ["many-b", index.root.digest],
    ["many-c", ours.root.digest],
  ] as const) {
    const byDigest = `${registry.host}/many@${digest}`;
    const again = await real.runtime.pullImage(byDigest, { signal: never });
    assert.deepEqual([again.name, again.digest], [byDigest, digest]);
    assert.equal((await real.run(id, "cat /which", { image: again.name })).output, "ours");
  }
  assert.equal(await real.client.content.exists(foreign.root.digest), false);
});

test("a tag that moved is pulled anew, one that did not is not", { skip }, async () => {
  const [first, second] = [
    await imageContent({ environment: ["V=1"] }),
    await imageContent({ environment: ["V=2"] }),
  ];
  const reference = `${registry.host}/moving:1`;
  await registry.push("moving:1", first);
  const before = await real.runtime.pullImage(reference, { signal: never });
  assert.deepEqual(await real.runtime.pullImage(reference, { signal: never }), before);
  await registry.push("moving:1", second);
  const after = await real.runtime.pullImage(reference, { signal: never });
  assert.equal(after.digest, second.root.digest);
  assert.deepEqual((await real.runtime.findImage(reference))?.config.environment, [
    "PATH=/bin",
    "V=2",
  ]);
});

test("what is not there is said as Docker says it", { skip }, async () => {
  await registry.push("there:1", await imageContent());
  const cases: readonly [string, RegExp][] = [
    [
      `${registry.host}/there:2`,
      /^manifest for .*\/there:2 not found: manifest unknown: manifest unknown$/,
    ],
    [`${registry.host}/nowhere:1`, /^(manifest for|repository) .*\/nowhere.* not found: /],
    ["NO", /^invalid reference format/],
  ];
  for (const [reference, message] of cases) {
    await assert.rejects(real.runtime.pullImage(reference, { signal: never }), (error) => {
      assert.ok(error instanceof PullError, String(error));
      assert.match(error.message, message);
      assert.equal(error.stage, "manifest");
      return true;
    });
  }
});

test("many pulls of one image and of images with the same layers leave one of each", {
  skip,
}, async () => {
  const shared = { "/shared": noise(2_000_000) };
  const names = ["same/a:1", "same/b:1", "same/c:1"];
  for (const name of names) {
    const own = { "/own": name };
    await registry.push(name, await imageContent({ layers: [shared, own] }));
  }
  const pulls = [...names, ...names, ...names].map((name) =>
    real.runtime.pullImage(`${registry.host}/${name}`, { signal: never }),
  );
  const images = await Promise.all(pulls);
  assert.equal(new Set(images.map(({ digest }) => digest)).size, 3);
  assert.deepEqual(await real.client.leases.list(), []);
  const ran = await real.run("same-a", "cat /own", { image: images[1]?.name ?? "" });
  assert.equal(ran.output, "same/b:1");
});
