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

  /** Writes `data` and returns its offset once it is durable. When it throws, the journal is as before. */
  async append(data: Buffer): Promise<number> {
    const offset = this.#end;
    try {
      for (let written = 0; written < data.length; ) {
        const rest = data.length - written;
        const result = await this.segment.handle.write(data, written, rest, offset + written);
        written += result.bytesWritten;
      }
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
    this.#end = offset + data.length;
    return offset;
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
