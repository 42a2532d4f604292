/** The JSON documents of an image (OCI image specification; Docker's differ only in media types), checked as far as used. */
import { createHash } from "node:crypto";
import type { Descriptor } from "./containerd/messages.ts";
import { type ImageConfig, ImageError } from "./runtime.ts";

/** The distribution specification's limit for manifests; configurations are smaller in practice. */
export const MANIFEST_BYTES_MAX: number = 4 * 1024 * 1024;

export interface ImageManifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** An image's configuration blob. */
export interface ImageDocument {
  readonly os: string;
  readonly architecture: string;
  /** Digest of each layer as uncompressed tar, base first. */
  readonly diffIds: readonly string[];
  readonly config: ImageConfig;
}

type Json = Readonly<Record<string, unknown>>;

/** Throws ImageError when these bytes are no manifest of an image. */
export function parseManifest(bytes: Buffer): ImageManifest {
  const { config, layers } = parseObject("manifest", bytes);
  if (!Array.isArray(layers)) throw new ImageError("the image's manifest has no layers");
  return { config: descriptorOf(config), layers: layers.map(descriptorOf) };
}

/** Throws ImageError when these bytes are no configuration of an image. */
export function parseImageDocument(bytes: Buffer): ImageDocument {
  const { os, architecture, rootfs, config } = parseObject("configuration", bytes);
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
  return {
    entrypoint: isTextList(config.Entrypoint) ? config.Entrypoint : [],
    command: isTextList(config.Cmd) ? config.Cmd : [],
    environment: isTextList(config.Env) ? config.Env : [],
    workingDirectory: textOf(config.WorkingDir) || "/",
    user: textOf(config.User),
    stopSignal: textOf(config.StopSignal) || "SIGTERM",
  };
}

function descriptorOf(value: unknown): Descriptor {
  const { mediaType, digest, size } = isObject(value) ? value : {};
  if (typeof digest !== "string" || typeof size !== "number" || typeof mediaType !== "string") {
    throw new ImageError(
      "the image's manifest has a descriptor without media type, digest or size",
    );
  }
  return { mediaType, digest, size };
}

function parseObject(what: string, bytes: Buffer): Json {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    if (isObject(value)) return value;
  } catch {
    // Told below, as for any other document that is no object.
  }
  throw new ImageError(`the image's ${what} is not a JSON object`);
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
