/**
 * The part of Docker's container configuration that travels as JSON text in a payload. Docker's own casing.
 * The server translates task definitions into it; the agent decodes it over what it computed itself.
 */
export interface DockerConfig {
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly Hostname?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly OpenStdin?: boolean;
  readonly Tty?: boolean;
  readonly NetworkDisabled?: boolean;
  readonly Healthcheck?: {
    readonly Test: readonly string[];
    /** Nanoseconds, like the two below. */
    readonly Interval?: number;
    readonly Timeout?: number;
    readonly StartPeriod?: number;
    readonly Retries?: number;
  };
}

export interface DockerHostConfig {
  readonly NetworkMode?: string;
  /** Bytes, like MemorySwap and ShmSize. */
  readonly MemoryReservation?: number;
  readonly MemorySwap?: number;
  readonly MemorySwappiness?: number;
  readonly Privileged?: boolean;
  readonly ReadonlyRootfs?: boolean;
  readonly CapAdd?: readonly string[];
  readonly CapDrop?: readonly string[];
  readonly Devices?: readonly {
    PathOnHost: string;
    PathInContainer: string;
    CgroupPermissions: string;
  }[];
  readonly Init?: boolean;
  readonly ShmSize?: number;
  /** Path → mount options, e.g. `size=64m,noexec`. */
  readonly Tmpfs?: Readonly<Record<string, string>>;
  readonly Ulimits?: readonly { Name: string; Soft: number; Hard: number }[];
  readonly Sysctls?: Readonly<Record<string, string>>;
  readonly Dns?: readonly string[];
  readonly DnsSearch?: readonly string[];
  readonly ExtraHosts?: readonly string[];
  readonly SecurityOpt?: readonly string[];
  readonly LogConfig?: { readonly Type: string; readonly Config: Readonly<Record<string, string>> };
}
