/** An IPv4 network: its address as a number with all host bits zero, and its prefix length. */
export interface Cidr {
  readonly base: number;
  readonly prefix: number;
}

const maskOf = (prefix: number): number => (prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0);

/** Four decimal octets without leading zeros, which inet_aton would read as octal. */
const quad = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\/(\d{1,2})$/;

/** Parses dotted-quad IPv4 CIDR text, host bits cleared; null for anything else (IPv6, octal, short forms, no length). */
export function parseCidr(text: string): Cidr | null {
  const [a = 256, b = 256, c = 256, d = 256, prefix = 33] = (quad.exec(text) ?? []).slice(1).map(Number);
  if (a > 255 || b > 255 || c > 255 || d > 255 || prefix > 32) return null;
  return { base: (((a << 24) | (b << 16) | (c << 8) | d) & maskOf(prefix)) >>> 0, prefix };
}

/** The canonical text, e.g. `172.17.0.0/16`. */
export const formatCidr = ({ base, prefix }: Cidr): string =>
  `${[24, 16, 8, 0].map((shift) => (base >>> shift) & 255).join('.')}/${prefix}`;

/** The same network in canonical text; what is no IPv4 CIDR stays as it is. */
export function canonical(text: string): string {
  const cidr = parseCidr(text);
  return cidr ? formatCidr(cidr) : text;
}

/** Whether all of `inner` lies in `outer`. */
export const contains = (outer: Cidr, inner: Cidr): boolean =>
  outer.prefix <= inner.prefix && (inner.base & maskOf(outer.prefix)) >>> 0 === outer.base;

/** Whether the two have an address in common. */
export const overlaps = (a: Cidr, b: Cidr): boolean => contains(a, b) || contains(b, a);
