/** Images in containerd: found by name, brought in from archives, unpacked into snapshots. */
import type { Clock } from "../lib/clock.ts";
import { type ArchiveFiles, openArchive } from "./archive.ts";
import { type Containerd, SNAPSHOTTER } from "./containerd/client.ts";
import type { ImageRecord } from "./containerd/messages.ts";
import { detailsOf, isCode, Status, tolerating } from "./containerd/status.ts";
import { type ArchiveImage, type Part, type Platform, readArchiveImages } from "./image-archive.ts";
import {
  chainIds,
  type ImageDocument,
  MANIFEST_BYTES_MAX,
  parseImageDocument,
  parseManifest,
} from "./image-documents.ts";
import { formatReference, parseReference, type Reference } from "./reference.ts";
import { type Image, ImageError } from "./runtime.ts";

export interface Images {
  /** See `Runtime.findImage`. */
  find(reference: string): Promise<Image | undefined>;
  /** See `Runtime.loadImage`. */
  load(
    archive: AsyncIterable<Uint8Array>,
    onProgress?: (text: string) => void,
  ): Promise<readonly Image[]>;
  /** Name of the snapshot with the image's whole file system ("" for an image without layers); undefined: no such image. */
  findRootfs(name: string): Promise<string | undefined>;
}

export interface ImagesOptions {
  readonly containerd: Containerd;
  /** Room for archives while they are read. */
  readonly spoolDirectory: string;
  readonly clock: Clock;
}

const GO_ARCHITECTURE: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
/** After a crash in the middle of a load, what it brought so far is garbage this much later. */
const LEASE_MS = 24 * 60 * 60_000;

/** The images of one containerd namespace. */
export function createImages({ containerd, spoolDirectory, clock }: ImagesOptions): Images {
  const platform: Platform = {
    os: "linux",
    architecture: GO_ARCHITECTURE[process.arch] ?? process.arch,
  };
  let loadCount = 0;

  const documentOf = async (record: ImageRecord): Promise<ImageDocument> => {
    const read = (digest: string): Promise<Buffer> =>
      containerd.content.read(digest, MANIFEST_BYTES_MAX);
    const manifest = parseManifest(await read(record.target.digest));
    return parseImageDocument(await read(manifest.config.digest));
  };

  return {
    find: async (text) => {
      const reference = parseReference(text);
      const record = reference && (await findRecord(containerd, reference));
      if (record === undefined) return undefined;
      const { name, target } = record;
      return { name, digest: target.digest, config: (await documentOf(record)).config };
    },
    findRootfs: async (name) => {
      const record = await containerd.images.get(name);
      if (record === undefined) return undefined;
      return chainIds((await documentOf(record)).diffIds).at(-1) ?? "";
    },
    load: async (archive, onProgress = () => undefined) => {
      onProgress("reading the archive");
      const files = await openArchive(archive, spoolDirectory);
      const lease = `gantry-load-${clock.now()}-${++loadCount}`;
      try {
        const images = await readArchiveImages(files, platform);
        const expire = new Date(clock.now() + LEASE_MS).toISOString();
        await containerd.leases.create(lease, { "containerd.io/gc.expire": expire });
        const loaded: Image[] = [];
        for (const image of images) {
          loaded.push(...(await store({ containerd, files, lease, onProgress }, image)));
        }
        return loaded;
      } finally {
        await files.close();
        await containerd.leases.delete(lease);
      }
    },
  };
}

/** A digest decides where one is given; the tag beside it is then only a remark. */
async function findRecord(
  containerd: Containerd,
  reference: Reference,
): Promise<ImageRecord | undefined> {
  if (reference.digest === undefined) return containerd.images.get(formatReference(reference));
  const records = await containerd.images.listByDigest(reference.digest);
  return records.find(({ name }) => {
    const other = parseReference(name);
    return other?.registry === reference.registry && other.repository === reference.repository;
  });
}

interface Load {
  readonly containerd: Containerd;
  readonly files: ArchiveFiles;
  /** Keeps what is brought in from the garbage collector until a name points at it. */
  readonly lease: string;
  readonly onProgress: (text: string) => void;
}

