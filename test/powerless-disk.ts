/** A disk of a test's own that shows what a loss of power would leave of it. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Longer than a test: until then the file system writes only what it is told to. */
const COMMIT_SECONDS = 600;

export class PowerlessDisk implements Disposable {
  readonly path: string;
  readonly #home: string;
  readonly #mounted: string[] = [];

  private constructor(home: string) {
    this.#home = home;
    this.path = this.#mount("disk", "mounted");
  }

  /** Undefined where this process may not mount one. */
  static open(bytes: number): PowerlessDisk | undefined {
    const home = mkdtempSync(join(tmpdir(), "gantry-powerless-"));
    const disk = join(home, "disk");
    try {
      writeFileSync(disk, "");
      truncateSync(disk, bytes);
      execFileSync("mkfs.ext4", ["-q", "-F", disk], { stdio: "ignore" });
      return new PowerlessDisk(home);
    } catch {
      rmSync(home, { recursive: true });
      return undefined;
    }
  }

  /** Where the disk is as it would be found after a loss of power now. */
  losePower(): string {
    const name = `left-${this.#mounted.length}`;
    copyFileSync(join(this.#home, "disk"), join(this.#home, name));
    return this.#mount(name, `${name}-mounted`);
  }

  #mount(file: string, name: string): string {
    const path = join(this.#home, name);
    mkdirSync(path);
    const options = `loop,commit=${COMMIT_SECONDS}`;
    execFileSync("mount", ["-o", options, join(this.#home, file), path], { stdio: "ignore" });
    this.#mounted.push(path);
    return path;
  }

  [Symbol.dispose](): void {
    for (const path of this.#mounted) execFileSync("umount", [path]);
    rmSync(this.#home, { recursive: true });
  }
}
