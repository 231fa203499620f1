/** IPv6 addresses as numbers and as inet_ntop(3) prints them. */
import { isIPv6 } from 'node:net';

/** The 128 bits of an address without a zone; null for what is none. */
export function number6(text: string): bigint | null {
  if (!isIPv6(text) || text.includes('%')) return null;
  const dotted = /\d+(?:\.\d+){3}$/.exec(text)?.[0];
  const octets = dotted?.split('.').map(Number) ?? [];
  const tail = [0, 2].map((at) => ((octets[at] ?? 0) * 256 + (octets[at + 1] ?? 0)).toString(16)).join(':');
  const [left = [], right = []] = text
    .replace(/\d+(?:\.\d+){3}$/, tail)
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

/** The first longest run of two zero groups or more is left out. */
export function text6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, at) => (value >> BigInt(112 - 16 * at)) & 0xffffn);
  let from = 0;
  let length = 1;
  for (let at = 0; at < 8; at += 1) {
    const end = groups.findIndex((group, place) => place >= at && group !== 0n);
    const run = (end === -1 ? 8 : end) - at;
    if (run > length) [from, length] = [at, run];
  }
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(':');
  return `${hex.slice(0, from).join(':')}::${hex.slice(from + length).join(':')}`;
}

export const mask6 = (prefix: number): bigint => ((1n << 128n) - 1n) ^ ((1n << BigInt(128 - prefix)) - 1n);

/** The first address of the network that an address is in; the address is one. */
export const network6 = (address: string, prefix: number): string =>
  text6((number6(address) ?? 0n) & mask6(prefix));

export const within6 = (address: string, base: string, prefix: number): boolean =>
  network6(address, prefix) === base;

export const isLinkLocal = (address: string): boolean => within6(address, 'fe80::', 10);

/** The link-local address of an interface's hardware (RFC 4291, modified EUI-64). */
export function linkLocalOf(mac: string): string {
  const [first = 0n, ...others] = mac.split(':').map((byte) => BigInt(`0x${byte}`));
  const bytes = [first ^ 2n, ...others.slice(0, 2), 0xffn, 0xfen, ...others.slice(2)];
  return text6(bytes.reduce((sum, byte) => (sum << 8n) | byte, 0xfe80n << 48n));
}

/** An address with its zone, as ifconfig, netstat and route print it. */
export const zoned = (address: string, zone: string): string =>
  isLinkLocal(address) ? `${address}%${zone}` : address;
