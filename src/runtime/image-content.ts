/** Reading what an image's name leads to in containerd. */
import type { Containerd } from "./containerd/client.ts";
import type { Descriptor } from "./containerd/messages.ts";
import {
  type ImageDocument,
  type ImageManifest,
  type IndexEntry,
  isIndex,
  MANIFEST_BYTES_MAX,
  parseImageDocument,
  parseIndex,
  parseManifest,
} from "./image-documents.ts";
import { suits, THIS_PLATFORM } from "./platform.ts";
import { ImageError } from "./runtime.ts";

/** The manifest that a name points at, or that one of its index which is for this machine. */
export async function manifestOf(
  containerd: Containerd,
  target: Descriptor,
): Promise<ImageManifest> {
  let next: Descriptor = target;
  for (;;) {
    const bytes = await containerd.content.read(next.digest, MANIFEST_BYTES_MAX);
    if (!isIndex(next)) return parseManifest(bytes);
    next = await firstHere(containerd, parseIndex("the image's index", bytes));
  }
}

/** The configuration of the image that a name points at. */
export async function documentOf(
  containerd: Containerd,
  target: Descriptor,
): Promise<ImageDocument> {
  const { config } = await manifestOf(containerd, target);
  return parseImageDocument(await containerd.content.read(config.digest, MANIFEST_BYTES_MAX));
}

/** Chosen: images of which tasks are started over and over; a document has a few KiB. */
const DOCUMENTS_KEPT_MAX = 256;

/** {@link documentOf} that remembers: a digest never leads to another document, and finding it takes several calls. */
export class DocumentReader {
  readonly #containerd: Containerd;
  readonly #kept = new Map<string, ImageDocument>();

  constructor(containerd: Containerd) {
    this.#containerd = containerd;
  }

  /** What a digest leads to, as far as it was read before. */
  known(digest: string): ImageDocument | undefined {
    return this.#kept.get(digest);
  }

  async read(target: Descriptor): Promise<ImageDocument> {
    const document = this.known(target.digest) ?? (await documentOf(this.#containerd, target));
    // The one used last goes to the end, and the first is forgotten.
    this.#kept.delete(target.digest);
    this.#kept.set(target.digest, document);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > DOCUMENTS_KEPT_MAX && oldest !== undefined) this.#kept.delete(oldest);
    return document;
  }
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
