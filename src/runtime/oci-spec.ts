/** From what Gantry knows of a container to the OCI runtime spec that runc executes. Pure. */
import { effectiveCapabilities } from "./capabilities.ts";
import type { MappedDevice } from "./device-mappings.ts";
import type { HostFacts } from "./host-facts.ts";
import type { OciLinux, OciSpec } from "./oci.ts";
import { defaultMounts, initMounts, userMounts } from "./oci-mounts.ts";
import { processOf } from "./oci-process.ts";
import { resourcesOf } from "./oci-resources.ts";
import type { ContainerSpec } from "./runtime.ts";
import { seccompProfile } from "./seccomp.ts";
import type { ProcessUser } from "./users.ts";

export interface OciSpecInput {
  readonly container: ContainerSpec;
  /** `container.user`, looked up inside the image. */
  readonly user: ProcessUser;
  readonly host: HostFacts;
  /** `container.devices`, looked up. */
  readonly devices: readonly MappedDevice[];
  /** What the holder of the task's shared namespaces has; undefined when the container shares none. */
  readonly holder: HolderPlace | undefined;
  /** Path of the container's control group below the mounts, e.g. `/gantry/<taskId>/<id>`. */
  readonly cgroupsPath: string;
}

/** Where the namespaces are that a task shares. */
export interface HolderPlace {
  readonly pid: number;
  /** The /dev/shm of its ipc namespace. */
  readonly shmPath: string;
}

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
    process: processOf(container, input.user, host, capabilities),
    root: { path: "rootfs", readonly: container.readonlyRootfs },
    ...(container.hostname === undefined ? {} : { hostname: container.hostname }),
    mounts: mountsOf(input),
    // One shim serves all containers of a task (containerd's shim for runc looks for this annotation).
    annotations: { "io.containerd.runc.v2.group": container.taskId },
    linux: linuxOf(input, capabilities),
  };
}

function mountsOf({ container, holder, host }: OciSpecInput): OciSpec["mounts"] {
  const own = [...userMounts(container), ...initMounts(container, host)];
  const replaced = new Set(own.map(({ destination }) => destination));
  return [
    ...defaultMounts(container, holder?.shmPath).filter(
      ({ destination }) => !replaced.has(destination),
    ),
    ...own,
  ];
}

function linuxOf(input: OciSpecInput, capabilities: readonly string[]): OciLinux {
  const { container, devices, host } = input;
  const { network, privileged } = container;
  const networkSysctls = network.mode === "host" ? {} : NETWORK_SYSCTLS;
  const mapped = devices.map(({ node }) => node);
  const paths = new Set(mapped.map(({ path }) => path));
  const allDevices = [...mapped, ...host.devices.filter(({ path }) => !paths.has(path))];
  return {
    cgroupsPath: input.cgroupsPath,
    namespaces: namespacesOf(input),
    sysctl: { ...networkSysctls, ...container.sysctls },
    resources: resourcesOf(container, host, devices),
    devices: privileged ? allDevices : mapped,
    ...(privileged ? {} : { maskedPaths: MASKED_PATHS, readonlyPaths: READONLY_PATHS }),
    ...(host.seccomp && !privileged
      ? { seccomp: seccompProfile(host.architecture, new Set(capabilities)) }
      : {}),
  };
}

function namespacesOf({ container, holder, host }: OciSpecInput): OciLinux["namespaces"] {
  const { ipcNamespace, network, pidNamespace, privileged } = container;
  return [
    ...namespaceOf("pid", pidNamespace, holder),
    ...namespaceOf("ipc", ipcNamespace, holder),
    { type: "uts" },
    { type: "mount" },
    ...(host.cgroupVersion === 2 && !privileged ? [{ type: "cgroup" }] : []),
    ...(network.mode === "namespace" ? [{ type: "network", path: network.path }] : []),
    ...(network.mode === "isolated" ? [{ type: "network" }] : []),
  ];
}

function namespaceOf(
  type: "pid" | "ipc",
  choice: ContainerSpec["ipcNamespace"],
  holder: HolderPlace | undefined,
): OciLinux["namespaces"] {
  if (choice === "host") return [];
  if (choice === "own" || choice === "none") return [{ type }];
  if (holder === undefined) throw new Error(`nobody holds the task's ${type} namespace`);
  return [{ type, path: `/proc/${holder.pid}/ns/${type}` }];
}
