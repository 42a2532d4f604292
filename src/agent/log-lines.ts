/** CloudWatch Logs: what a stored event costs beside its message. */
export const EVENT_OVERHEAD_BYTES = 26;
/** Docker's awslogs driver: 256 KiB less the overhead. Longer lines are cut. */
export const EVENT_MESSAGE_BYTES_MAX: number = 262_144 - EVENT_OVERHEAD_BYTES;
const NEWLINE = 0x0a;

/** One line of output, or a part of one too long. */
export interface OutputLine {
  /** Without its newline. */
  readonly message: string;
  /** Of the file, behind the line: all before it is shipped once the line is. */
  readonly endOffset: number;
  /** False for what continues a line that was too long. */
  readonly startsLine: boolean;
}

/** Cuts a stream of bytes into lines, keeping the unfinished last one. */
export class LineSplitter {
  #rest: Buffer = Buffer.alloc(0);
  /** Of the file, where `#rest` begins. */
  #offset: number;
  /** Whether `#rest` begins a line. */
  #startsLine = true;
  /** The rest of the line at `offset` is of no use: its beginning is lost. */
  #skips: boolean;

  constructor(offset: number, options: { readonly insideLine: boolean } = { insideLine: false }) {
    this.#offset = offset;
    this.#skips = options.insideLine;
  }

  /** The lines that `bytes` complete. */
  push(bytes: Uint8Array): readonly OutputLine[] {
    const lines: OutputLine[] = [];
    const data = Buffer.concat([this.#rest, bytes]);
    let start = 0;
    let searchFrom = this.#rest.length;
    for (;;) {
      const newline = data.indexOf(NEWLINE, searchFrom);
      const end = newline === -1 ? data.length : newline;
      while (end - start > EVENT_MESSAGE_BYTES_MAX) {
        const cut = characterBoundary(data, start + EVENT_MESSAGE_BYTES_MAX);
        this.#emit(lines, data.subarray(start, cut), start, cut);
        this.#startsLine = false;
        start = cut;
      }
      if (newline === -1) break;
      const next = newline + 1;
      this.#emit(lines, data.subarray(start, newline), start, next);
      this.#startsLine = true;
      this.#skips = false;
      start = next;
      searchFrom = start;
    }
    this.#rest = Buffer.from(data.subarray(start));
    this.#offset += start;
    return lines;
  }

  /** The unfinished last line, when nothing will follow it. */
  flush(): readonly OutputLine[] {
    const lines: OutputLine[] = [];
    const length = this.#rest.length;
    if (length > 0) this.#emit(lines, this.#rest, 0, length);
    this.#rest = Buffer.alloc(0);
    this.#offset += length;
    return lines;
  }

  /**
   * From `start` to `end` of the data at hand; `bytes` are what is to be read of it. Bytes that are not UTF-8 become U+FFFD,
   * which is longer: the text may need to be cut once more.
   */
  #emit(lines: OutputLine[], bytes: Buffer, start: number, end: number): void {
    if (this.#skips) return;
    let startsLine = this.#startsLine;
    let text = bytes.toString("utf8");
    while (Buffer.byteLength(text) > EVENT_MESSAGE_BYTES_MAX) {
      // A UTF-16 unit takes at most 3 bytes of UTF-8.
      let cut = Math.floor(EVENT_MESSAGE_BYTES_MAX / 3);
      if (isHighSurrogate(text.charCodeAt(cut - 1))) cut--;
      lines.push({ message: text.slice(0, cut), endOffset: this.#offset + start, startsLine });
      text = text.slice(cut);
      startsLine = false;
    }
    lines.push({ message: text, endOffset: this.#offset + end, startsLine });
  }
}

/** The nearest place at or before `index` where a UTF-8 character begins; `index` itself when there is none near. */
function characterBoundary(data: Buffer, index: number): number {
  for (let at = index; at > index - 4; at--) {
    if (((data[at] ?? 0) & 0b1100_0000) !== 0b1000_0000) return at;
  }
  return index;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
