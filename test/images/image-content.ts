/** Images made in memory, in every form that registries have, for tests. */
import { createHash, randomBytes } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Pack, pack } from "tar-stream";
import { busyboxLayer } from "../../scripts/busybox-image.ts";

export interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly bytes: Buffer;
}

/** All that a registry needs to have for an image. */
export interface ImageContent {
  /** What a tag points at: a manifest, or an index. */
  readonly root: Blob;
  /** Root and what it leads to. */
  readonly manifests: readonly Blob[];
  readonly blobs: readonly Blob[];
}

export interface ImageOptions {
  readonly compression?: "none" | "gzip" | "zstd";
  /** Media types of Docker instead of OCI. */
  readonly docker?: boolean;
  /** Whole layers on top of busybox, each with these files. */
  readonly layers?: readonly Readonly<Record<string, string | Buffer>>[];
  readonly environment?: readonly string[];
  readonly architecture?: string;
  /** Makes the manifest's layer descriptors say so. */
  readonly layerType?: string;
}

const GO_ARCHITECTURE: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
export const ARCHITECTURE: string = GO_ARCHITECTURE[process.arch] ?? process.arch;
const COMPRESS = { none: (bytes: Buffer) => bytes, gzip: gzipSync, zstd: zstdCompressSync };
const SUFFIX = {
  oci: { none: "", gzip: "+gzip", zstd: "+zstd" },
  docker: { none: "", gzip: ".gzip", zstd: ".zstd" },
};

/** An image of busybox with some layers more. */
export async function imageContent(options: ImageOptions = {}): Promise<ImageContent> {
  const { architecture = ARCHITECTURE, compression = "gzip", docker = false } = options;
  const tars = [await busyboxLayer(), ...(await Promise.all((options.layers ?? []).map(tarOf)))];
  const kind = docker ? "docker" : "oci";
  const layerType = docker
    ? "application/vnd.docker.image.rootfs.diff.tar"
    : "application/vnd.oci.image.layer.v1.tar";
  const layers = tars.map((tar) =>
    blobOf(
      options.layerType ?? `${layerType}${SUFFIX[kind][compression]}`,
      COMPRESS[compression](tar),
    ),
  );
  const config = jsonBlob(
    docker
      ? "application/vnd.docker.container.image.v1+json"
      : "application/vnd.oci.image.config.v1+json",
    {
      architecture,
      os: "linux",
      config: { Env: ["PATH=/bin", ...(options.environment ?? [])], Cmd: ["/bin/sh"] },
      rootfs: { type: "layers", diff_ids: tars.map(digestOf) },
    },
  );
  const manifestType = docker
    ? "application/vnd.docker.distribution.manifest.v2+json"
    : "application/vnd.oci.image.manifest.v1+json";
  const root = jsonBlob(manifestType, {
    schemaVersion: 2,
    mediaType: manifestType,
    config: descriptorOf(config),
    layers: layers.map(descriptorOf),
  });
  return { root, manifests: [root], blobs: [config, ...layers] };
}

/** An index over images for several platforms; `variants` are written beside the architectures. */
export function indexContent(
  images: readonly { image: ImageContent; architecture: string; variant?: string }[],
  docker = false,
): ImageContent {
  const manifests = images.map(({ image, architecture, variant }) => ({
    ...descriptorOf(image.root),
    platform: { os: "linux", architecture, ...(variant && { variant }) },
  }));
  const type = docker
    ? "application/vnd.docker.distribution.manifest.list.v2+json"
    : "application/vnd.oci.image.index.v1+json";
  const root = jsonBlob(type, { schemaVersion: 2, mediaType: type, manifests });
  return {
    root,
    manifests: [...images.flatMap(({ image }) => image.manifests), root],
    blobs: images.flatMap(({ image }) => image.blobs),
  };
}

/** Incompressible bytes. */
export function noise(bytes: number): Buffer {
  return randomBytes(bytes);
}

export function jsonBlob(mediaType: string, document: object): Blob {
  return blobOf(mediaType, Buffer.from(JSON.stringify(document)));
}

export function blobOf(mediaType: string, bytes: Buffer): Blob {
  return { mediaType, digest: digestOf(bytes), bytes };
}

export function descriptorOf({ mediaType, digest, bytes }: Blob): {
  mediaType: string;
  digest: string;
  size: number;
} {
  return { mediaType, digest, size: bytes.length };
}

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

async function tarOf(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  const layer: Pack = pack();
  for (const [path, content] of Object.entries(files)) {
    layer.entry({ name: path.replace(/^\/+/, ""), mode: 0o644, mtime: new Date(0) }, content);
  }
  layer.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of layer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
