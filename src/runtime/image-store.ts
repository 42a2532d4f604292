/** Bringing the parts of an image into containerd: blobs, snapshots, and the name last, so that it never points at half an image. */
import { KeyedTurns } from "../lib/turns.ts";
import { type BlobUpload, type Containerd, SNAPSHOTTER } from "./containerd/client.ts";
import type { Descriptor, ImageRecord } from "./containerd/messages.ts";
import { detailsOf, isCode, Status, tolerating } from "./containerd/status.ts";
import { chainIds, type ImageManifest } from "./image-documents.ts";
import { ImageError } from "./runtime.ts";
import { syncFileSystem } from "./sync-file-system.ts";
import { upperOf } from "./task-layers.ts";

/** On names that came from a registry. Every other was loaded by hand. */
export const PULLED_LABEL = "io.gantry.pulled";
const GC_CONTENT = "containerd.io/gc.ref.content";

export interface ImageStore {
  /** Stores a blob. Throws ImageError when its bytes are not what its digest says. */
  writeBlob(lease: string, blob: Omit<BlobUpload, "labels"> & { what: string }): Promise<void>;
  /** Makes the snapshot of layers 0…index out of that of those below, unless it is here. Throws ImageError. */
  unpack(
    lease: string,
    layer: Descriptor,
    diffIds: readonly string[],
    index: number,
  ): Promise<void>;
  /** Stores manifest and configuration of an image whose layers are here. */
  writeManifest(lease: string, image: StoredImage): Promise<void>;
  /** Stores an index of which this one manifest is here. */
  writeIndex(lease: string, index: Document, manifestDigest: string): Promise<void>;
  /** Points a name at a manifest or index. */
  putName(
    lease: string,
    name: string,
    target: Descriptor,
    origin: "loaded" | "pulled",
  ): Promise<void>;
}

export interface Document {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

export interface StoredImage {
  readonly manifest: Document;
  readonly parts: ImageManifest;
  readonly config: () => AsyncIterable<Uint8Array>;
  readonly diffIds: readonly string[];
}

/** What every image of one containerd namespace goes through. The same blob or layer is written by one at a time. */
export function createImageStore(containerd: Containerd): ImageStore {
  const turns = new KeyedTurns();
  /** Directory of the layer that was unpacked last. */
  let unpackedAt: string | undefined;
  const write = (lease: string, what: string, blob: BlobUpload): Promise<void> =>
    turns.take(blob.digest, async () => {
      try {
        await containerd.content.write(blob, lease);
      } catch (error) {
        if (!isCode(error, Status.FAILED_PRECONDITION)) throw error;
        throw new ImageError(`${what} is corrupt: ${detailsOf(error)}`, { cause: error });
      }
    });
  const writeDocument = (
    lease: string,
    { descriptor, bytes }: Document,
    labels: BlobUpload["labels"],
  ): Promise<void> => write(lease, "the image's manifest", uploadOf(descriptor, labels, [bytes]));
  return {
    writeBlob: (lease, { what, ...blob }) => write(lease, what, { ...blob, labels: {} }),
    unpack: (lease, layer, diffIds, index) => {
      const chain = chainIds(diffIds);
      const name = chain[index] ?? "";
      const parent = chain[index - 1] ?? "";
      const snapshot = { name, parent, diffId: diffIds[index] ?? "" };
      return turns.take(name, async () => {
        const directory = await unpack(containerd, lease, { layer, index, ...snapshot });
        unpackedAt = directory ?? unpackedAt;
      });
    },
    writeManifest: async (lease, { manifest, parts, config, diffIds }) => {
      const top = chainIds(diffIds).at(-1);
      const labels =
        top === undefined ? {} : { [`containerd.io/gc.ref.snapshot.${SNAPSHOTTER}`]: top };
      const { digest, size } = parts.config;
      await write(lease, "the image's configuration", { digest, size, labels, open: config });
      await writeDocument(lease, manifest, manifestLabels(parts));
    },
    writeIndex: (lease, index, manifestDigest) =>
      writeDocument(lease, index, { [`${GC_CONTENT}.m.0`]: manifestDigest }),
    putName: async (lease, name, target, origin) => {
      // containerd leaves what it unpacks to the kernel to write: a loss of power must not leave a name with empty files behind it.
      if (unpackedAt !== undefined) await syncFileSystem(unpackedAt);
      const labels = origin === "pulled" ? { [PULLED_LABEL]: "true" } : {};
      const { mediaType, digest, size } = target;
      await containerd.images.put({ name, labels, target: { mediaType, digest, size } }, lease);
    },
  };
}

/** How an image came here, by its name's record. */
export function originOf({ labels }: ImageRecord): "loaded" | "pulled" {
  return labels[PULLED_LABEL] === undefined ? "loaded" : "pulled";
}

function uploadOf(
  { digest, size }: Descriptor,
  labels: BlobUpload["labels"],
  chunks: readonly Uint8Array[],
): BlobUpload {
  return {
    digest,
    size,
    labels,
    open: async function* () {
      yield* chunks;
    },
  };
}

/** How containerd's garbage collector finds what belongs to a manifest. */
function manifestLabels({ config, layers }: ImageManifest): BlobUpload["labels"] {
  return {
    [`${GC_CONTENT}.config`]: config.digest,
    ...Object.fromEntries(
      layers.map(({ digest }, index) => [`${GC_CONTENT}.l.${index}`, digest] as const),
    ),
  };
}

interface Unpacking {
  readonly layer: Descriptor;
  readonly index: number;
  readonly name: string;
  readonly parent: string;
  readonly diffId: string;
}

/** Where the layer's files now are; undefined: they were there. */
async function unpack(
  containerd: Containerd,
  lease: string,
  { layer, index, name, parent, diffId }: Unpacking,
): Promise<string | undefined> {
  if (await keepSnapshot(containerd, lease, name)) return undefined;
  const key = `${lease}-${index}`;
  try {
    const mounts = await containerd.snapshots.prepare(key, parent, {}, { lease });
    const found = await containerd.applyDiff(layer, mounts, lease);
    if (found !== diffId) {
      throw new ImageError(
        `layer ${index + 1} is corrupt: its content is ${found}, the image's configuration says ${diffId}`,
      );
    }
    // Another process may have unpacked the same layer meanwhile.
    await tolerating([Status.ALREADY_EXISTS], containerd.snapshots.commit(name, key, { lease }));
    await keepSnapshot(containerd, lease, name);
    return upperOf(mounts);
  } catch (error) {
    throw error instanceof ImageError
      ? error
      : new ImageError(`cannot unpack layer ${index + 1}: ${detailsOf(error)}`, { cause: error });
  } finally {
    // Gone already when it was committed.
    await containerd.snapshots.remove(key);
  }
}

/** True when the snapshot is here, and then for as long as the lease. */
async function keepSnapshot(containerd: Containerd, lease: string, name: string): Promise<boolean> {
  if (!(await containerd.snapshots.has(name))) return false;
  await containerd.leases.addSnapshot(lease, name);
  // It may have been collected in between.
  return containerd.snapshots.has(name);
}
