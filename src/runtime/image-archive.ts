/** What images an archive holds: an OCI image layout (index.json) or what `docker save` writes (manifest.json). */
import { createHash } from "node:crypto";
import type { ArchiveFiles } from "./archive.ts";
import type { Descriptor } from "./containerd/messages.ts";
import {
  checkLayers,
  INDEX_DEPTH_MAX,
  type IndexEntry,
  isIndex,
  MANIFEST_BYTES_MAX,
  parseImageDocument,
  parseIndex,
  parseManifest,
} from "./image-documents.ts";
import { type Platform, suits } from "./platform.ts";
import { formatReference, parseReference } from "./reference.ts";
import { ImageError } from "./runtime.ts";

/** An image for this machine, with where to find its parts in the archive. */
export interface ArchiveImage {
  /** Full names. */
  readonly names: readonly string[];
  readonly manifest: Descriptor;
  readonly manifestBytes: Buffer;
  readonly config: Part;
  readonly layers: readonly Part[];
}

export interface Part {
  readonly descriptor: Descriptor;
  /** Name in the archive. */
  readonly file: string;
}

interface ArchiveEntry extends IndexEntry {
  readonly annotations?: Readonly<Record<string, string>>;
}

const NAME_ANNOTATIONS = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
const DOCKER = "application/vnd.docker";

/** Every named image of the archive, for this platform. Throws ImageError with what is wrong. */
export async function readArchiveImages(
  files: ArchiveFiles,
  platform: Platform,
): Promise<readonly ArchiveImage[]> {
  if (files.size("index.json") !== undefined) return readOciLayout(files, platform);
  if (files.size("manifest.json") !== undefined) return readDockerArchive(files, platform);
  throw new ImageError(
    "no container image in the archive: neither index.json (OCI layout) nor manifest.json (docker save)",
  );
}

async function readOciLayout(
  files: ArchiveFiles,
  platform: Platform,
): Promise<readonly ArchiveImage[]> {
  const byName = new Map<string, ArchiveEntry[]>();
  for (const entry of await readIndex(files, "index.json")) {
    const written = NAME_ANNOTATIONS.map((key) => entry.annotations?.[key]).find(Boolean);
    if (written === undefined) continue;
    const name = fullName(written);
    byName.set(name, [...(byName.get(name) ?? []), entry]);
  }
  if (byName.size === 0) {
    throw new ImageError(
      "the archive does not say its image's name: the entries of index.json lack the annotation org.opencontainers.image.ref.name",
    );
  }
  const images: ArchiveImage[] = [];
  for (const [name, entries] of byName) {
    images.push(await readOciImage(files, platform, name, entries));
  }
  return images;
}

async function readOciImage(
  files: ArchiveFiles,
  platform: Platform,
  name: string,
  entries: readonly ArchiveEntry[],
): Promise<ArchiveImage> {
  const seen = new Set<string>();
  for (const entry of await flatten(files, entries, 0)) {
    if (entry.platform?.os !== undefined && !suits(entry.platform, platform)) {
      seen.add(`${entry.platform.os}/${entry.platform.architecture}`);
      continue;
    }
    const manifestBytes = await files.read(blobFile(entry.digest), MANIFEST_BYTES_MAX);
    const manifest = parseManifest(manifestBytes);
    const configFile = blobFile(manifest.config.digest);
    const config = parseImageDocument(await files.read(configFile, MANIFEST_BYTES_MAX));
    if (!suits(config, platform)) {
      seen.add(`${config.os}/${config.architecture}`);
      continue;
    }
    const part = (descriptor: Descriptor): Part => ({
      descriptor,
      file: blobFile(descriptor.digest),
    });
    const layers = manifest.layers.map(part);
    checkLayers(name, layers, config.diffIds);
    const { mediaType, digest } = entry;
    return {
      names: [name],
      manifest: { mediaType, digest, size: manifestBytes.length },
      manifestBytes,
      config: part(manifest.config),
      layers,
    };
  }
  throw wrongPlatform(name, platform, seen);
}

/** The manifests below these entries, in order. */
async function flatten(
  files: ArchiveFiles,
  entries: readonly ArchiveEntry[],
  depth: number,
): Promise<readonly ArchiveEntry[]> {
  if (depth > INDEX_DEPTH_MAX) throw new ImageError("index.json: indexes are nested too deeply");
  const flat: ArchiveEntry[] = [];
  for (const entry of entries) {
    if (!isIndex(entry)) flat.push(entry);
    // An archive made for one platform may leave out the others' indexes altogether.
    else if (files.size(blobFile(entry.digest)) !== undefined) {
      flat.push(
        ...(await flatten(files, await readIndex(files, blobFile(entry.digest)), depth + 1)),
      );
    }
  }
  return flat;
}

