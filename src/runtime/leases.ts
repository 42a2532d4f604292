/** Leases of containerd's garbage collector: what is brought in under one stays until a name points at it. */
import { readFile } from "node:fs/promises";
import type { Clock } from "../lib/clock.ts";
import type { Containerd } from "./containerd/client.ts";

export interface Leases {
  /** Does `work` under a lease of its own. When it fails, what it made is gone afterwards. */
  with<T>(purpose: string, work: (lease: string) => Promise<T>): Promise<T>;
  /** Lets go of what processes were bringing in that have died. */
  removeOrphans(): Promise<void>;
}

/** After a crash nobody cleans up after (the machine's), what was brought in so far is garbage this much later. */
const LEASE_MS = 24 * 60 * 60_000;
const OWNER_LABEL = "io.gantry.owner";

/** The leases of this process. */
export function createLeases(containerd: Containerd, clock: Clock): Leases {
  let count = 0;
  return {
    with: async (purpose, work) => {
      const owner = await processIdentity(process.pid);
      const lease = `gantry-${purpose}-${process.pid}-${clock.now()}-${++count}`;
      const expire = new Date(clock.now() + LEASE_MS).toISOString();
      await containerd.leases.create(lease, {
        "containerd.io/gc.expire": expire,
        [OWNER_LABEL]: owner ?? "",
      });
      let result: Awaited<ReturnType<typeof work>>;
      try {
        result = await work(lease);
      } catch (error) {
        await containerd.leases.delete(lease, { sync: true });
        throw error;
      }
      await containerd.leases.delete(lease, { sync: false });
      return result;
    },
    removeOrphans: async () => {
      for (const { id, labels } of await containerd.leases.list()) {
        const owner = labels[OWNER_LABEL];
        if (owner === undefined) continue;
        if ((await processIdentity(Number(owner.split("@")[0]))) === owner) continue;
        await containerd.leases.delete(id, { sync: true });
      }
    },
  };
}

/** `pid@start`: process ids come again, but not with the same start (clock ticks since boot; /proc/PID/stat, field 22). */
async function processIdentity(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  // The second field, the program's name, may hold spaces and parentheses.
  const start = text?.slice(text.lastIndexOf(")") + 2).split(" ")[19];
  return start === undefined ? undefined : `${pid}@${start}`;
}
