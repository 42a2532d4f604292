/** IPv4 address blocks as numbers. An address is an unsigned 32-bit integer. */
export interface Cidr {
  /** First address of the block. */
  readonly base: number;
  /** 0–32. */
  readonly prefixLength: number;
}

/** Parses `172.31.0.0/16` or a lone address (a /32), clearing host bits. Undefined for anything else. */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(text);
  if (match === null) return undefined;
  const bytes = match.slice(1, 5).map(Number);
  const prefixLength = match[5] === undefined ? 32 : Number(match[5]);
  if (bytes.some((byte) => byte > 255) || prefixLength > 32) return undefined;
  const address = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return { base: address - (address % sizeOf(prefixLength)), prefixLength };
}

/** Whether the two blocks share an address. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.base < b.base + sizeOf(b.prefixLength) && b.base < a.base + sizeOf(a.prefixLength);
}

/** Dotted form of the address `offset` above the block's first one. */
export function addressAt(cidr: Cidr, offset: number): string {
  const address = cidr.base + offset;
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

function sizeOf(prefixLength: number): number {
  return 2 ** (32 - prefixLength);
}
