import { open } from "node:fs/promises";
import { Segment, syncDirectory } from "./segment.ts";
import { segmentPath } from "./segment-file.ts";

/** The one segment that is appended to. */
export class Journal {
  readonly segment: Segment;
  /** Where the next frame goes: everything before it is durable. */
  #end: number;
  #isSound = true;

  constructor(segment: Segment, end: number) {
    this.segment = segment;
    this.#end = end;
  }

  get end(): number {
    return this.#end;
  }

  /** False after a failure that leaves unknown what the file holds behind `end`: begin another journal. */
  get isSound(): boolean {
    return this.#isSound;
  }

  /** Writes the pieces in a row and returns the first one's offset once all are durable. When it throws, the journal is as before. */
  async append(pieces: readonly Buffer[]): Promise<number> {
    const offset = this.#end;
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    try {
      await this.#write(pieces, length);
    } catch (error) {
      await this.#cutBack();
      throw error;
    }
    try {
      await this.segment.handle.datasync();
    } catch (error) {
      // The kernel may have dropped the pages and reports that only once: asking again would prove nothing.
      this.#isSound = false;
      throw error;
    }
    this.#end = offset + length;
    return offset;
  }

  async #write(pieces: readonly Buffer[], length: number): Promise<void> {
    const { handle } = this.segment;
    let written = (await handle.writev(pieces, this.#end)).bytesWritten;
    if (written === length) return;
    // Rarely less than all: what is left goes as one piece.
    const data = Buffer.concat(pieces);
    while (written < length) {
      const rest = length - written;
      written += (await handle.write(data, written, rest, this.#end + written)).bytesWritten;
    }
  }

  /** What was never acknowledged shall not be found by the next open. */
  async #cutBack(): Promise<void> {
    try {
      await this.segment.handle.truncate(this.#end);
    } catch {
      this.#isSound = false;
    }
  }
}

/** Begins a new, empty journal file. */
export async function createJournal(directory: string, id: number): Promise<Journal> {
  const path = segmentPath(directory, id, "journal");
  const handle = await open(path, "wx+");
  try {
    await syncDirectory(directory);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return new Journal(new Segment({ id, kind: "journal", path, handle }), 0);
}
