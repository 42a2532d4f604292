import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { pack } from "tar-stream";
import { busyboxImage } from "../../scripts/busybox-image.ts";
import { openArchive } from "./archive.ts";
import { type ArchiveImage, readArchiveImages } from "./image-archive.ts";
import { ImageError } from "./runtime.ts";

const PLATFORM = { os: "linux", architecture: "amd64" };
const hasBusybox = await readFile("/bin/busybox").then(
  () => true,
  () => false,
);
const skip = hasBusybox ? false : "needs /bin/busybox";
let directory = "";

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "gantry-archive-"));
});
after(() => rm(directory, { recursive: true }));

async function* chunksOf(bytes: Uint8Array, size = 65_536): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function imagesOf(bytes: Uint8Array, size?: number): Promise<readonly ArchiveImage[]> {
  const files = await openArchive(chunksOf(bytes, size), directory);
  try {
    return await readArchiveImages(files, PLATFORM);
  } finally {
    await files.close();
  }
}

async function built(options: Omit<Parameters<typeof busyboxImage>[0], "file">): Promise<Buffer> {
  const file = join(directory, "built.tar");
  await busyboxImage({ file, architecture: "amd64", ...options });
  return readFile(file);
}

type Entry = string | { link: string };

async function tar(entries: Readonly<Record<string, Entry>>): Promise<Buffer> {
  const archive = pack();
  for (const [name, entry] of Object.entries(entries)) {
    if (typeof entry === "string") archive.entry({ name }, entry);
    else archive.entry({ name, type: "symlink", linkname: entry.link });
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** An OCI layout from documents: `blob` stores one and gives its descriptor. */
function layout() {
  const files: Record<string, string> = {};
  const blob = (mediaType: string, document: object) => {
    const text = JSON.stringify(document);
    const hex = createHash("sha256").update(text).digest("hex");
    files[`blobs/sha256/${hex}`] = text;
    return { mediaType, digest: `sha256:${hex}`, size: text.length };
  };
  const image = (architecture: string) => {
    const config = blob("application/vnd.oci.image.config.v1+json", {
      architecture,
      os: "linux",
      rootfs: { type: "layers", diff_ids: [] },
    });
    const manifest = { schemaVersion: 2, config, layers: [] };
    const descriptor = blob("application/vnd.oci.image.manifest.v1+json", manifest);
    return { ...descriptor, platform: { os: "linux", architecture } };
  };
  const index = (manifests: object[]) =>
    blob("application/vnd.oci.image.index.v1+json", { schemaVersion: 2, manifests });
  const done = (manifests: object[]) =>
    tar({ ...files, "index.json": JSON.stringify({ schemaVersion: 2, manifests }) });
  return { image, index, done };
}

const named = (name: string) => ({ annotations: { "org.opencontainers.image.ref.name": name } });

function refuses(bytes: Promise<Uint8Array>, message: RegExp): Promise<void> {
  return assert.rejects(
    bytes.then((whole) => imagesOf(whole)),
    (error) => {
      assert.ok(error instanceof ImageError, String(error));
      assert.match(error.message, message);
      return true;
    },
  );
}

test("equal options give an equal image, byte for byte", { skip }, async () => {
  const options = { names: ["a"], files: { "/x/y": "z" }, format: "docker" } as const;
  assert.deepEqual(await built(options), await built(options));
});

test("an OCI layout and a docker-archive give the same layers, gzip'd or not", {
  skip,
}, async () => {
  const oci = await built({ names: ["hello", "hello:v2"] });
  const docker = await built({ names: ["hello", "hello:v2"], format: "docker" });
  const fromOci = await imagesOf(oci);
  const fromDocker = await imagesOf(gzipSync(docker, { level: 1 }), 4097);
  const names = ["docker.io/library/hello:latest", "docker.io/library/hello:v2"];
  assert.deepEqual(
    fromOci.flatMap((image) => image.names),
    names,
  );
  assert.deepEqual(
    fromDocker.map((image) => image.names),
    [names],
  );
  const digests = (image?: ArchiveImage) => image?.layers.map((layer) => layer.descriptor.digest);
  assert.deepEqual(digests(fromDocker[0]), digests(fromOci[0]));
  assert.deepEqual(fromDocker[0]?.config.descriptor.digest, fromOci[0]?.config.descriptor.digest);
  assert.deepEqual(await readdir(directory), ["built.tar"], "nothing is left of the spool");
});

test("docker save's links between equal layers are followed", async () => {
  const config = { architecture: "amd64", os: "linux", rootfs: { diff_ids: ["a", "b"] } };
  const manifest = [{ Config: "c.json", RepoTags: ["x"], Layers: ["1/layer.tar", "2/layer.tar"] }];
  const bytes = await tar({
    "./1/layer.tar": "layer",
    "2/layer.tar": { link: "../1/layer.tar" },
    "c.json": JSON.stringify(config),
    "manifest.json": JSON.stringify(manifest),
  });
  const [image] = await imagesOf(gzipSync(bytes), 1);
  assert.equal(image?.layers[0]?.descriptor.digest, image?.layers[1]?.descriptor.digest);
});

test("of an image for several platforms this machine's is taken, however deep", async () => {
  const { image, index, done } = layout();
  const wanted = image("amd64");
  const outer = index([index([image("arm64"), wanted])]);
  const [found] = await imagesOf(await done([{ ...outer, ...named("multi:1") }]));
  assert.deepEqual(found?.names, ["docker.io/library/multi:1"]);
  assert.equal(found?.manifest.digest, wanted.digest);
});

test("what is wrong with an archive is said", async () => {
  const { image, done } = layout();
  const arm = { ...image("arm64"), ...named("arm") };
  await refuses(
    done([arm]),
    /arm:latest is not for this machine: need linux\/amd64, found linux\/arm64/,
  );
  await refuses(done([image("amd64")]), /does not say its image's name/);
  await refuses(
    done([{ ...image("amd64"), ...named("Bad Name") }]),
    /"Bad Name" is not an image's name/,
  );
  await refuses(tar({ "README.md": "hello" }), /no container image in the archive/);
  await refuses(tar({ "index.json": "{" }), /index.json is not a JSON object/);
  await refuses(tar({ "index.json": "{}" }), /"manifests" is not a list/);
  await refuses(Promise.resolve(Buffer.alloc(0)), /the archive is empty/);
  await refuses(Promise.resolve(Buffer.alloc(4096, "x")), /not a tar archive/);
  await refuses(Promise.resolve(Buffer.from("PK\u0003\u0004")), /not a complete tar archive/);
});

test("an archive cut off anywhere is refused as such, never half read", { skip }, async () => {
  const bytes = await built({ names: ["hello"] });
  const padding = 1024;
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: bytes.length - padding - 512 }), async (length) => {
      await assert.rejects(imagesOf(bytes.subarray(0, length)), (error) => {
        assert.ok(error instanceof ImageError, String(error));
        assert.match(error.message, /ends early|incomplete|empty|no container image/);
        return true;
      });
    }),
    { numRuns: 30 },
  );
});
