/** Pulls into a real containerd from a registry that fails: nothing of them is left. Skips where containers cannot run. */
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";
import { afterEach, before, beforeEach, test } from "node:test";
import { FakeRegistry } from "../../test/images/fake-registry.ts";
import {
  blobOf,
  descriptorOf,
  type ImageContent,
  imageContent,
  indexContent,
  jsonBlob,
  noise,
} from "../../test/images/image-content.ts";
import { eventually, useRealRuntime } from "../../test/images/real-runtime.ts";
import { PullError } from "./pull.ts";

const real = await useRealRuntime();
const { skip } = real;
const never = new AbortController().signal;
let registry: FakeRegistry;
let snapshotsBefore: unknown;

before(async () => {
  if (skip !== false) return;
  snapshotsBefore = await real.client.snapshots.list();
});
beforeEach(async () => {
  registry = await FakeRegistry.start();
});
afterEach(async () => registry[Symbol.asyncDispose]());

async function failureOf(name: string, signal = never): Promise<PullError> {
  const error = await real.runtime.pullImage(`${registry.host}/${name}`, { signal }).then(
    () => assert.fail("it succeeded"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof PullError, String(error));
  return error;
}

/** No lease, name, blob, upload or snapshot of the image. */
async function assertNothingLeft(image: ImageContent): Promise<void> {
  assert.deepEqual(await real.client.leases.list(), []);
  for (const { digest } of [...image.manifests, ...image.blobs.slice(2)]) {
    assert.equal(await real.client.content.exists(digest), false, digest);
  }
  await eventually("no snapshot is left", async () => {
    const now = await real.client.snapshots.list();
    return JSON.stringify(now) === JSON.stringify(snapshotsBefore);
  });
  const ingest = join(real.directory, "containerd/root/io.containerd.content.v1.content/ingest/*");
  await eventually("no upload is left", () => globSync(ingest).length === 0);
}

test("a layer whose bytes are others than its digest says", { skip }, async () => {
  const image = await imageContent({ layers: [{ "/a": noise(2_000_000) }, { "/b": "b" }] });
  registry.put("corrupt:1", image);
  const [, , large] = image.blobs;
  registry.handle = ({ path }, response) => {
    if (large === undefined || !path.endsWith(large.digest)) return false;
    const bytes = Buffer.from(large.bytes);
    bytes.writeUInt8(bytes.readUInt8(1_000_000) ^ 1, 1_000_000);
    response.end(bytes);
    return true;
  };
  const error = await failureOf("corrupt:1");
  assert.match(error.message, /^layer sha256:.* is corrupt: /);
  assert.deepEqual([error.failure, error.stage], ["unusable", "content"]);
  await assertNothingLeft(image);
});

test("a layer whose content is another than the configuration says", { skip }, async () => {
  const [image, other] = [
    await imageContent({ layers: [{ "/a": "a" }] }),
    await imageContent({ layers: [{ "/b": "b" }] }),
  ];
  const [config, base] = image.blobs;
  const layer = other.blobs[2];
  assert.ok(config && base && layer);
  const root = jsonBlob(image.root.mediaType, {
    schemaVersion: 2,
    mediaType: image.root.mediaType,
    config: descriptorOf(config),
    layers: [descriptorOf(base), descriptorOf(layer)],
  });
  const forged = { root, manifests: [root], blobs: [config, base, layer] };
  registry.put("forged:1", forged);
  assert.match((await failureOf("forged:1")).message, /^layer 2 is corrupt: its content is /);
  await assertNothingLeft(forged);
});

test("a pull that is aborted in the middle of a layer", { skip }, async () => {
  const image = await imageContent({ layers: [{ "/a": noise(4_000_000) }] });
  registry.put("aborted:1", image);
  const abort = new AbortController();
  const [, , large] = image.blobs;
  registry.handle = ({ path }, response) => {
    if (large === undefined || !path.endsWith(large.digest)) return false;
    response.writeHead(200, { "content-length": large.bytes.length });
    response.write(large.bytes.subarray(0, 3_000_000));
    setTimeout(() => abort.abort(new Error("stopped")), 200);
    return true;
  };
  const reference = `${registry.host}/aborted:1`;
  await assert.rejects(
    real.runtime.pullImage(reference, { signal: abort.signal }),
    /^Error: stopped$/,
  );
  await eventually(
    "the pull has ended",
    async () => (await real.client.leases.list()).length === 0,
  );
  await assertNothingLeft(image);
  registry.handle = () => false;
  await real.runtime.pullImage(reference, { signal: never });
  await real.client.images.delete(reference);
  await assertNothingLeft(image);
});

test("one who leaves a shared pull does not end it for the other", { skip }, async () => {
  const image = await imageContent({ layers: [{ "/a": noise(500_000) }] });
  registry.put("shared:1", image);
  const { promise: gate, resolve: openGate } = Promise.withResolvers<void>();
  const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
  registry.handle = async ({ path }) => {
    if (!path.includes("/blobs/")) return false;
    onAsked();
    await gate;
    return false;
  };
  const reference = `${registry.host}/shared:1`;
  const abort = new AbortController();
  const leaver = real.runtime.pullImage(reference, { signal: abort.signal });
  const stayer = real.runtime.pullImage(reference, { signal: never });
  await asked;
  // Both have asked for the right to it, and wait for one and the same fetch.
  await eventually("both have joined", () => {
    return registry.seen.filter(({ method }) => method === "HEAD").length === 2;
  });
  abort.abort(new Error("leaves"));
  await assert.rejects(leaver, /^Error: leaves$/);
  openGate();
  assert.equal((await stayer).digest, image.root.digest);
  assert.equal(registry.blobRequests.length, image.blobs.length);
  await real.client.images.delete(reference);
  await assertNothingLeft(image);
});

test("a layer whose connection breaks is still whole", { skip }, async () => {
  const image = await imageContent({ layers: [{ "/a": noise(3_000_000) }] });
  registry.put("broken:1", image);
  const [, , large] = image.blobs;
  let breaks = 3;
  registry.handle = ({ path, range }, response) => {
    if (large === undefined || !path.endsWith(large.digest) || breaks-- <= 0) return false;
    const from = Number(/=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
    const rest = large.bytes.subarray(from);
    const all = large.bytes.length;
    response.writeHead(from > 0 ? 206 : 200, {
      "content-length": rest.length,
      ...(from > 0 && { "content-range": `bytes ${from}-${all - 1}/${all}` }),
    });
    response.write(rest.subarray(0, 700_000), () => response.destroy());
    return true;
  };
  const reference = `${registry.host}/broken:1`;
  const { name } = await real.runtime.pullImage(reference, { signal: never });
  assert.equal((await real.run("broken-a", "wc -c < /a", { image: name })).output, "3000000\n");
  await real.client.images.delete(reference);
  await assertNothingLeft(image);
});

test("what is no image for this machine is named", { skip }, async () => {
  const plain = await imageContent();
  const foreign = await imageContent({
    layerType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
  });
  const odd = await imageContent({ layerType: "application/vnd.example.layer" });
  const other = await imageContent({ architecture: "s390x" });
  const chart = jsonBlob("application/vnd.cncf.helm.config.v1+json", {});
  const artifact = jsonBlob("application/vnd.oci.image.manifest.v1+json", {
    schemaVersion: 2,
    config: descriptorOf(chart),
    layers: [],
  });
  const schema1 = blobOf(
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    Buffer.from('{"schemaVersion":1}'),
  );
  const path = jsonBlob("application/vnd.oci.image.manifest.v1+json", {
    config: { ...descriptorOf(chart), digest: "sha256:../../../etc/passwd" },
    layers: [],
  });
  const lone = (root: typeof artifact): ImageContent => ({
    root,
    manifests: [root],
    blobs: [chart],
  });
  const cases: readonly [ImageContent, RegExp][] = [
    [foreign, /^unsupported layer media type .*foreign.*: foreign layers are not in the registry$/],
    [odd, /^unsupported layer media type application\/vnd\.example\.layer$/],
    [
      other,
      /^no matching manifest for linux\/\w+ in the manifest list entries \(found linux\/s390x\)$/,
    ],
    [indexContent([{ image: plain, architecture: "s390x" }]), /^no matching manifest for linux/],
    [
      lone(artifact),
      /^unsupported media type .*helm.*: this is an artifact, not a container image$/,
    ],
    [lone(schema1), /schema 1 is no longer in use/],
    [lone(path), /unsupported digest/],
    [
      lone(blobOf("application/vnd.oci.image.manifest.v1+json", Buffer.from("[]"))),
      /is not a JSON object$/,
    ],
  ];
  for (const [content, expected] of cases) {
    registry.put("strange:1", content);
    const error = await failureOf("strange:1");
    assert.match(error.message, expected);
    assert.equal(error.failure, "unusable");
    await assertNothingLeft({ ...content, blobs: [] });
  }
});