async function readIndex(files: ArchiveFiles, file: string): Promise<readonly ArchiveEntry[]> {
  return parseIndex(file, await files.read(file, MANIFEST_BYTES_MAX));
}

async function readDockerArchive(
  files: ArchiveFiles,
  platform: Platform,
): Promise<readonly ArchiveImage[]> {
  const entries = parseJson("manifest.json", await files.read("manifest.json", MANIFEST_BYTES_MAX));
  if (!Array.isArray(entries)) throw new ImageError("manifest.json is not a list of images");
  const images: ArchiveImage[] = [];
  for (const { Config, RepoTags, Layers } of entries) {
    if (typeof Config !== "string" || !Array.isArray(Layers)) {
      throw new ImageError("manifest.json: an image lacks Config or Layers");
    }
    const names = ((RepoTags ?? []) as string[]).map(fullName);
    if (names.length > 0)
      images.push(await readDockerImage(files, platform, names, Config, Layers));
  }
  if (images.length === 0) {
    throw new ImageError(
      "the archive does not say its image's name: RepoTags is empty in manifest.json",
    );
  }
  return images;
}

/** Gives the image the manifest it would have in a registry. */
async function readDockerImage(
  files: ArchiveFiles,
  platform: Platform,
  names: readonly string[],
  configFile: string,
  layerFiles: readonly string[],
): Promise<ArchiveImage> {
  const document = parseImageDocument(await files.read(configFile, MANIFEST_BYTES_MAX));
  const name = names.join(", ");
  if (!suits(document, platform)) {
    const found = new Set([`${document.os}/${document.architecture}`]);
    throw wrongPlatform(name, platform, found);
  }
  const config = await describe(files, configFile, () => `${DOCKER}.container.image.v1+json`);
  const layers: Part[] = [];
  for (const file of layerFiles) {
    layers.push(
      await describe(files, file, (isGzip) => {
        return `${DOCKER}.image.rootfs.diff.tar${isGzip ? ".gzip" : ""}`;
      }),
    );
  }
  checkLayers(name, layers, document.diffIds);
  const mediaType = `${DOCKER}.distribution.manifest.v2+json`;
  const manifestBytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: config.descriptor,
      layers: layers.map(({ descriptor }) => descriptor),
    }),
  );
  const digest = `sha256:${createHash("sha256").update(manifestBytes).digest("hex")}`;
  const manifest = { mediaType, digest, size: manifestBytes.length };
  return { names, manifest, manifestBytes, config, layers };
}

/** Reads a file once for its digest. */
async function describe(
  files: ArchiveFiles,
  file: string,
  mediaType: (isGzip: boolean) => string,
): Promise<Part> {
  const hash = createHash("sha256");
  let size = 0;
  let isGzip = false;
  for await (const chunk of files.open(file)) {
    if (size === 0) isGzip = chunk[0] === 0x1f && chunk[1] === 0x8b;
    hash.update(chunk);
    size += chunk.length;
  }
  const digest = `sha256:${hash.digest("hex")}`;
  return { file, descriptor: { mediaType: mediaType(isGzip), digest, size } };
}

function wrongPlatform(
  name: string,
  { os, architecture }: Platform,
  seen: Set<string>,
): ImageError {
  const found = seen.size === 0 ? "nothing" : [...seen].join(", ");
  return new ImageError(
    `${name} is not for this machine: need ${os}/${architecture}, found ${found}`,
  );
}

function fullName(written: string): string {
  const reference = parseReference(written);
  if (reference === undefined) throw new ImageError(`"${written}" is not an image's name`);
  return formatReference(reference);
}

function blobFile(digest: string): string {
  const [, hex] = /^sha256:([0-9a-f]{64})$/.exec(digest) ?? [];
  if (hex === undefined) throw new ImageError(`unsupported digest "${digest}"`);
  return `blobs/sha256/${hex}`;
}

// biome-ignore lint/suspicious/noExplicitAny: a foreign document; each use checks what it takes.
function parseJson(file: string, bytes: Buffer): any {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw new ImageError(`${file} is not JSON`, { cause: error });
  }
}
