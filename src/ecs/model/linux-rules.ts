import type { LinuxParameters, SystemControl } from "@aws-sdk/client-ecs";
import { about, type ContainerRule, firstDuplicate } from "./rule.ts";

/** What is wrong with what containers want of the kernel (`ecs-behaviour` §2.5). */

/** Docker's names, as ECS takes them. */
const CAPABILITIES: ReadonlySet<string> = new Set(
  `ALL AUDIT_CONTROL AUDIT_WRITE BLOCK_SUSPEND CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER
  KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW SETFCAP
  SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO
  SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM`.split(/\s+/),
);

/** Capabilities, devices and memory beyond the ordinary. */
export const hasGoodLinuxParameters: ContainerRule = (container) => {
  const linux = container.linuxParameters;
  const violation = linux && findLinuxViolation(linux);
  return violation === undefined ? undefined : about(container, violation);
};

function findLinuxViolation(linux: LinuxParameters): string | undefined {
  const { capabilities = {}, sharedMemorySize, maxSwap, swappiness } = linux;
  const unknown = [...(capabilities.add ?? []), ...(capabilities.drop ?? [])].find(
    (name) => !CAPABILITIES.has(name),
  );
  if (unknown !== undefined) return `There is no capability '${unknown}'.`;
  if (linux.devices?.some(({ hostPath }) => !hostPath)) return "A device needs a 'hostPath'.";
  if (linux.tmpfs?.some(({ containerPath, size = 0 }) => !containerPath || size < 1)) {
    return "A tmpfs needs a 'containerPath' and a 'size' of 1 MiB or more.";
  }
  if (sharedMemorySize !== undefined && sharedMemorySize < 1) {
    return "'sharedMemorySize' must be 1 MiB or more.";
  }
  if (maxSwap !== undefined && maxSwap < 0) return "'maxSwap' must not be negative.";
  return swappiness !== undefined && (swappiness < 0 || swappiness > 100)
    ? "The linuxParameters.swappiness must be between 0 and 100."
    : undefined;
}

/** Limits of the container's processes. Minus one is no limit. */
export const hasGoodUlimits: ContainerRule = (container) => {
  const ulimits = container.ulimits ?? [];
  const twofold = firstDuplicate(ulimits.map(({ name }) => name));
  if (twofold !== undefined) return about(container, `The ulimit '${twofold}' is given twice.`);
  const unlimited = (limit = -1): number => (limit === -1 ? Number.POSITIVE_INFINITY : limit);
  const wrong = ulimits.find(
    ({ softLimit, hardLimit }) => unlimited(softLimit) > unlimited(hardLimit),
  );
  return (
    wrong && about(container, `The soft limit of ulimit '${wrong.name}' exceeds its hard limit.`)
  );
};

/** The namespaced kernel settings that a container may have by itself. */
const IPC_CONTROL =
  /^(kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|fs\.mqueue\..+)$/;

/** Kernel settings, of namespaces that are the task's own. */
export const hasGoodSystemControls: ContainerRule = (container, { networkMode, ipcMode }) => {
  const violationOf = ({ namespace = "", value }: SystemControl): string | undefined => {
    const isNetwork = namespace.startsWith("net.");
    if (!isNetwork && !IPC_CONTROL.test(namespace)) {
      return `The system control '${namespace}' is not namespaced.`;
    }
    if (!value) return `The system control '${namespace}' needs a 'value'.`;
    if (isNetwork && networkMode === "host") {
      return `The system control '${namespace}' is not supported with networkMode=host.`;
    }
    return !isNetwork && ipcMode === "host"
      ? `The system control '${namespace}' is not supported with ipcMode=host.`
      : undefined;
  };
  const [violation] = (container.systemControls ?? []).flatMap(
    (control) => violationOf(control) ?? [],
  );
  return violation && about(container, violation);
};

/** AppArmor, SELinux, credential specs. */
export const hasGoodSecurity: ContainerRule = (container) => {
  const option = container.dockerSecurityOptions?.find(
    (each) => !/^(no-new-privileges(:true)?|apparmor:.+|label:.+|credentialspec:.+)$/.test(each),
  );
  if (option !== undefined) return about(container, `The security option '${option}' is invalid.`);
  const specs = container.credentialSpecs ?? [];
  if (specs.length > 1) return about(container, "It can have one credential spec.");
  return specs.some((spec) => !/^credentialspec(domainless)?:.+$/.test(spec))
    ? about(container, "A credential spec is credentialspec:ARN or credentialspecdomainless:ARN.")
    : undefined;
};
