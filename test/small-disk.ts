/** A file system of a test's own that is soon full. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Pieces in which a disk is filled: the last few bytes by one. */
const PIECES_BYTES = [1 << 20, 1 << 16, 1 << 12] as const;

export class SmallDisk implements Disposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Mounts one in memory; undefined where this process may not. */
  static mount(bytes: number): SmallDisk | undefined {
    const path = mkdtempSync(join(tmpdir(), "gantry-small-disk-"));
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", path], {
        stdio: "ignore",
      });
      return new SmallDisk(path);
    } catch {
      rmdirSync(path);
      return undefined;
    }
  }

  /** Takes all the room that is left. */
  fill(): void {
    for (const bytes of PIECES_BYTES) {
      const piece = Buffer.alloc(bytes);
      try {
        for (;;) writeFileSync(this.#ballast, piece, { flag: "a" });
      } catch {
        // Nothing of that size fits any more.
      }
    }
  }

  /** Gives back the room that {@link fill} took. */
  relieve(): void {
    rmSync(this.#ballast, { force: true });
  }

  get #ballast(): string {
    return join(this.path, "ballast");
  }

  [Symbol.dispose](): void {
    execFileSync("umount", ["--lazy", this.path]);
    rmdirSync(this.path);
  }
}
