import { formatCidr, overlap, parseCidr, readCidr, sizeOf, subrange } from "../lib/cidr.ts";
import { SetupError } from "../lib/errors.ts";

/** A block that the host's own network uses, and what uses it. */
export interface HostRoute {
  /** e.g. `172.17.0.0/16`; an address of the host is a /32. Ways out to the world (wider than /8) are left out. */
  readonly cidr: string;
  readonly device: string;
}

/**
 * The first private /16 that overlaps none of `existing` (CIDRs or addresses; what is not IPv4 is ignored).
 * 172.31 first, which is AWS's own default VPC, then downwards: container tools and VPNs usually fill from below.
 * Throws SetupError when none is free.
 */
export function chooseVpcCidr(existing: readonly string[]): string {
  const taken = existing.map(readCidr).filter((cidr) => cidr !== undefined);
  for (const candidate of candidates()) {
    const cidr = readCidr(candidate);
    if (cidr !== undefined && !taken.some((other) => overlap(cidr, other))) return candidate;
  }
  throw new SetupError(
    "every private /16 network overlaps a route of this machine: choose a network with --vpc-cidr or GANTRY_VPC_CIDR",
  );
}

/**
 * The first private /20 that overlaps none of `routes`, for this node's bridge network: room for 4091 containers. From the top of
 * 192.168.0.0/16, which no VPC of ours is chosen from and of which people use the bottom. Throws SetupError when none is free.
 */
export function chooseBridgeCidr(routes: readonly HostRoute[]): string {
  const taken = routes.map(({ cidr }) => readCidr(cidr)).filter((cidr) => cidr !== undefined);
  for (const range of ["192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8"].map(parseCidr)) {
    for (let index = sizeOf(range) / 2 ** 12 - 1; index >= 0; index--) {
      const candidate = subrange(range, 20, index);
      if (candidate !== undefined && !taken.some((other) => overlap(candidate, other)))
        return formatCidr(candidate);
    }
  }
  throw new SetupError(
    "every private /20 network overlaps a route of this machine: network mode bridge needs one that is free",
  );
}

/** The widest of `routes` that overlaps `cidr`, not counting routes over `ownDevice`. */
export function findCollision(
  cidr: string,
  routes: readonly HostRoute[],
  ownDevice: string,
): HostRoute | undefined {
  const block = readCidr(cidr);
  if (block === undefined) return undefined;
  let widest: { route: HostRoute; prefixLength: number } | undefined;
  for (const route of routes) {
    const other = readCidr(route.cidr);
    if (other === undefined || route.device === ownDevice || !overlap(block, other)) continue;
    if (widest === undefined || other.prefixLength < widest.prefixLength)
      widest = { route, prefixLength: other.prefixLength };
  }
  return widest?.route;
}

function* candidates(): Generator<string> {
  for (let second = 31; second >= 16; second--) yield `172.${second}.0.0/16`;
  for (let second = 255; second >= 0; second--) yield `10.${second}.0.0/16`;
}
