import { type Cidr, formatAddress, sizeOf } from "../../lib/cidr.ts";

/** Which addresses of a VPC are whose, pure. */

/** VPC: the first four addresses of a subnet (network, router, resolver, future use) and the last cannot be given out. */
const RESERVED_FIRST = 4;
const RESERVED_LAST = 1;

/** The router of a subnet: its second address. */
export function gatewayOf(subnet: Cidr): number {
  return subnet.base + 1;
}

/** How many addresses of a subnet can be given out. */
export function assignableCount(subnet: Cidr): number {
  return sizeOf(subnet) - RESERVED_FIRST - RESERVED_LAST;
}

/**
 * A free address of a subnet, looked for from a drawn place (`start` in [0, 1)) so that two writers seldom choose the
 * same and a released address rests. Undefined when all are taken.
 */
export function pickAddress(
  subnet: Cidr,
  isTaken: (address: number) => boolean,
  start: number,
): number | undefined {
  const count = assignableCount(subnet);
  const first = subnet.base + RESERVED_FIRST;
  for (let step = 0; step < count; step++) {
    const address = first + ((Math.floor(start * count) + step) % count);
    if (!isTaken(address)) return address;
  }
  return undefined;
}

/** The name that VPC's resolver gives an address. */
export function privateDnsName(address: number, region: string): string {
  return `ip-${formatAddress(address).replaceAll(".", "-")}.${internalDomain(region)}`;
}

/** The domain of private names: `ec2.internal` in the oldest region, `<region>.compute.internal` elsewhere. */
export function internalDomain(region: string): string {
  return region === "us-east-1" ? "ec2.internal" : `${region}.compute.internal`;
}
