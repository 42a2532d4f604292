/** The part of the OCI runtime specification (config.json) that Gantry writes. */
import type { SeccompProfile } from "./seccomp.ts";

export interface OciSpec {
  readonly ociVersion: string;
  readonly process: OciProcess;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname?: string;
  readonly mounts: readonly OciMount[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: OciLinux;
}

export interface OciProcess {
  readonly terminal: boolean;
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly additionalGids: readonly number[];
  };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  /** With `CAP_` in front. */
  readonly capabilities: {
    readonly bounding: readonly string[];
    readonly effective: readonly string[];
    readonly permitted: readonly string[];
  };
  readonly rlimits: readonly OciRlimit[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj: number;
  readonly apparmorProfile?: string;
}

export interface OciRlimit {
  readonly type: string;
  readonly soft: number;
  readonly hard: number;
}

export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface OciDevice {
  readonly path: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Without a type, all devices are meant. */
export interface OciDeviceRule {
  readonly allow: boolean;
  readonly access: string;
  readonly type?: "c" | "b";
  readonly major?: number;
  readonly minor?: number;
}

export interface OciLinux {
  readonly cgroupsPath: string;
  readonly namespaces: readonly { readonly type: string; readonly path?: string }[];
  readonly sysctl: Readonly<Record<string, string>>;
  readonly resources: {
    readonly devices: readonly OciDeviceRule[];
    readonly cpu: { readonly shares: number };
    readonly memory: {
      readonly limit?: number;
      /** Memory and swap together. */
      readonly swap?: number;
      readonly reservation?: number;
      readonly swappiness?: number;
    };
    readonly pids: { readonly limit: number };
  };
  readonly devices?: readonly OciDevice[];
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly seccomp?: SeccompProfile;
}
