/** The limits of a container's OCI specification. Pure. */
import type { MappedDevice } from "./device-mappings.ts";
import type { HostFacts } from "./host-facts.ts";
import type { OciLinux } from "./oci.ts";
import type { ContainerSpec } from "./runtime.ts";

/** Stops a fork bomb well before the smallest default kernel.pid_max (32768); no ECS setting raises or lowers it. */
const PIDS_MAX = 16_384;
/** The kernel's smallest weight of the cpu controller. */
const CPU_SHARES_MIN = 2;

/** Throws an Error with what the container asks for and cannot have on this machine. */
export function resourcesOf(
  container: ContainerSpec,
  host: HostFacts,
  devices: readonly MappedDevice[],
): OciLinux["resources"] {
  return {
    // runc adds the harmless devices (null, zero, random, tty …) to what is allowed here.
    devices: [
      { allow: container.privileged, access: "rwm" },
      ...(container.privileged ? [] : devices.map(({ rule }) => rule)),
    ],
    cpu: { shares: Math.max(CPU_SHARES_MIN, container.cpuShares) },
    memory: memoryOf(container, host),
    pids: { limit: PIDS_MAX },
  };
}

function memoryOf(container: ContainerSpec, host: HostFacts): OciLinux["resources"]["memory"] {
  const { memoryBytesMax: limit, memoryBytesReserved: reservation } = container;
  const swap = swapOf(container, host);
  const swappiness = swappinessOf(container, host);
  return {
    ...(limit === undefined ? {} : { limit }),
    ...(swap === undefined ? {} : { swap }),
    ...(reservation === undefined ? {} : { reservation }),
    ...(swappiness === undefined ? {} : { swappiness }),
  };
}

/** Unless asked for, equal to the memory limit: no swap beside it, so that the limit is one. */
function swapOf(
  { memoryBytesMax, memorySwapBytesMax: asked }: ContainerSpec,
  { canLimitSwap }: HostFacts,
): number | undefined {
  if (asked === undefined) return canLimitSwap ? memoryBytesMax : undefined;
  if (memoryBytesMax === undefined) {
    throw new Error("maxSwap needs a memory limit of the container's own");
  }
  if (!canLimitSwap) throw new Error("maxSwap: this machine's kernel does not account for swap");
  return asked;
}

/** Only control groups of version 1 have it. What version 2 does anyway may be asked for there. */
function swappinessOf(
  { memorySwapBytesMax, swappiness: asked }: ContainerSpec,
  host: HostFacts,
): number | undefined {
  // ECS: without maxSwap it is ignored.
  if (asked === undefined || memorySwapBytesMax === undefined) return undefined;
  if (host.cgroupVersion === 1) return asked;
  if (asked === host.swappiness) return undefined;
  throw new Error(
    `swappiness: control groups of version 2 have none of their own; this machine's is ${host.swappiness}`,
  );
}
