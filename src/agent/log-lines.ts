/** CloudWatch Logs: what a stored event costs beside its message. */
export const EVENT_OVERHEAD_BYTES = 26;
/** Docker's awslogs driver: 256 KiB less the overhead. Longer lines are cut. */
export const EVENT_MESSAGE_BYTES_MAX: number = 262_144 - EVENT_OVERHEAD_BYTES;
/** CloudWatch Logs: limits of one PutLogEvents. */
const BATCH_BYTES_MAX = 1_048_576;
const BATCH_EVENTS_MAX = 10_000;
const NEWLINE = 0x0a;

/** One line of output, or a part of one too long. */
export interface OutputLine {
  /** Without its newline. */
  readonly message: string;
  /** Of the file, behind the line: all before it is shipped once the line is. */
  readonly endOffset: number;
}

/** Cuts a stream of bytes into lines, keeping the unfinished last one. */
export class LineSplitter {
  #rest: Buffer = Buffer.alloc(0);
  /** Of the file, where `#rest` begins. */
  #offset: number;

  constructor(offset: number) {
    this.#offset = offset;
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
        emit(lines, data.subarray(start, cut), this.#offset + start, this.#offset + cut);
        start = cut;
      }
      if (newline === -1) break;
      const next = newline + 1;
      emit(lines, data.subarray(start, newline), this.#offset + start, this.#offset + next);
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
    const end = this.#offset + this.#rest.length;
    if (this.#rest.length > 0) emit(lines, this.#rest, this.#offset, end);
    this.#rest = Buffer.alloc(0);
    this.#offset = end;
    return lines;
  }
}

/** Bytes that are not UTF-8 become U+FFFD, which is longer: the text may need to be cut once more. */
function emit(lines: OutputLine[], bytes: Buffer, startOffset: number, endOffset: number): void {
  let text = bytes.toString("utf8");
  while (Buffer.byteLength(text) > EVENT_MESSAGE_BYTES_MAX) {
    // A UTF-16 unit takes at most 3 bytes of UTF-8.
    let cut = Math.floor(EVENT_MESSAGE_BYTES_MAX / 3);
    if (isHighSurrogate(text.charCodeAt(cut - 1))) cut--;
    lines.push({ message: text.slice(0, cut), endOffset: startOffset });
    text = text.slice(cut);
  }
  lines.push({ message: text, endOffset });
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

export interface LogEvent {
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly message: string;
}

/** Events on their way into one PutLogEvents call. */
export class LogBatch {
  readonly events: LogEvent[] = [];
  /** Of the file, behind the last line added; undefined while there is none. */
  endOffset: number | undefined;
  #bytes = 0;

  /** Adds a line, or returns false when the batch is full. Empty lines are no events, as in Docker's driver. */
  add(line: OutputLine, timestamp: number): boolean {
    const bytes = Buffer.byteLength(line.message) + EVENT_OVERHEAD_BYTES;
    if (line.message !== "") {
      if (this.events.length === BATCH_EVENTS_MAX || this.#bytes + bytes > BATCH_BYTES_MAX) {
        return false;
      }
      this.events.push({ timestamp, message: line.message });
      this.#bytes += bytes;
    }
    this.endOffset = line.endOffset;
    return true;
  }
}
