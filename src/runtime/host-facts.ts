import { existsSync } from "node:fs";
import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { CONTAINER_PROFILE } from "./apparmor.ts";
import { CAPABILITY_NAMES } from "./capabilities.ts";
import type { CgroupMounts } from "./cgroups.ts";
import { findExecutable } from "./executables.ts";
import type { OciDevice } from "./oci.ts";

/** What a container's spec depends on of this machine, and of what this process may do on it. */
export interface HostFacts {
  /** node's name, e.g. `x64`. */
  readonly architecture: string;
  readonly cgroupVersion: 1 | 2;
  /** Whether the kernel can limit swap beside memory. */
  readonly canLimitSwap: boolean;
  /** Capabilities this process holds and may pass on, without `CAP_`. */
  readonly capabilities: ReadonlySet<string>;
  /** Own hard limits by ulimit name; those without one are absent. */
  readonly hardLimits: ReadonlyMap<string, number>;
  /** CAP_SYS_RESOURCE: own hard limits do not bind. */
  readonly canRaiseLimits: boolean;
  /** Own score; children may not have a lower one where CAP_SYS_RESOURCE lacks. */
  readonly oomScoreAdj: number;
  readonly seccomp: boolean;
  /** A loaded AppArmor profile made for containers; undefined where there is no AppArmor. */
  readonly apparmorProfile: string | undefined;
  /** Every loaded AppArmor profile; undefined where there is no AppArmor. */
  readonly apparmorProfiles: ReadonlySet<string> | undefined;
  /** /proc/sys/vm/swappiness: what version 2 control groups cannot change. */
  readonly swappiness: number;
  /** Path of catatonit, which is init and holds namespaces; undefined when it is not installed. */
  readonly initPath: string | undefined;
  /** Every device node, for privileged containers. */
  readonly devices: readonly OciDevice[];
}

/** Ours, and behind it those of other engines of this machine, which allow about the same. */
const APPARMOR_PROFILES = [
  CONTAINER_PROFILE,
  "docker-default",
  "containerd-default",
  "cri-containerd.apparmor.d",
];
/** Directories of /dev that a container gets an own instance of. */
const OWN_DEVICES = new Set(["pts", "shm", "mqueue", "fd", "console"]);
/** ulimit name → its row in /proc/self/limits. */
const LIMIT_ROWS: Readonly<Record<string, string>> = {
  core: "Max core file size",
  cpu: "Max cpu time",
  data: "Max data size",
  fsize: "Max file size",
  locks: "Max file locks",
  memlock: "Max locked memory",
  msgqueue: "Max msgqueue size",
  nice: "Max nice priority",
  nofile: "Max open files",
  nproc: "Max processes",
  rss: "Max resident set",
  rtprio: "Max realtime priority",
  rttime: "Max realtime timeout",
  sigpending: "Max pending signals",
  stack: "Max stack size",
};

/** Looks at /proc, /sys and /dev once; the answers do not change while a process lives. */
export async function readHostFacts(cgroups: CgroupMounts): Promise<HostFacts> {
  const read = (path: string): Promise<string> => readFile(path, "utf8").catch(() => "");
  const capabilities = parseCapabilities(await read("/proc/self/status"));
  const profileList = await read("/sys/kernel/security/apparmor/profiles");
  const profiles = profileList === "" ? undefined : parseProfiles(profileList);
  const memory = cgroups.controllers.get("memory") ?? "";
  return {
    architecture: process.arch,
    cgroupVersion: cgroups.version,
    canLimitSwap:
      cgroups.version === 1
        ? existsSync(join(memory, "memory.memsw.limit_in_bytes"))
        : await hasSwapController(cgroups.controllers.get("unified") ?? ""),
    capabilities,
    hardLimits: parseHardLimits(await read("/proc/self/limits")),
    canRaiseLimits: capabilities.has("SYS_RESOURCE"),
    oomScoreAdj: Number(await read("/proc/self/oom_score_adj")),
    seccomp: existsSync("/proc/sys/kernel/seccomp/actions_avail"),
    apparmorProfile: APPARMOR_PROFILES.find((name) => profiles?.has(name)),
    apparmorProfiles: profiles,
    swappiness: Number(await read("/proc/sys/vm/swappiness")),
    initPath: await findExecutable("catatonit"),
    devices: await listDevices("/dev"),
  };
}

/** The capabilities both permitted and in the bounding set, from the text of /proc/…/status. */
export function parseCapabilities(status: string): ReadonlySet<string> {
  const mask = (row: string): bigint => {
    const hex = new RegExp(`^${row}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1];
    return BigInt(`0x${hex ?? "0"}`);
  };
  const held = mask("CapPrm") & mask("CapBnd");
  return new Set(CAPABILITY_NAMES.filter((_, bit) => (held >> BigInt(bit)) & 1n));
}

/** The hard limits from the text of /proc/…/limits: name, soft, hard, unit in columns. */
export function parseHardLimits(text: string): ReadonlyMap<string, number> {
  const limits = new Map<string, number>();
  for (const [name, row] of Object.entries(LIMIT_ROWS)) {
    const line = text.split("\n").find((candidate) => candidate.startsWith(row)) ?? "";
    const hard = line.slice(row.length).trim().split(/\s+/)[1];
    if (hard !== undefined && /^\d+$/.test(hard)) limits.set(name, Number(hard));
  }
  return limits;
}

/** Lines of `name (mode)`. */
function parseProfiles(text: string): ReadonlySet<string> {
  return new Set(text.split("\n").map((line) => line.replace(/ \(\w+\)$/, "")));
}

/** The root group has no limits, so that one below has to be asked; none is there on an idle machine without systemd. */
async function hasSwapController(root: string): Promise<boolean> {
  const groups = (await readdir(root, { withFileTypes: true }).catch(() => [])).filter((entry) =>
    entry.isDirectory(),
  );
  const withMemory = groups.filter(({ name }) => existsSync(join(root, name, "memory.max")));
  if (withMemory.length === 0) return existsSync("/proc/swaps");
  return withMemory.some(({ name }) => existsSync(join(root, name, "memory.swap.max")));
}

/** The device nodes below a directory. */
export async function listDevices(directory: string): Promise<readonly OciDevice[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const found = await Promise.all(
    entries.map(async (entry): Promise<readonly OciDevice[]> => {
      const path = join(directory, entry.name);
      if (directory === "/dev" && OWN_DEVICES.has(entry.name)) return [];
      if (entry.isDirectory()) return listDevices(path);
      const device = await readDevice(path);
      return device === undefined ? [] : [device];
    }),
  );
  return found.flat();
}

/** The device node at `path`; undefined when that is something else. */
export async function readDevice(path: string): Promise<OciDevice | undefined> {
  const status = await lstat(path);
  if (!status.isCharacterDevice() && !status.isBlockDevice()) return undefined;
  const { rdev, mode, uid, gid } = status;
  const type = status.isBlockDevice() ? "b" : "c";
  return { path, type, ...deviceNumbers(rdev), fileMode: mode & 0o777, uid, gid };
}

/** Undoes the C library's makedev(): 12 bits of major, 20 of minor, folded together. */
function deviceNumbers(rdev: number): { major: number; minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}
