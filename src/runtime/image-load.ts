import type { ArchiveFiles } from "./archive.ts";
import type { ArchiveImage, Part } from "./image-archive.ts";
import { MANIFEST_BYTES_MAX, parseImageDocument } from "./image-documents.ts";
import type { ImageStore } from "./image-store.ts";
import { type Image, ImageError } from "./runtime.ts";

export interface Load {
  readonly store: ImageStore;
  readonly files: ArchiveFiles;
  readonly lease: string;
  readonly onProgress: (text: string) => void;
}

/** Brings one image of an archive in, under all its names. Throws ImageError. */
export async function loadImage(load: Load, image: ArchiveImage): Promise<readonly Image[]> {
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
