import type { Mount } from "./containerd/messages.ts";
import { readRootfsFile } from "./rootfs-files.ts";

/** Who an image says there is: its passwd(5) and group(5), "" where it has none. */
export interface Accounts {
  readonly passwd: string;
  readonly group: string;
}

/** Chosen: images of which tasks are started over and over. */
const KEPT_MAX = 256;
/** Chosen: of larger files there are few, and they are read each time. */
const KEPT_LENGTH_MAX = 16_384;

/** The accounts of images, remembered: a committed snapshot never changes. */
export class ImageAccounts {
  readonly #kept = new Map<string, Accounts>();

  /** `parent`: the image's snapshot, "" for none; `rootfs`: mounts of a fresh one above it. */
  async of(parent: string, rootfs: readonly Mount[]): Promise<Accounts> {
    const known = this.#kept.get(parent);
    if (known !== undefined) return known;
    const [passwd, group] = await Promise.all([
      readRootfsFile(rootfs, "/etc/passwd"),
      readRootfsFile(rootfs, "/etc/group"),
    ]);
    const accounts = { passwd, group };
    if (passwd.length + group.length <= KEPT_LENGTH_MAX) this.#kept.set(parent, accounts);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_MAX && oldest !== undefined) this.#kept.delete(oldest);
    return accounts;
  }
}
