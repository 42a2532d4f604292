import { assert } from "../../lib/errors.ts";

/** IPv4 arithmetic, pure. Addresses are unsigned 32-bit numbers. */

/** A range of addresses. */
export interface Cidr {
  /** The first address. */
  readonly base: number;
  readonly prefixLength: number;
}

/** VPC: the first four addresses of a subnet (network, router, resolver, future use) and the last cannot be given out. */
const RESERVED_FIRST = 4;
const RESERVED_LAST = 1;

/** Reads `172.31.0.1`. Throws InvariantError for anything else: what users write is checked before. */
export function parseAddress(text: string): number {
  const parts = text.split(".").map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256));
  assert(parts.length === 4 && parts.every((part) => part < 256), `${text} is no IPv4 address`);
  return parts.reduce((address, part) => address * 256 + part, 0);
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

/** Reads `172.31.0.0/16`; bits below the prefix are cleared. Throws InvariantError for anything else. */
export function parseCidr(text: string): Cidr {
  const [address = "", length = ""] = text.split("/");
  const prefixLength = /^\d{1,2}$/.test(length) ? Number(length) : 33;
  assert(prefixLength <= 32, `${text} is no IPv4 range`);
  const size = 2 ** (32 - prefixLength);
  return { base: Math.floor(parseAddress(address) / size) * size, prefixLength };
}

export function formatCidr({ base, prefixLength }: Cidr): string {
  return `${formatAddress(base)}/${prefixLength}`;
}

/** How many addresses the range holds. */
export function sizeOf({ prefixLength }: Cidr): number {
  return 2 ** (32 - prefixLength);
}

export function contains(range: Cidr, address: number): boolean {
  return address >= range.base && address < range.base + sizeOf(range);
}

export function overlap(a: Cidr, b: Cidr): boolean {
  return contains(a, b.base) || contains(b, a.base);
}

/** The `index`-th range of the given length inside `range`; undefined past its end. */
export function subrange(range: Cidr, prefixLength: number, index: number): Cidr | undefined {
  const base = range.base + index * 2 ** (32 - prefixLength);
  return prefixLength >= range.prefixLength && contains(range, base)
    ? { base, prefixLength }
    : undefined;
}

/** The router of a subnet: its second address. */
export function gatewayOf(subnet: Cidr): number {
  return subnet.base + 1;
}

/** The resolver of a VPC: its third address, whatever the subnet. */
export function resolverOf(vpc: Cidr): number {
  return vpc.base + 2;
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
  const count = sizeOf(subnet) - RESERVED_FIRST - RESERVED_LAST;
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
