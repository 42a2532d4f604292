import { createHash } from "node:crypto";
import { Permits } from "../lib/turns.ts";
import type { Descriptor } from "./containerd/messages.ts";
import {
  checkLayers,
  type ImageDocument,
  INDEX_DEPTH_MAX,
  isIndex,
  MANIFEST_BYTES_MAX,
  parseImageDocument,
  parseIndex,
  parseManifest,
} from "./image-documents.ts";
import type { Document, ImageStore } from "./image-store.ts";
import { suits, THIS_PLATFORM } from "./platform.ts";
import type { PullProgress } from "./pull.ts";
import type { Repository } from "./registry/repository.ts";
import { type Image, ImageError } from "./runtime.ts";

export interface Fetch {
  readonly repository: Repository;
  readonly store: ImageStore;
  readonly lease: string;
  readonly onProgress: (progress: PullProgress) => void;
  readonly signal: AbortSignal;
}

/** Docker: layers of one image fetched at a time. */
const CONCURRENT_LAYERS_MAX = 3;
/** containerd takes messages of up to 16 MiB; larger pieces than this are not faster. */
const PIECE_BYTES = 1024 * 1024;
const CONFIG_TYPES = new Set([
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
  "application/octet-stream",
]);
const OCI_LAYER = "application/vnd.oci.image.layer.v1.tar";
const DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar";
/** Media type of a layer → the one of its kind that every containerd knows. */
const LAYER_TYPES: Readonly<Record<string, string>> = {
  [OCI_LAYER]: OCI_LAYER,
  [`${OCI_LAYER}+gzip`]: `${OCI_LAYER}+gzip`,
  [`${OCI_LAYER}+zstd`]: `${OCI_LAYER}+zstd`,
  [DOCKER_LAYER]: DOCKER_LAYER,
  [`${DOCKER_LAYER}.gzip`]: `${DOCKER_LAYER}.gzip`,
  [`${DOCKER_LAYER}.zstd`]: `${OCI_LAYER}+zstd`,
};

/** Brings in the image behind `target`, as far as it is not here, and points `name` at it. */
export async function fetchImage(fetch: Fetch, name: string, target: Descriptor): Promise<Image> {
  const { repository, signal, store, lease } = fetch;
  const { indexes, manifest } = await findManifest(fetch, target);
  const parts = parseManifest(manifest.bytes);
  checkTypes(parts.config, parts.layers);
  const configBytes = await readSmall(repository.blob(parts.config, signal), parts.config);
  const document = parseImageDocument(configBytes);
  if (!suits(document, THIS_PLATFORM)) throw wrongPlatform([document]);
  checkLayers(name, parts.layers, document.diffIds);
  await fetchLayers(fetch, parts.layers, document);
  await store.writeManifest(lease, {
    manifest,
    parts,
    config: async function* () {
      yield configBytes;
    },
    diffIds: document.diffIds,
  });
  let child = manifest.descriptor.digest;
  for (const index of indexes.toReversed()) {
    await store.writeIndex(lease, index, child);
    child = index.descriptor.digest;
  }
  signal.throwIfAborted();
  await store.putName(lease, name, target, "pulled");
  return { name, digest: target.digest, origin: "pulled", config: document.config };
}

/** The manifest for this machine, and the indexes that lead to it. */
async function findManifest(
  { repository, signal }: Fetch,
  target: Descriptor,
): Promise<{ indexes: readonly Document[]; manifest: Document & { bytes: Buffer } }> {
  const indexes: Document[] = [];
  for (let next = target; ; ) {
    const { bytes, mediaType: said } = await repository.manifest(next.digest, signal);
    const mediaType = typeOf(bytes) ?? said;
    if (/manifest\.v1\+(prettyjws|json)$/.test(mediaType) && mediaType.includes("docker")) {
      throw new ImageError(
        `unsupported manifest media type ${mediaType}: Docker's schema 1 is no longer in use, push the image again with a current tool`,
      );
    }
    const descriptor = { mediaType, digest: next.digest, size: bytes.length };
    if (!isIndex(descriptor)) return { indexes, manifest: { descriptor, bytes } };
    indexes.push({ descriptor, bytes });
    if (indexes.length > INDEX_DEPTH_MAX) throw new ImageError("indexes are nested too deeply");
    const entries = parseIndex("the image's index", bytes);
    const found = entries.find(({ platform }) => suits(platform ?? THIS_PLATFORM, THIS_PLATFORM));
    if (found === undefined) throw wrongPlatform(entries.map(({ platform }) => platform ?? {}));
    next = found;
  }
}

