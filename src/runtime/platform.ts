/** Which images run on this machine. */

/** As in Go and OCI: `linux/amd64`. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** Of the processor, e.g. `v8` of arm64. */
  readonly variant?: string;
}

const GO_ARCHITECTURE: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
/** Variants that every processor of the architecture can run; an image that needs more is not taken. */
const BASE_VARIANTS: Readonly<Record<string, readonly string[]>> = {
  amd64: ["", "v1"],
  arm64: ["", "v8", "v8.0"],
};

/** What this program runs on. */
export const THIS_PLATFORM: Platform = {
  os: "linux",
  architecture: GO_ARCHITECTURE[process.arch] ?? process.arch,
};

/** Whether an image for `candidate` runs on `platform`. */
export function suits(candidate: Partial<Platform>, platform: Platform): boolean {
  const { os, architecture, variant = "" } = candidate;
  if (os !== platform.os || architecture !== platform.architecture) return false;
  return BASE_VARIANTS[platform.architecture]?.includes(variant) ?? variant === "";
}
