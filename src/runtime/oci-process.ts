/** The process of a container's OCI specification. Pure. */
import type { HostFacts } from "./host-facts.ts";
import type { OciProcess, OciRlimit } from "./oci.ts";
import { INIT_TARGET } from "./oci-mounts.ts";
import type { ContainerSpec } from "./runtime.ts";
import type { ProcessUser } from "./users.ts";

const PATH_DEFAULT = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** What ECS gives on Fargate: many servers fail with the kernel's 1024. */
const OPEN_FILES_DEFAULT = 65_535;
/** Stands for RLIM_INFINITY, which no JSON number of ours can write exactly; nothing can be used up to this either. */
const UNLIMITED = 2 ** 63;
const ULIMITS = new Set(
  "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(
    " ",
  ),
);

/** `capabilities`: without `CAP_`. Throws an Error with what the container asks for and cannot have. */
export function processOf(
  container: ContainerSpec,
  user: ProcessUser,
  host: HostFacts,
  capabilities: readonly string[],
): OciProcess {
  const named = capabilities.map((name) => `CAP_${name}`);
  // A user other than root holds none at first; the bounding set says what setuid programs may gain.
  const held = user.uid === 0 ? named : [];
  const apparmorProfile = apparmorOf(container, host);
  return {
    terminal: container.terminal,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: container.init ? [INIT_TARGET, "--", ...container.args] : container.args,
    env: environmentOf(container, user),
    cwd: container.workingDirectory || "/",
    capabilities: { bounding: named, effective: held, permitted: held },
    rlimits: rlimitsOf(container, host),
    noNewPrivileges: container.noNewPrivileges,
    // Without CAP_SYS_RESOURCE the kernel refuses to make a process less likely a victim than its parent.
    oomScoreAdj: Math.max(0, host.oomScoreAdj),
    ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
  };
}

/** Asking for a profile by name is never ignored, as runc would where there is no AppArmor. */
function apparmorOf(
  { apparmorProfile: asked, privileged }: ContainerSpec,
  host: HostFacts,
): string | undefined {
  if (asked === undefined) return privileged ? undefined : host.apparmorProfile;
  if (asked === "unconfined") return undefined;
  if (host.apparmorProfiles === undefined) {
    throw new Error(`there is no AppArmor on this machine to apply profile ${asked}`);
  }
  if (!host.apparmorProfiles.has(asked)) {
    throw new Error(`the AppArmor profile ${asked} is not loaded on this machine`);
  }
  return asked;
}

function environmentOf(container: ContainerSpec, user: ProcessUser): readonly string[] {
  const defaults = [
    PATH_DEFAULT,
    ...(container.hostname === undefined ? [] : [`HOSTNAME=${container.hostname}`]),
    ...(container.terminal ? ["TERM=xterm"] : []),
    `HOME=${user.home}`,
  ];
  const byName = new Map<string, string>();
  for (const entry of [...defaults, ...container.environment]) {
    byName.set(entry.split("=", 1)[0] ?? entry, entry);
  }
  return [...byName.values()];
}

/** The default number of open files is lowered to what this machine may give; a limit that was asked for is not. */
function rlimitsOf(container: ContainerSpec, host: HostFacts): readonly OciRlimit[] {
  const byName = new Map<string, OciRlimit>();
  const files = Math.min(OPEN_FILES_DEFAULT, ceilingOf("nofile", host));
  byName.set("nofile", { type: "RLIMIT_NOFILE", soft: files, hard: files });
  for (const limit of container.ulimits) byName.set(limit.name, rlimitOf(limit, host));
  return [...byName.values()];
}

function rlimitOf(limit: ContainerSpec["ulimits"][number], host: HostFacts): OciRlimit {
  const { name } = limit;
  if (!ULIMITS.has(name)) throw new Error(`invalid ulimit type: ${name}`);
  const [soft, hard] = [limit.soft, limit.hard].map((value) => (value < 0 ? UNLIMITED : value));
  if (soft === undefined || hard === undefined || soft > hard) {
    throw new Error(`ulimit ${name}: the soft limit ${limit.soft} is above the hard ${limit.hard}`);
  }
  const ceiling = ceilingOf(name, host);
  if (hard > ceiling) {
    const asked = limit.hard < 0 ? "unlimited" : limit.hard;
    throw new Error(
      `ulimit ${name}: ${asked} is above ${ceiling}, the hard limit of this machine's agent, which it has no right to raise`,
    );
  }
  return { type: `RLIMIT_${name.toUpperCase()}`, soft, hard };
}

function ceilingOf(name: string, host: HostFacts): number {
  return host.canRaiseLimits ? UNLIMITED : (host.hardLimits.get(name) ?? UNLIMITED);
}
