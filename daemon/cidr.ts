import ipaddr from 'ipaddr.js';

/** An IPv4 network: its address as a number with all host bits zero, and its prefix length. */
export interface Cidr {
  readonly base: number;
  readonly prefix: number;
}

const maskOf = (prefix: number): number => (prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0);

const toNumber = (octets: readonly number[]): number =>
  octets.reduce((number, octet) => number * 256 + octet, 0);

/** Parses dotted-quad IPv4 CIDR text, host bits cleared; null for anything else (IPv6, octal, short forms, no length). */
export function parseCidr(text: string): Cidr | null {
  const match = /^(\d+\.\d+\.\d+\.\d+)\/(\d{1,2})$/.exec(text);
  const [, address = '', length = ''] = match ?? [];
  if (!match || !ipaddr.IPv4.isValidFourPartDecimal(address)) return null;
  const prefix = Number(length);
  if (prefix > 32) return null;
  const number = toNumber(ipaddr.IPv4.parse(address).octets);
  return { base: (number & maskOf(prefix)) >>> 0, prefix };
}

/** The canonical text, e.g. `172.17.0.0/16`. */
export const formatCidr = ({ base, prefix }: Cidr): string =>
  `${[24, 16, 8, 0].map((shift) => (base >>> shift) & 255).join('.')}/${prefix}`;

/** Whether all of `inner` lies in `outer`. */
export const contains = (outer: Cidr, inner: Cidr): boolean =>
  outer.prefix <= inner.prefix && (inner.base & maskOf(outer.prefix)) >>> 0 === outer.base;

/** Whether the two have an address in common. */
export const overlaps = (a: Cidr, b: Cidr): boolean => contains(a, b) || contains(b, a);