/** What a document says of itself: registries may label it wrongly, and indexes inside indexes come without a label. */
function typeOf(bytes: Buffer): string | undefined {
  try {
    const { mediaType, manifests } = JSON.parse(bytes.toString("utf8")) as Record<string, unknown>;
    if (typeof mediaType === "string") return mediaType;
    return Array.isArray(manifests) ? "application/vnd.oci.image.index.v1+json" : undefined;
  } catch {
    return undefined;
  }
}

function checkTypes(config: Descriptor, layers: readonly Descriptor[]): void {
  if (!CONFIG_TYPES.has(config.mediaType)) {
    throw new ImageError(
      `unsupported media type ${config.mediaType}: this is an artifact, not a container image`,
    );
  }
  if (config.size > MANIFEST_BYTES_MAX) {
    throw new ImageError(`the image's configuration is larger than ${MANIFEST_BYTES_MAX} bytes`);
  }
  for (const { mediaType } of layers) {
    if (Object.hasOwn(LAYER_TYPES, mediaType)) continue;
    const isForeign = /foreign|nondistributable/.test(mediaType);
    const why = isForeign ? ": foreign layers are not in the registry" : "";
    throw new ImageError(`unsupported layer media type ${mediaType}${why}`);
  }
}

/** Some layers are downloaded side by side; they are unpacked in order, the first while the others still come. */
async function fetchLayers(
  fetch: Fetch,
  layers: readonly Descriptor[],
  { diffIds }: ImageDocument,
): Promise<void> {
  const { lease, onProgress, repository, store } = fetch;
  const over = new AbortController();
  const signal = AbortSignal.any([fetch.signal, over.signal]);
  const permits = new Permits(CONCURRENT_LAYERS_MAX);
  const bytesTotal = layers.reduce((sum, { size }) => sum + size, 0);
  const bytesOf = layers.map(() => 0);
  let layersDone = 0;
  const report = (): void => {
    const bytes = bytesOf.reduce((sum, count) => sum + count, 0);
    onProgress({ layersDone, layers: layers.length, bytes, bytesTotal });
  };
  const download = (layer: Descriptor, index: number): Promise<void> =>
    permits.use(async () => {
      signal.throwIfAborted();
      const counted = (bytes: number): void => {
        bytesOf[index] = bytes;
        report();
      };
      await store.writeBlob(lease, {
        what: `layer ${layer.digest}`,
        digest: layer.digest,
        size: layer.size,
        open: () => inPieces(repository.blob(layer, signal), counted),
      });
      counted(layer.size);
    });
  report();
  const downloads = layers.map(async (layer, index) => {
    // The first that fails ends them all, and is what they fail of.
    await download(layer, index).catch((error) => over.abort(error));
  });
  try {
    for (const [index, layer] of layers.entries()) {
      await downloads[index];
      signal.throwIfAborted();
      const mediaType = LAYER_TYPES[layer.mediaType] ?? layer.mediaType;
      await store.unpack(lease, { ...layer, mediaType }, diffIds, index);
      layersDone++;
      report();
    }
  } finally {
    over.abort();
    await Promise.all(downloads);
  }
}

/** Gathers the network's small chunks: each piece costs containerd a message and an answer. */
async function* inPieces(
  chunks: AsyncIterable<Buffer>,
  counted: (bytes: number) => void,
): AsyncIterable<Uint8Array> {
  let gathered: Buffer[] = [];
  let length = 0;
  let total = 0;
  for await (const chunk of chunks) {
    gathered.push(chunk);
    length += chunk.length;
    total += chunk.length;
    if (length < PIECE_BYTES) continue;
    yield Buffer.concat(gathered, length);
    counted(total);
    gathered = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(gathered, length);
}

async function readSmall(
  chunks: AsyncIterable<Buffer>,
  { digest, size }: Descriptor,
): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  const bytes = Buffer.concat(all);
  const found = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  if (bytes.length !== size || found !== digest) {
    throw new ImageError(`the image's configuration is corrupt: ${found} instead of ${digest}`);
  }
  return bytes;
}

function wrongPlatform(
  seen: readonly { readonly os?: string; readonly architecture?: string }[],
): ImageError {
  const { os, architecture } = THIS_PLATFORM;
  const found = [...new Set(seen.map((one) => `${one.os}/${one.architecture}`))].join(", ");
  return new ImageError(
    `no matching manifest for ${os}/${architecture} in the manifest list entries (found ${found})`,
  );
}