/** Blobs first, then snapshots, the name last: a name never points at an image that is not whole. */
async function store(load: Load, image: ArchiveImage): Promise<readonly Image[]> {
  const { containerd, files, lease, onProgress } = load;
  const document = parseImageDocument(await files.read(image.config.file, MANIFEST_BYTES_MAX));
  const chain = chainIds(document.diffIds);
  const [label = "image"] = image.names;
  for (const [index, layer] of image.layers.entries()) {
    onProgress(`${label}: layer ${index + 1} of ${image.layers.length} (${sizeText(layer)})`);
    await writePart(load, layer, {});
    await unpack(load, layer, chain, index, document.diffIds);
  }
  const top = chain.at(-1);
  await writePart(
    load,
    image.config,
    top === undefined ? {} : { [`containerd.io/gc.ref.snapshot.${SNAPSHOTTER}`]: top },
  );
  await containerd.content.write(
    {
      digest: image.manifest.digest,
      size: image.manifest.size,
      labels: manifestLabels(image),
      open: async function* () {
        yield image.manifestBytes;
      },
    },
    lease,
  );
  for (const name of image.names) {
    await containerd.images.put({ name, labels: {}, target: image.manifest }, lease);
    onProgress(`${name}: loaded, ${image.manifest.digest}`);
  }
  const { digest } = image.manifest;
  return image.names.map((name) => ({ name, digest, config: document.config }));
}

/** How containerd's garbage collector finds what belongs to a manifest. */
function manifestLabels(image: ArchiveImage): Readonly<Record<string, string>> {
  const layers = image.layers.map(
    ({ descriptor }, index) =>
      [`containerd.io/gc.ref.content.l.${index}`, descriptor.digest] as const,
  );
  return {
    "containerd.io/gc.ref.content.config": image.config.descriptor.digest,
    ...Object.fromEntries(layers),
  };
}

async function writePart(
  { containerd, files, lease }: Load,
  { descriptor, file }: Part,
  labels: Readonly<Record<string, string>>,
): Promise<void> {
  const size = files.size(file);
  if (size === undefined && (await containerd.content.exists(descriptor.digest))) return;
  if (size !== undefined && size !== descriptor.size) {
    throw new ImageError(`${file} has ${size} bytes, its descriptor says ${descriptor.size}`);
  }
  try {
    await containerd.content.write(
      { digest: descriptor.digest, size: descriptor.size, labels, open: () => files.open(file) },
      lease,
    );
  } catch (error) {
    if (!isCode(error, Status.FAILED_PRECONDITION)) throw error;
    throw new ImageError(`${file} is corrupt: ${detailsOf(error)}`, { cause: error });
  }
}

/** Makes the snapshot of layers 0…index, unless it is there. */
async function unpack(
  { containerd, lease }: Load,
  { descriptor }: Part,
  chain: readonly string[],
  index: number,
  diffIds: readonly string[],
): Promise<void> {
  const name = chain[index] ?? "";
  if (await containerd.snapshots.has(name)) return;
  const key = `${lease}-${index}`;
  try {
    const mounts = await containerd.snapshots.prepare(key, chain[index - 1] ?? "", {}, { lease });
    const diffId = await containerd.applyDiff(descriptor, mounts, lease);
    if (diffId !== diffIds[index]) {
      throw new ImageError(
        `layer ${index + 1} is corrupt: its content is ${diffId}, the image's configuration says ${diffIds[index]}`,
      );
    }
    // Somebody else may have unpacked the same layer meanwhile.
    await tolerating([Status.ALREADY_EXISTS], containerd.snapshots.commit(name, key, { lease }));
  } catch (error) {
    throw error instanceof ImageError
      ? error
      : new ImageError(`cannot unpack layer ${index + 1}: ${detailsOf(error)}`, { cause: error });
  } finally {
    // Gone already when it was committed.
    await containerd.snapshots.remove(key);
  }
}

function sizeText({ descriptor }: Part): string {
  const mebibytes = descriptor.size / 1024 / 1024;
  return mebibytes < 1 ? `${Math.ceil(descriptor.size / 1024)} KiB` : `${mebibytes.toFixed(1)} MiB`;
}
