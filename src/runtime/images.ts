/** Images in containerd: found by name, brought in from archives and registries. */
import type { Clock } from "../lib/clock.ts";
import { openArchive } from "./archive.ts";
import type { Containerd } from "./containerd/client.ts";
import type { Descriptor, ImageRecord } from "./containerd/messages.ts";
import { type ArchiveImage, type Part, readArchiveImages } from "./image-archive.ts";
import {
  chainIds,
  type ImageDocument,
  type IndexEntry,
  isIndex,
  MANIFEST_BYTES_MAX,
  parseImageDocument,
  parseIndex,
  parseManifest,
} from "./image-documents.ts";
import { createImagePull, type ImagePullOptions } from "./image-pull.ts";
import { createImageStore, type ImageStore, originOf } from "./image-store.ts";
import { createLeases } from "./leases.ts";
import { suits, THIS_PLATFORM } from "./platform.ts";
import { formatReference, parseReference, type Reference } from "./reference.ts";
import { type Image, ImageError, type Runtime } from "./runtime.ts";

export interface Images {
  readonly find: Runtime["findImage"];
  readonly load: Runtime["loadImage"];
  readonly pull: Runtime["pullImage"];
  /** Name of the snapshot with the image's whole file system ("" for an image without layers); undefined: no such image. */
  findRootfs(name: string): Promise<string | undefined>;
  /** Lets go of what processes were bringing in that have died. */
  removeOrphans(): Promise<void>;
}

export interface ImagesOptions {
  readonly containerd: Containerd;
  /** Room for archives while they are read. */
  readonly spoolDirectory: string;
  readonly clock: Clock;
  readonly registries: ImagePullOptions["registries"];
}

/** The images of one containerd namespace. */
export function createImages(options: ImagesOptions): Images {
  const { containerd, spoolDirectory, clock } = options;
  const leases = createLeases(containerd, clock);
  const store = createImageStore(containerd);
  const imageOf = async (record: ImageRecord | undefined): Promise<Image | undefined> => {
    if (record === undefined) return undefined;
    const { name, target } = record;
    const { config } = await documentOf(containerd, target);
    return { name, digest: target.digest, origin: originOf(record), config };
  };
  return {
    find: async (text) => {
      const reference = parseReference(text);
      return imageOf(reference && (await findRecord(containerd, reference)));
    },
    findRootfs: async (name) => {
      const record = await containerd.images.get(name);
      if (record === undefined) return undefined;
      return chainIds((await documentOf(containerd, record.target)).diffIds).at(-1) ?? "";
    },
    load: async (archive, onProgress = () => undefined) => {
      onProgress("reading the archive");
      const files = await openArchive(archive, spoolDirectory);
      try {
        const images = await readArchiveImages(files, THIS_PLATFORM);
        return await leases.with("load", async (lease) => {
          const loaded: Image[] = [];
          for (const image of images) {
            loaded.push(...(await loadOne({ store, files, lease, onProgress }, image)));
          }
          return loaded;
        });
      } finally {
        await files.close();
      }
    },
    pull: createImagePull({
      ...options,
      leases,
      store,
      named: async (name) => imageOf(await containerd.images.get(name)),
    }),
    removeOrphans: () => leases.removeOrphans(),
  };
}

/** A digest decides where one is given; the tag beside it is then only a remark. */
async function findRecord(
  containerd: Containerd,
  reference: Reference,
): Promise<ImageRecord | undefined> {
  if (reference.digest === undefined) return containerd.images.get(formatReference(reference));
  const records = await containerd.images.listByDigest(reference.digest);
  const ours = records.filter(({ name }) => {
    const other = parseReference(name);
    return other?.registry === reference.registry && other.repository === reference.repository;
  });
  // A name by tag may point elsewhere a moment later.
  return ours.find(({ name }) => name.includes("@")) ?? ours[0];
}

/** The configuration behind a manifest, or behind that manifest of an index which is for this machine. */
async function documentOf(containerd: Containerd, target: Descriptor): Promise<ImageDocument> {
  const read = (digest: string): Promise<Buffer> =>
    containerd.content.read(digest, MANIFEST_BYTES_MAX);
  let bytes = await read(target.digest);
  for (let next: Descriptor = target; isIndex(next); ) {
    const found = await firstHere(containerd, parseIndex("the image's index", bytes));
    bytes = await read(found.digest);
    next = found;
  }
  return parseImageDocument(await read(parseManifest(bytes).config.digest));
}

/** Only the parts for this machine were brought in. */
async function firstHere(
  containerd: Containerd,
  entries: readonly IndexEntry[],
): Promise<IndexEntry> {
  for (const entry of entries) {
    const isOurs = entry.platform?.os === undefined || suits(entry.platform, THIS_PLATFORM);
    if (isOurs && (await containerd.content.exists(entry.digest))) return entry;
  }
  throw new ImageError("the image's index holds nothing for this machine");
}

interface Load {
  readonly store: ImageStore;
  readonly files: Awaited<ReturnType<typeof openArchive>>;
  readonly lease: string;
  readonly onProgress: (text: string) => void;
}

async function loadOne(load: Load, image: ArchiveImage): Promise<readonly Image[]> {
  const { store, files, lease, onProgress } = load;
  const document = parseImageDocument(await files.read(image.config.file, MANIFEST_BYTES_MAX));
  const [label = "image"] = image.names;
  for (const [index, layer] of image.layers.entries()) {
    onProgress(`${label}: layer ${index + 1} of ${image.layers.length} (${sizeText(layer)})`);
    await writeLayer(load, layer);
    await store.unpack(lease, layer.descriptor, document.diffIds, index);
  }
  checkSize(load, image.config);
  await store.writeManifest(lease, {
    manifest: { descriptor: image.manifest, bytes: image.manifestBytes },
    parts: {
      config: image.config.descriptor,
      layers: image.layers.map(({ descriptor }) => descriptor),
    },
    config: () => files.open(image.config.file),
    diffIds: document.diffIds,
  });
  for (const name of image.names) {
    await store.putName(lease, name, image.manifest, "loaded");
    onProgress(`${name}: loaded, ${image.manifest.digest}`);
  }
  const { digest } = image.manifest;
  const { config } = document;
  return image.names.map((name) => ({ name, digest, origin: "loaded", config }));
}

async function writeLayer(load: Load, layer: Part): Promise<void> {
  const { store, files, lease } = load;
  checkSize(load, layer);
  const { digest, size } = layer.descriptor;
  const open = (): AsyncIterable<Uint8Array> => files.open(layer.file);
  await store.writeBlob(lease, { what: layer.file, digest, size, open });
}

/** What is not in the archive may be here already: opening it says so if it is not. */
function checkSize({ files }: Load, { descriptor, file }: Part): void {
  const size = files.size(file);
  if (size !== undefined && size !== descriptor.size) {
    throw new ImageError(`${file} has ${size} bytes, its descriptor says ${descriptor.size}`);
  }
}

function sizeText({ descriptor }: Part): string {
  const mebibytes = descriptor.size / 1024 / 1024;
  return mebibytes < 1 ? `${Math.ceil(descriptor.size / 1024)} KiB` : `${mebibytes.toFixed(1)} MiB`;
}
