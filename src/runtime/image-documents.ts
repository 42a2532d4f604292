/** The JSON documents of an image (OCI image specification; Docker's differ only in media types), checked as far as used. */
import { createHash } from "node:crypto";
import type { Descriptor } from "./containerd/messages.ts";
import type { Platform } from "./platform.ts";
import { type ImageConfig, ImageError } from "./runtime.ts";
import { signalNumber } from "./signals.ts";

/** The distribution specification's limit for manifests; configurations are smaller in practice. */
export const MANIFEST_BYTES_MAX: number = 4 * 1024 * 1024;

export interface ImageManifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** One line of an index: an image for one platform, or another index. */
export interface IndexEntry extends Descriptor {
  readonly platform?: Partial<Platform>;
}

/** An image's configuration blob. */
export interface ImageDocument {
  readonly os: string;
  readonly architecture: string;
  /** Digest of each layer as uncompressed tar, base first. */
  readonly diffIds: readonly string[];
  readonly config: ImageConfig;
}

const MANIFEST = "the image's manifest";
/** Indexes in indexes; real ones have two levels. */
export const INDEX_DEPTH_MAX = 4;
/** overlayfs stacks no more. */
const LAYERS_MAX = 127;

type Json = Readonly<Record<string, unknown>>;

/** Throws ImageError when these bytes are no manifest of an image. */
export function parseManifest(bytes: Buffer): ImageManifest {
  const { config, layers } = parseObject(MANIFEST, bytes);
  if (!Array.isArray(layers)) throw new ImageError("the image's manifest has no layers");
  return {
    config: descriptorOf(config, MANIFEST),
    layers: layers.map((layer) => descriptorOf(layer, MANIFEST)),
  };
}

/** Whether this descriptor is one of an index (Docker: manifest list). */
export function isIndex({ mediaType }: Pick<Descriptor, "mediaType">): boolean {
  return /(image\.index\.v1|manifest\.list\.v2)\+json$/.test(mediaType);
}

/** The entries of an index. Throws ImageError when these bytes are none; `what` names them. */
export function parseIndex(what: string, bytes: Buffer): readonly IndexEntry[] {
  const { manifests } = parseObject(what, bytes);
  if (!Array.isArray(manifests)) {
    throw new ImageError(`${what}: "manifests" is not a list of descriptors`);
  }
  return manifests.map((entry: IndexEntry) => ({ ...entry, ...descriptorOf(entry, what) }));
}

/** An image's layers must be as many as its configuration says. Throws ImageError. */
export function checkLayers(
  name: string,
  layers: readonly unknown[],
  diffIds: readonly string[],
): void {
  if (layers.length !== diffIds.length || layers.length > LAYERS_MAX) {
    throw new ImageError(
      `${name}: ${layers.length} layers, but its configuration lists ${diffIds.length} (at most ${LAYERS_MAX} are allowed)`,
    );
  }
}

/** Throws ImageError when these bytes are no configuration of an image. */
export function parseImageDocument(bytes: Buffer): ImageDocument {
  const { os, architecture, rootfs, config } = parseObject("the image's configuration", bytes);
  const diffIds = isObject(rootfs) ? rootfs.diff_ids : undefined;
  if (!isTextList(diffIds))
    throw new ImageError("the image's configuration has no rootfs.diff_ids");
  return {
    os: textOf(os),
    architecture: textOf(architecture),
    diffIds,
    config: imageConfigOf(isObject(config) ? config : {}),
  };
}

/** containerd's names of the snapshots of these layers (OCI's chain ids), base first. */
export function chainIds(diffIds: readonly string[]): readonly string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    const digest = createHash("sha256").update(`${parent} ${diffId}`).digest("hex");
    chain.push(parent === undefined ? diffId : `sha256:${digest}`);
  }
  return chain;
}

function imageConfigOf(config: Json): ImageConfig {
  const stopSignal = textOf(config.StopSignal);
  return {
    entrypoint: isTextList(config.Entrypoint) ? config.Entrypoint : [],
    command: isTextList(config.Cmd) ? config.Cmd : [],
    environment: isTextList(config.Env) ? config.Env : [],
    workingDirectory: textOf(config.WorkingDir) || "/",
    user: textOf(config.User),
    // Docker: one that is none is not heeded. Nothing else would end such a container.
    stopSignal: signalNumber(stopSignal) === undefined ? "SIGTERM" : stopSignal,
    volumes: isObject(config.Volumes) ? Object.keys(config.Volumes) : [],
  };
}

function descriptorOf(value: unknown, what: string): Descriptor {
  const { mediaType, digest, size } = isObject(value) ? value : {};
  if (typeof digest !== "string" || typeof mediaType !== "string" || !Number.isInteger(size)) {
    throw new ImageError(`${what} has a descriptor without media type, digest or size`);
  }
  if (!isDigest(digest)) throw new ImageError(`${what}: unsupported digest "${digest}"`);
  return { mediaType, digest, size: Number(size) };
}

/** Whether this is a content address as every registry and containerd have it. */
export function isDigest(text: unknown): text is string {
  return typeof text === "string" && /^sha256:[0-9a-f]{64}$/.test(text);
}

function parseObject(what: string, bytes: Buffer): Json {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    if (isObject(value)) return value;
  } catch {
    // Told below, as for any other document that is no object.
  }
  throw new ImageError(`${what} is not a JSON object`);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
