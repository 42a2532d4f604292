import { DatabaseSync } from "node:sqlite";
import { threadId } from "node:worker_threads";
import type { Disk, Output } from "../../src/agent/disk.ts";
import { Journal } from "../../src/agent/journal.ts";

/** What a disk has left: enough; nothing but what the journals have taken in advance; not even that. */
export type Room = "enough" | "journals" | "none";

/**
 * A machine's disk in memory: what its processes write outlives them. The journal is the agent's own, over a SQLite
 * database in memory, of which this disk keeps a connection so that it stays when the agent is gone.
 */
export class MemoryDisk implements Disk, Disposable {
  readonly #name: string;
  readonly #files = new Map<string, string>();
  readonly #directories = new Set<string>();
  /** Files that were removed: whoever still writes to one writes to nothing. */
  readonly #removed = new Set<string>();
  readonly #watchers = new Map<string, Set<() => void>>();
  readonly #journals = new Map<string, { readonly uri: string; readonly keeper: DatabaseSync }>();
  #journalCount = 0;
  room: Room = "enough";

  /** `name`: no other disk of this thread may have it. */
  constructor(name: string) {
    this.#name = `${threadId}-${name}`;
  }

  openJournal(path: string): Journal {
    const known = this.#journals.get(path);
    if (known !== undefined) return this.#journal(known.uri);
    this.#demandRoom();
    const uri = `file:${this.#name}-${this.#journalCount++}?mode=memory&cache=shared`;
    this.#journals.set(path, { uri, keeper: new DatabaseSync(uri) });
    return this.#journal(uri);
  }

  #journal(uri: string): Journal {
    return new RoomyJournal(uri, () => this.room !== "none");
  }

  /** What is there takes no more of it. */
  #demandRoom(): void {
    if (this.room !== "enough") {
      throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    }
  }

  /** Forgets all below a directory, journals too. Their agents must be gone. */
  lose(directory: string): void {
    const isBelow = (path: string): boolean => `${path}/`.startsWith(`${directory}/`);
    for (const path of this.#files.keys()) {
      if (!isBelow(path)) continue;
      this.#files.delete(path);
      this.#removed.add(path);
    }
    for (const path of this.#directories) if (isBelow(path)) this.#directories.delete(path);
    for (const [path, { keeper }] of this.#journals) {
      if (!path.startsWith(`${directory}/`)) continue;
      keeper.close();
      this.#journals.delete(path);
    }
  }

  /** What a loss of power may take: writes that were not waited for. */
  loseQuickWrites(): void {
    for (const { keeper } of this.#journals.values()) {
      keeper.exec("DELETE FROM reports; DELETE FROM offsets;");
    }
  }

  async makeDirectory(path: string): Promise<void> {
    if (!this.#directories.has(path)) this.#demandRoom();
    this.#directories.add(path);
  }

  async exists(path: string): Promise<boolean> {
    return this.#files.has(path) || this.#directories.has(path);
  }

  async readText(path: string): Promise<string> {
    return this.#files.get(path) ?? "";
  }

  async writeText(path: string, text: string): Promise<void> {
    this.#demandRoom();
    this.#files.set(path, text);
  }

  /** Lets a container write to its output. */
  append(path: string, text: string): void {
    if (this.#removed.has(path)) return;
    this.#files.set(path, (this.#files.get(path) ?? "") + text);
    for (const notify of this.#watchers.get(path) ?? []) notify();
  }

  async openOutput(path: string): Promise<Output> {
    if (!this.#files.has(path)) this.#demandRoom();
    const read = async (offset: number, lengthMax: number): Promise<Uint8Array> =>
      Buffer.from(this.#files.get(path) ?? "").subarray(offset, offset + lengthMax);
    this.#files.set(path, this.#files.get(path) ?? "");
    this.#removed.delete(path);
    const watchers = this.#watchers.get(path) ?? new Set();
    this.#watchers.set(path, watchers);
    return {
      read,
      modifiedAt: async () => Number.POSITIVE_INFINITY,
      size: async () => Buffer.byteLength(this.#files.get(path) ?? ""),
      watch: (onGrowth) => {
        watchers.add(onGrowth);
        return { works: true, [Symbol.dispose]: () => watchers.delete(onGrowth) };
      },
      release: async () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  async remove(path: string): Promise<void> {
    this.lose(path);
  }

  /** Paths of all files and of tasks' directories, for the search for what was left behind. */
  get files(): readonly string[] {
    const ofTasks = [...this.#directories].filter((path) => path.split("/").length > 4);
    return [...this.#files.keys(), ...ofTasks];
  }

  [Symbol.dispose](): void {
    for (const { keeper } of this.#journals.values()) keeper.close();
  }
}

/** A journal whose writes fail as SQLite's do while there is no room for it. */
class RoomyJournal extends Journal {
  readonly #hasRoom: () => boolean;

  constructor(uri: string, hasRoom: () => boolean) {
    super(uri);
    this.#hasRoom = hasRoom;
  }

  override putRegistration(...args: Parameters<Journal["putRegistration"]>): void {
    this.#demandRoom();
    super.putRegistration(...args);
  }

  override putSequenceNumber(...args: Parameters<Journal["putSequenceNumber"]>): void {
    this.#demandRoom();
    super.putSequenceNumber(...args);
  }

  override putTask(...args: Parameters<Journal["putTask"]>): void {
    this.#demandRoom();
    super.putTask(...args);
  }

  override putReported(...args: Parameters<Journal["putReported"]>): void {
    this.#demandRoom();
    super.putReported(...args);
  }

  override putOffset(...args: Parameters<Journal["putOffset"]>): void {
    this.#demandRoom();
    super.putOffset(...args);
  }

  override forgetTask(...args: Parameters<Journal["forgetTask"]>): void {
    this.#demandRoom();
    super.forgetTask(...args);
  }

  override dropEnded(...args: Parameters<Journal["dropEnded"]>): void {
    this.#demandRoom();
    super.dropEnded(...args);
  }

  #demandRoom(): void {
    if (this.#hasRoom()) return;
    throw Object.assign(new Error("database or disk is full"), { errcode: SQLITE_FULL });
  }
}

const SQLITE_FULL = 13;
