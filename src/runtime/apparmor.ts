/**
 * The AppArmor profile of containers, where the kernel has AppArmor. It stands behind what else confines them (masked and
 * read-only paths, seccomp, few capabilities) and is what is left of that when a container was given CAP_SYS_ADMIN.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { Log } from "../lib/log.ts";
import { findExecutable, SYSTEM_PATH } from "./executables.ts";

export const CONTAINER_PROFILE = "gantry-default";

/**
 * Everything but mounts, and writes to the parts of /proc and /sys that are the whole machine's: /proc/<pid> and control
 * groups are not. Who may signal or trace a container is the sender's profile's business (Debian gives runc one of its own);
 * a container reaches containers only.
 */
const PROFILE = `profile ${CONTAINER_PROFILE} flags=(attach_disconnected,mediate_deleted) {
  network,
  capability,
  file,
  umount,
  unix,
  signal receive,
  signal send peer=${CONTAINER_PROFILE},
  ptrace (readby, tracedby),
  ptrace (read, trace) peer=${CONTAINER_PROFILE},

  deny mount,
  deny /proc/[^1-9]** wkl,
  deny /sys/[^f]** wkl,
  deny /sys/f[^s]** wkl,
  deny /sys/fs/[^c]** wkl,
  deny /sys/fs/c[^g]** wkl,
}
`;

/**
 * Loads the profile into the kernel, in place of one of a former version. A machine that cannot is told of and goes on
 * without: whether there is a profile is then read with the other facts of the machine.
 */
export async function loadContainerProfile(log: Log): Promise<void> {
  if (!(await isAppArmorOn())) return;
  const parser = await findExecutable("apparmor_parser");
  if (parser === undefined) {
    log.warn("containers run without an AppArmor profile: apt-get install apparmor");
    return;
  }
  const child = spawn(parser, ["--replace", "--skip-cache"], {
    stdio: ["pipe", "ignore", "pipe"],
    env: { PATH: SYSTEM_PATH },
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(PROFILE);
  const [problem, [code]] = await Promise.all([text(child.stderr), once(child, "close")]);
  if (code === 0) return;
  log.warn("containers run without Gantry's AppArmor profile", { problem: problem.trim() });
}

/** Whether this kernel confines programs by AppArmor. */
export async function isAppArmorOn(): Promise<boolean> {
  const enabled = "/sys/module/apparmor/parameters/enabled";
  return (await readFile(enabled, "utf8").catch(() => "")).startsWith("Y");
}
