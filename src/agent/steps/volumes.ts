import { RuntimeError } from "../../runtime/runtime.ts";
import type { Disk } from "../disk.ts";
import type { VolumeMount } from "../volumes.ts";

/**
 * Makes the directories of volumes that are not there. Throws RuntimeError for one that somebody else must have made, and
 * for a machine's path that cannot be.
 */
export async function makeVolumes(disk: Disk, mounts: readonly VolumeMount[]): Promise<void> {
  for (const { mayMake, source, volume } of mounts) {
    if (!mayMake) {
      if (await disk.exists(source)) continue;
      throw new RuntimeError(
        `there is no volume ${volume} on this machine, and autoprovision is off (a directory ${source} would be it)`,
      );
    }
    await disk.makeDirectory(source).catch((error: unknown) => {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      // A file may be mounted as well.
      if (code === "EEXIST") return;
      const reason = error instanceof Error ? error.message : String(error);
      throw new RuntimeError(`cannot make the directory of volume ${volume}: ${reason}`);
    });
  }
}
