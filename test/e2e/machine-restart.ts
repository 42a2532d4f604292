/** What a restart of the machine does to a system, without restarting the machine: only what is on the disk stays. */
import { globSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { command, type GantryKit, until } from "./gantry-kit.ts";

/** Where runc keeps what it knows of containers, below containerd's namespace of ours. */
const RUNC_STATE = "/run/containerd/runc/gantry";

/** Takes away processes, mounts, network, control groups, and what lies below /run. Nobody is told. */
export async function loseMachine(gantry: GantryKit): Promise<void> {
  const { directory } = gantry;
  const identity = readFileSync(join(directory, "identity.json"), "utf8");
  const { systemId } = JSON.parse(identity) as { systemId: string };
  const bundles = globSync(join(directory, "node/containerd/state/*/gantry/*/address"));
  await gantry.stop("SIGKILL");
  // containerd first: it must not see the others end.
  killWhere((line) => line.includes(`--config ${directory}`));
  killWhere((line) => line.includes(directory));
  await until("no process is left", () => killInGroups(systemId) === 0);
  await removeMounts(directory);
  await removeNetwork(systemId);
  for (const path of groupsOf(systemId)) await until(`${path} is gone`, () => isRemoved(path));
  for (const bundle of bundles) {
    rmSync(readFileSync(bundle, "utf8").replace("unix://", ""), { force: true });
    rmSync(join(RUNC_STATE, basename(dirname(bundle))), { recursive: true, force: true });
  }
}

function killWhere(isMeant: (commandLine: string) => boolean): void {
  for (const path of globSync("/proc/[0-9]*/cmdline")) {
    const line = read(path).replaceAll("\0", " ");
    if (isMeant(line)) kill(Number(path.split("/")[2]));
  }
}

/** How many there still were. */
function killInGroups(systemId: string): number {
  const pids = groupsOf(systemId).flatMap((path) =>
    read(join(path, "cgroup.procs")).split("\n").filter(Boolean),
  );
  for (const pid of pids) kill(Number(pid));
  return pids.length;
}

/** The innermost first. */
function groupsOf(systemId: string): readonly string[] {
  const paths = globSync(`/sys/fs/cgroup/{,*/}gantry-${systemId}/{,*/,*/*/}`);
  return paths.sort((a, b) => b.length - a.length);
}

function isRemoved(path: string): boolean {
  try {
    rmdirSync(path);
  } catch (error) {
    // What was killed may not be reaped yet.
    if ((error as NodeJS.ErrnoException).code === "EBUSY") return false;
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return true;
}

async function removeMounts(directory: string): Promise<void> {
  const places = read("/proc/self/mounts")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((place) => place.startsWith(directory));
  for (const place of places.reverse()) await command("umount", ["--lazy", place]);
}

async function removeNetwork(systemId: string): Promise<void> {
  const named = async (program: string, ...args: string[]): Promise<string[]> =>
    (await command(program, args)).stdout.split("\n").filter((line) => line.includes(systemId));
  for (const line of await named("ip", "netns", "list")) {
    await command("ip", ["netns", "delete", line.split(" ")[0] ?? ""]);
  }
  for (const line of await named("nft", "list", "tables")) {
    await command("nft", ["delete", ...line.split(" ")]);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
