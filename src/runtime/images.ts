/** Images in containerd: found by name, brought in from archives and registries. */
import type { Clock } from "../lib/clock.ts";
import { openArchive } from "./archive.ts";
import type { Containerd } from "./containerd/client.ts";
import type { ImageRecord } from "./containerd/messages.ts";
import { readArchiveImages } from "./image-archive.ts";
import { createImageCatalogue, type ImageCatalogue } from "./image-catalogue.ts";
import { DocumentReader } from "./image-content.ts";
import { chainIds } from "./image-documents.ts";
import { loadImage } from "./image-load.ts";
import { createImagePull, type ImagePullOptions } from "./image-pull.ts";
import { createImageStore, originOf } from "./image-store.ts";
import { ImageUsage } from "./image-usage.ts";
import { createLeases } from "./leases.ts";
import { THIS_PLATFORM } from "./platform.ts";
import { formatReference, parseReference, type Reference } from "./reference.ts";
import type { Image, Runtime } from "./runtime.ts";

export interface Images {
  readonly find: Runtime["findImage"];
  readonly load: Runtime["loadImage"];
  readonly pull: Runtime["pullImage"];
  readonly catalogue: ImageCatalogue;
  /**
   * Name of the snapshot with the image's whole file system ("" for an image without layers); undefined: no such image. Of
   * one that was found by its name before, `digest` spares asking for it again.
   */
  findRootfs(name: string, digest?: string): Promise<string | undefined>;
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
  const usage = new ImageUsage(clock);
  const documents = new DocumentReader(containerd);
  const find = async (text: string): Promise<ImageRecord | undefined> => {
    const reference = parseReference(text);
    return reference && findRecord(containerd, reference);
  };
  const imageOf = async (record: ImageRecord | undefined): Promise<Image | undefined> => {
    if (record === undefined) return undefined;
    const { name, target } = record;
    const { config } = await documents.read(target);
    return { name, digest: target.digest, origin: originOf(record), config };
  };
  return {
    find: async (text) => {
      for (;;) {
        const record = await find(text);
        if (record === undefined || (await usage.use(record.name))) return imageOf(record);
      }
    },
    findRootfs: async (name, digest) => {
      const known = digest === undefined ? undefined : documents.known(digest);
      const record = known === undefined ? await containerd.images.get(name) : undefined;
      const document = known ?? (record && (await documents.read(record.target)));
      return document && (chainIds(document.diffIds).at(-1) ?? "");
    },
    load: async (archive, onProgress = () => undefined) => {
      onProgress("reading the archive");
      const files = await openArchive(archive, spoolDirectory);
      try {
        const images = await readArchiveImages(files, THIS_PLATFORM);
        return await leases.with("load", async (lease) => {
          const loaded: Image[] = [];
          for (const image of images) {
            loaded.push(...(await loadImage({ store, files, lease, onProgress }, image)));
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
      named: async (name) => {
        while (!(await usage.use(name)));
        return imageOf(await containerd.images.get(name));
      },
    }),
    catalogue: createImageCatalogue({ containerd, usage, clock, find }),
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
