/** From what Gantry knows of a container to the OCI runtime spec that runc executes. Pure. */
import { effectiveCapabilities } from "./capabilities.ts";
import type { HostFacts } from "./host-facts.ts";
import type { OciLinux, OciProcess, OciRlimit, OciSpec } from "./oci.ts";
import { defaultMounts, userMounts } from "./oci-mounts.ts";
import type { ContainerSpec } from "./runtime.ts";
import { seccompProfile } from "./seccomp.ts";
import type { ProcessUser } from "./users.ts";

export interface OciSpecInput {
  readonly container: ContainerSpec;
  /** `container.user`, looked up inside the image. */
  readonly user: ProcessUser;
  readonly host: HostFacts;
  /** Path of the container's control group below the mounts, e.g. `/gantry/<taskId>/<id>`. */
  readonly cgroupsPath: string;
}

const PATH_DEFAULT = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Stops a fork bomb well before the smallest default kernel.pid_max (32768); no ECS setting raises or lowers it. */
const PIDS_MAX = 16_384;
/** The kernel's smallest weight of the cpu controller. */
const CPU_SHARES_MIN = 2;
/** What ECS gives on Fargate: many servers fail with the kernel's 1024. */
const OPEN_FILES_DEFAULT = 65_535;
/** Stands for RLIM_INFINITY, which no JSON number of ours can write exactly; nothing can be used up to this either. */
const UNLIMITED = 2 ** 63;
const ULIMITS = new Set(
  "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(
    " ",
  ),
);

/** What Docker hides of /proc and /sys because the kernel shows the whole machine there, not the container. */
const MASKED_PATHS = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];
const READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** As Docker does in a network namespace of the container's own: any user may listen on port 80, and ping. */
const NETWORK_SYSCTLS: Readonly<Record<string, string>> = {
  "net.ipv4.ip_unprivileged_port_start": "0",
  "net.ipv4.ping_group_range": "0 2147483647",
};

/** Builds the spec. Throws an Error with what the container asks for and cannot have. */
export function buildOciSpec(input: OciSpecInput): OciSpec {
  const { container, host } = input;
  if (container.args.length === 0) throw new Error("no command specified");
  const capabilities = effectiveCapabilities(container, host.capabilities);
  return {
    ociVersion: "1.0.2",
    process: processOf(input, capabilities),
    root: { path: "rootfs", readonly: container.readonlyRootfs },
    ...(container.hostname === undefined ? {} : { hostname: container.hostname }),
    mounts: mountsOf(container),
    // One shim serves all containers of a task (containerd's shim for runc looks for this annotation).
    annotations: { "io.containerd.runc.v2.group": container.taskId },
    linux: linuxOf(input, capabilities),
  };
}

function processOf(input: OciSpecInput, capabilities: readonly string[]): OciProcess {
  const { container, user, host } = input;
  const named = capabilities.map((name) => `CAP_${name}`);
  // A user other than root holds none at first; the bounding set says what setuid programs may gain.
  const held = user.uid === 0 ? named : [];
  return {
    terminal: container.terminal,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: container.args,
    env: environmentOf(container, user),
    cwd: container.workingDirectory || "/",
    capabilities: { bounding: named, effective: held, permitted: held },
    rlimits: rlimitsOf(container, host),
    noNewPrivileges: container.noNewPrivileges,
    // Without CAP_SYS_RESOURCE the kernel refuses to make a process less likely a victim than its parent.
    oomScoreAdj: Math.max(0, host.oomScoreAdj),
    ...(host.apparmorProfile === undefined || container.privileged
      ? {}
      : { apparmorProfile: host.apparmorProfile }),
  };
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

function rlimitsOf(container: ContainerSpec, host: HostFacts): readonly OciRlimit[] {
  const byName = new Map([
    ["nofile", { name: "nofile", soft: OPEN_FILES_DEFAULT, hard: OPEN_FILES_DEFAULT }],
  ]);
  for (const limit of container.ulimits) {
    if (!ULIMITS.has(limit.name)) throw new Error(`invalid ulimit type: ${limit.name}`);
    byName.set(limit.name, limit);
  }
  return [...byName.values()].map(({ name, soft, hard }) => {
    const ceiling = host.canRaiseLimits ? UNLIMITED : (host.hardLimits.get(name) ?? UNLIMITED);
    const hardClamped = Math.min(hard < 0 ? UNLIMITED : hard, ceiling);
    const softClamped = Math.min(soft < 0 ? UNLIMITED : soft, hardClamped);
    return { type: `RLIMIT_${name.toUpperCase()}`, soft: softClamped, hard: hardClamped };
  });
}

function mountsOf(container: ContainerSpec): OciSpec["mounts"] {
  const own = userMounts(container);
  const replaced = new Set(own.map(({ destination }) => destination));
  return [
    ...defaultMounts(container).filter(({ destination }) => !replaced.has(destination)),
    ...own,
  ];
}

function linuxOf(input: OciSpecInput, capabilities: readonly string[]): OciLinux {
  const { container, host } = input;
  const { network, privileged } = container;
  const networkSysctls = network.mode === "namespace" ? NETWORK_SYSCTLS : {};
  return {
    cgroupsPath: input.cgroupsPath,
    namespaces: [
      ...["pid", "ipc", "uts", "mount"].map((type) => ({ type })),
      ...(host.cgroupVersion === 2 && !privileged ? [{ type: "cgroup" }] : []),
      ...(network.mode === "namespace" ? [{ type: "network", path: network.path }] : []),
    ],
    sysctl: { ...networkSysctls, ...container.sysctls },
    resources: resourcesOf(container, host),
    ...(privileged
      ? { devices: host.devices }
      : { maskedPaths: MASKED_PATHS, readonlyPaths: READONLY_PATHS }),
    ...(host.seccomp && !privileged
      ? { seccomp: seccompProfile(host.architecture, new Set(capabilities)) }
      : {}),
  };
}

function resourcesOf(container: ContainerSpec, host: HostFacts): OciLinux["resources"] {
  const { memoryBytesMax, memoryBytesReserved } = container;
  const memory = {
    ...(memoryBytesMax === undefined ? {} : { limit: memoryBytesMax }),
    // Equal to the limit: no swap beside it, so that the limit is one.
    ...(memoryBytesMax === undefined || !host.canLimitSwap ? {} : { swap: memoryBytesMax }),
    ...(memoryBytesReserved === undefined ? {} : { reservation: memoryBytesReserved }),
  };
  return {
    // runc adds the harmless devices (null, zero, random, tty …) to what is allowed here.
    devices: [{ allow: container.privileged, access: "rwm" }],
    cpu: { shares: Math.max(CPU_SHARES_MIN, container.cpuShares) },
    memory,
    pids: { limit: PIDS_MAX },
  };
}
