import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { util } from "../lib/builtins.ts";
import { messageOf } from "../lib/errors.ts";
import { findCgroupMounts } from "./cgroups.ts";
import { findExecutable, SYSTEM_PATH } from "./executables.ts";

/** One thing this machine must be able to do before it can run containers. */
export interface HostCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What is wrong, when not ok. */
  readonly problem?: string;
  /** What to do about it, when something can be done. */
  readonly remedy?: string;
}

const TIMEOUT_MS = 10_000;
const BINARIES: Readonly<Record<string, string>> = {
  containerd: "containerd",
  runc: "runc",
  "containerd-shim-runc-v2": "containerd",
  ip: "iproute2",
  nft: "nftables",
  conntrack: "conntrack",
  "mkfs.ext4": "e2fsprogs",
};
const PRIVILEGES = "run it as root on a real or virtual machine, or in a privileged container";

/**
 * Tries out what running containers needs; never throws and leaves nothing behind. `directory`: where the node's data
 * will lie, since overlayfs depends on the file system below (default: the directory of temporary files).
 */
export async function checkHost(
  options: { readonly directory?: string } = {},
): Promise<readonly HostCheck[]> {
  const binaries = Object.entries(BINARIES).map(([binary, debianPackage]) =>
    check(`${binary} installed`, `apt-get install ${debianPackage}`, async () => {
      if ((await findExecutable(binary)) === undefined) throw new Error("not found in PATH");
    }),
  );
  return Promise.all([
    check("root", "run it as root (sudo)", async () => {
      if (process.geteuid?.() !== 0) throw new Error(`running as uid ${process.geteuid?.()}`);
    }),
    check("namespaces", PRIVILEGES, async () => {
      await run("unshare", ["--mount", "--net", "--pid", "--fork", "true"]);
    }),
    check("cgroups", PRIVILEGES, tryCgroup),
    check("overlayfs", "choose a data directory on ext4 or xfs, or load the module overlay", () =>
      tryOverlay(options.directory ?? tmpdir()),
    ),
    check("loop devices", "load the module loop (modprobe loop)", () =>
      tryLoop(options.directory ?? tmpdir()),
    ),
    ...binaries,
  ]);
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const env = { ...process.env, PATH: SYSTEM_PATH };
  await util.promisify(execFile)(program, args, { timeout: TIMEOUT_MS, env });
}

async function check(
  name: string,
  remedy: string,
  attempt: () => Promise<void>,
): Promise<HostCheck> {
  try {
    await attempt();
    return { name, ok: true };
  } catch (error) {
    return { name, ok: false, problem: problemOf(error), remedy };
  }
}

function problemOf(error: unknown): string {
  const stderr = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
  return stderr.split("\n").at(-1) || messageOf(error);
}

async function tryCgroup(): Promise<void> {
  const mounts = await findCgroupMounts();
  const mount =
    mounts.version === 2 ? mounts.controllers.get("unified") : mounts.controllers.get("memory");
  if (mount === undefined) throw new Error("no memory controller is mounted below /sys/fs/cgroup");
  const directory = join(mount, `gantry-check-${process.pid}`);
  await mkdir(directory);
  await rmdir(directory);
}

async function tryOverlay(parent: string): Promise<void> {
  await tryMount(
    parent,
    "mkdir lower upper work merged && " +
      "mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged",
  );
}

/** The disks of FARGATE tasks need them. */
async function tryLoop(parent: string): Promise<void> {
  await tryMount(
    parent,
    "truncate -s 1M disk && mkfs.ext4 -q -F -O ^has_journal disk && mkdir root && mount -o loop disk root",
  );
}

/** Runs a script in a directory of its own, in a mount namespace that takes its mounts with it. */
async function tryMount(parent: string, script: string): Promise<void> {
  await mkdir(parent, { recursive: true });
  const directory = await mkdtemp(join(parent, "gantry-check-"));
  try {
    await run("unshare", ["--mount", "sh", "-c", `cd "$1" && ${script}`, "sh", directory]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
