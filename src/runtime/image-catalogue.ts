/** The images that are here: which there are, who uses them, and their removal. */
import type { Clock } from "../lib/clock.ts";
import type { Containerd } from "./containerd/client.ts";
import { type ImageRecord, toEpochMs } from "./containerd/messages.ts";
import { imagesToRemove } from "./image-cleanup.ts";
import { manifestOf } from "./image-content.ts";
import { originOf } from "./image-store.ts";
import type { ImageUsage } from "./image-usage.ts";
import { type Image, ImageError } from "./runtime.ts";

/** An image as a list shows it. */
export interface ImageSummary {
  readonly name: string;
  readonly digest: string;
  readonly origin: Image["origin"];
  /** Epoch milliseconds. */
  readonly storedAt: number;
  /** Of its layers and configuration, compressed as they came; those that images share count for each. */
  readonly bytes: number;
  /** Ids of the containers that are made of it. */
  readonly usedBy: readonly string[];
}

export interface ImageCleanup {
  /** How long an image is kept after it was pulled or last used. */
  readonly minAgeMs: number;
  /** Images removed at once. */
  readonly countMax: number;
  /** References that tasks of this machine have, of which containers may yet be made. */
  readonly referenced: readonly string[];
}

export interface ImageCatalogue {
  /** See `Runtime.listImages`. */
  list(): Promise<readonly ImageSummary[]>;
  /** See `Runtime.removeImage`. */
  remove(reference: string): Promise<string | undefined>;
  /** See `Runtime.removeUnusedImages`. */
  removeUnused(cleanup: ImageCleanup): Promise<readonly string[]>;
}

export interface ImageCatalogueDeps {
  readonly containerd: Containerd;
  readonly usage: ImageUsage;
  readonly clock: Clock;
  /** The record that a reference means. */
  readonly find: (reference: string) => Promise<ImageRecord | undefined>;
}

/** The images of one containerd namespace. */
export function createImageCatalogue(deps: ImageCatalogueDeps): ImageCatalogue {
  const { containerd, usage, clock, find } = deps;
  const containersOf = async (): Promise<ReadonlyMap<string, readonly string[]>> => {
    const containers = Map.groupBy(await containerd.containers.list(), ({ image }) => image);
    return new Map([...containers].map(([image, users]) => [image, users.map(({ id }) => id)]));
  };
  return {
    list: async () => {
      const [records, users] = await Promise.all([containerd.images.list(), containersOf()]);
      const summaries = records.map(async (record): Promise<ImageSummary> => {
        const { name, target } = record;
        const manifest = await manifestOf(containerd, target).catch(() => undefined);
        const parts = manifest === undefined ? [] : [manifest.config, ...manifest.layers];
        return {
          name,
          digest: target.digest,
          origin: originOf(record),
          storedAt: storedAt(record),
          bytes: parts.reduce((sum, { size }) => sum + size, 0),
          usedBy: users.get(name) ?? [],
        };
      });
      return (await Promise.all(summaries)).sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    remove: async (reference) => {
      const record = await find(reference);
      if (record === undefined) return undefined;
      const { name } = record;
      const [user, ...more] = (await containersOf()).get(name) ?? [];
      if (user !== undefined) {
        const others = more.length === 0 ? "" : ` and ${more.length} more`;
        throw new ImageError(`${name} is used by container ${user}${others}`);
      }
      await usage.remove(name, Number.POSITIVE_INFINITY, () => containerd.images.delete(name));
      return name;
    },
    removeUnused: async ({ countMax, minAgeMs, referenced }) => {
      const begunAt = clock.now();
      const wanted = new Set((await containersOf()).keys());
      for (const reference of new Set(referenced)) {
        const record = await find(reference);
        if (record !== undefined) wanted.add(record.name);
      }
      const images = (await containerd.images.list()).map((record) => ({
        name: record.name,
        origin: originOf(record),
        storedAt: storedAt(record),
        lastUsedAt: usage.lastUsedAt(record.name),
        isWanted: wanted.has(record.name),
      }));
      const removed: string[] = [];
      for (const name of imagesToRemove(images, { countMax, minAgeMs }, begunAt)) {
        const isGone = await usage.remove(name, begunAt - minAgeMs, () =>
          containerd.images.delete(name),
        );
        if (isGone) removed.push(name);
      }
      return removed;
    },
  };
}

function storedAt({ createdAt, updatedAt }: ImageRecord): number {
  return Math.max(toEpochMs(createdAt), toEpochMs(updatedAt));
}
