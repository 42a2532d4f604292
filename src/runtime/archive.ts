/**
 * The files of a tar stream, kept on disk for reading in any order: an image's blobs may come before what describes them.
 * Memory stays bounded however large the archive is.
 */
import { type FileHandle, mkdir, mkdtemp, open, rm } from "node:fs/promises";
import { join, posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { messageOf } from "../lib/errors.ts";
import { ImageError } from "./runtime.ts";

/** File names are normalised: no leading `./` or `/`. */
export interface ArchiveFiles {
  /** Length in bytes; undefined when there is no such file. Links count as the file they point to. */
  size(name: string): number | undefined;
  /** Reads a file in chunks. */
  open(name: string): AsyncIterable<Uint8Array>;
  /** A whole small file. Throws ImageError when it is missing or larger than `bytesMax`. */
  read(name: string, bytesMax: number): Promise<Buffer>;
  /** Frees the disk space. */
  close(): Promise<void>;
}

interface Place {
  readonly offset: number;
  readonly size: number;
}

const CHUNK_BYTES = 1024 * 1024;
/** An image has some hundred files at most; this bounds the index that is kept of them. */
const ENTRIES_MAX = 65_536;
const LINK_DEPTH_MAX = 8;
const GZIP_MAGIC = [0x1f, 0x8b];

/**
 * Takes in a whole tar stream, gzip'd or not, spooling it to an unnamed file in `directory` (nothing remains of it,
 * even after a crash). Throws ImageError when it is no tar archive or ends early.
 */
export async function openArchive(
  archive: AsyncIterable<Uint8Array>,
  directory: string,
): Promise<ArchiveFiles> {
  const spool = await openUnnamed(directory);
  try {
    const index = new ArchiveIndex();
    await unpackTo(spool, index, archive);
    return filesOf(spool, index);
  } catch (error) {
    await spool.close();
    throw error instanceof ImageError ? error : new ImageError(explain(error), { cause: error });
  }
}

async function openUnnamed(directory: string): Promise<FileHandle> {
  await mkdir(directory, { recursive: true });
  const folder = await mkdtemp(join(directory, "archive-"));
  try {
    return await open(join(folder, "spool"), "w+", 0o600);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Where each name's bytes lie in the spool file, and which names are links to others. */
class ArchiveIndex {
  readonly #places = new Map<string, Place>();
  readonly #links = new Map<string, string>();

  add(name: string, place: Place): void {
    this.#makeRoom();
    this.#places.set(normalise(name), place);
  }

  addLink(name: string, target: string, isSymbolic: boolean): void {
    this.#makeRoom();
    // A symbolic link is relative to its folder, a hard link to the archive's root.
    const path = isSymbolic ? posix.join(posix.dirname(name), target) : target;
    this.#links.set(normalise(name), normalise(path));
  }

  find(name: string): Place | undefined {
    let path = normalise(name);
    for (let depth = 0; depth < LINK_DEPTH_MAX; depth++) {
      const place = this.#places.get(path);
      const target = this.#links.get(path);
      if (place !== undefined || target === undefined) return place;
      path = target;
    }
    return undefined;
  }

  #makeRoom(): void {
    if (this.#places.size + this.#links.size >= ENTRIES_MAX) {
      throw new ImageError(`the archive has more than ${ENTRIES_MAX} files`);
    }
  }
}

async function unpackTo(
  spool: FileHandle,
  index: ArchiveIndex,
  archive: AsyncIterable<Uint8Array>,
): Promise<void> {
  const entries = extract();
  const unpacking = async (): Promise<void> => {
    let offset = 0;
    for await (const entry of entries) {
      const { name, type, linkname, size = 0 } = entry.header;
      if (type === "file") index.add(name, { offset, size });
      if (type === "symlink" || type === "link") {
        index.addLink(name, linkname ?? "", type === "symlink");
      }
      for await (const chunk of entry) {
        const bytes = chunk as Uint8Array;
        await spool.write(bytes, 0, bytes.length, offset);
        offset += bytes.length;
      }
    }
  };
  const { isGzip, whole } = await sniff(archive);
  const source = Readable.from(whole, { objectMode: false });
  const reading = isGzip ? pipeline(source, createGunzip(), entries) : pipeline(source, entries);
  await Promise.all([reading, unpacking()]);
}

function filesOf(spool: FileHandle, index: ArchiveIndex): ArchiveFiles {
  const find = (name: string): Place => {
    const place = index.find(name);
    if (place === undefined) throw new ImageError(`the archive lacks ${name}: it is incomplete`);
    return place;
  };
  const readAt = async (offset: number, length: number): Promise<Buffer> => {
    const buffer = Buffer.allocUnsafe(length);
    const { bytesRead } = await spool.read(buffer, 0, length, offset);
    if (bytesRead !== length) throw new Error("the spool file is shorter than was written");
    return buffer;
  };
  return {
    size: (name) => index.find(name)?.size,
    async *open(name) {
      const { offset, size } = find(name);
      for (let read = 0; read < size; read += CHUNK_BYTES) {
        yield await readAt(offset + read, Math.min(CHUNK_BYTES, size - read));
      }
    },
    read: async (name, bytesMax) => {
      const { offset, size } = find(name);
      if (size > bytesMax) throw new ImageError(`${name} is larger than ${bytesMax} bytes`);
      return size === 0 ? Buffer.alloc(0) : readAt(offset, size);
    },
    close: () => spool.close(),
  };
}

/** Looks at the first bytes without consuming them. */
async function sniff(
  archive: AsyncIterable<Uint8Array>,
): Promise<{ isGzip: boolean; whole: AsyncIterable<Uint8Array> }> {
  const iterator = archive[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  while (Buffer.concat(head).length < GZIP_MAGIC.length) {
    const next = await iterator.next();
    if (next.done) break;
    head.push(next.value);
  }
  const bytes = Buffer.concat(head);
  if (bytes.length === 0) throw new ImageError("the archive is empty");
  async function* whole(): AsyncIterable<Uint8Array> {
    yield bytes;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  return { isGzip: GZIP_MAGIC.every((byte, at) => bytes[at] === byte), whole: whole() };
}

function normalise(name: string): string {
  return posix.normalize(`/${name}`).slice(1);
}

function explain(error: unknown): string {
  const message = messageOf(error);
  if (/unexpected end|premature close/i.test(message)) {
    return "not a complete tar archive: it ends early";
  }
  if (/invalid tar header|incorrect header|invalid .*(block|distance|code)/i.test(message)) {
    return "not a tar archive (or a corrupt one)";
  }
  return `cannot read the archive: ${message}`;
}
