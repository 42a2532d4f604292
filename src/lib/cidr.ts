import { assert } from "./errors.ts";

/** IPv4 arithmetic. Addresses are unsigned 32-bit numbers. */

/** A range of addresses. */
export interface Cidr {
  /** The first address. */
  readonly base: number;
  /** 0–32. */
  readonly prefixLength: number;
}

/** Reads `172.31.0.1`; undefined for anything else. */
export function readAddress(text: string): number | undefined {
  const parts = text.split(".").map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256));
  if (parts.length !== 4 || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((address, part) => address * 256 + part, 0);
}

/** {@link readAddress} of what is known to be one. Throws InvariantError if it is not. */
export function parseAddress(text: string): number {
  const address = readAddress(text);
  assert(address !== undefined, `${text} is no IPv4 address`);
  return address;
}

/** `172.31.0.1`. */
export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

/** Reads `172.31.0.0/16`, or a lone address as a /32; bits below the prefix are cleared. Undefined for anything else. */
export function readCidr(text: string): Cidr | undefined {
  const [addressText = "", length = "32", ...more] = text.split("/");
  const address = readAddress(addressText);
  const prefixLength = /^\d{1,2}$/.test(length) ? Number(length) : 33;
  if (address === undefined || prefixLength > 32 || more.length > 0) return undefined;
  const size = 2 ** (32 - prefixLength);
  return { base: Math.floor(address / size) * size, prefixLength };
}

/** {@link readCidr} of what is known to be one. Throws InvariantError if it is not. */
export function parseCidr(text: string): Cidr {
  const cidr = readCidr(text);
  assert(cidr !== undefined, `${text} is no IPv4 range`);
  return cidr;
}

/** `172.31.0.0/16`. */
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

/** Whether the two share an address. */
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
