/** The kernel's capabilities, without `CAP_`, by bit (capability.h). */
export const CAPABILITY_NAMES: readonly string[] =
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
  NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
  SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
  MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`.split(/\s+/);

/** Docker's, which ECS documents as what a container starts with. */
const CAPABILITIES_DEFAULT: readonly string[] =
  `AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID
  SYS_CHROOT`.split(/\s+/);

interface CapabilityRequest {
  readonly privileged: boolean;
  readonly capabilitiesAdded: readonly string[];
  readonly capabilitiesDropped: readonly string[];
}

/**
 * What a container gets, sorted: the default set, less the dropped, plus the added; `ALL` on either side as in Docker. Nobody can
 * give what this machine's `available` set lacks: of a set as a whole the rest is given, asking for one by name throws.
 */
export function effectiveCapabilities(
  request: CapabilityRequest,
  available: ReadonlySet<string>,
): readonly string[] {
  const added = new Set(request.capabilitiesAdded.map(nameOf));
  const dropped = new Set(request.capabilitiesDropped.map(nameOf));
  for (const name of added) {
    if (name !== "ALL" && !request.privileged && !available.has(name)) {
      throw new Error(`the capability ${name} is not available on this machine`);
    }
  }
  const base = request.privileged || added.has("ALL") ? CAPABILITY_NAMES : CAPABILITIES_DEFAULT;
  const kept = request.privileged
    ? base
    : base.filter((name) => !dropped.has(name) && !(dropped.has("ALL") && !added.has("ALL")));
  const wanted = new Set([...kept, ...added]);
  return [...wanted].filter((name) => available.has(name)).sort();
}

/** Accepts `NET_ADMIN` and `CAP_NET_ADMIN` in any case. */
function nameOf(text: string): string {
  const name = text.toUpperCase().replace(/^CAP_/, "");
  if (name !== "ALL" && !CAPABILITY_NAMES.includes(name)) {
    throw new Error(`unknown capability: ${text}`);
  }
  return name;
}
