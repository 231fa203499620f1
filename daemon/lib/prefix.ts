export type Family = 4 | 6;

/** A network of either family, by the bits that all of its addresses begin with. Plain data, which JSON can hold. */
export interface Prefix {
  readonly family: Family;
  /** As many `0` and `1` as the prefix is long; none for the default route. */
  readonly bits: string;
  /** Canonical CIDR text, e.g. `172.17.0.0/16` or `fd00:dead::/64` (RFC 5952, all of it hexadecimal). */
  readonly text: string;
}

/** Bits of an address. */
const addressLength: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };

/** Four decimal octets without leading zeros, which inet_aton would read as octal. */
const quad = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;

function octetsOf(text: string): readonly number[] | null {
  const [, ...said] = quad.exec(text) ?? [];
  const octets = said.map(Number);
  return octets.length === 4 && octets.every((octet) => octet <= 255) ? octets : null;
}

/** Groups between colons, the last of which may be a dotted quad; null for what is none. */
function groupsIn(text: string): readonly number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const words = text.split(':');
  for (const [at, word] of words.entries()) {
    const octets = at === words.length - 1 ? octetsOf(word) : null;
    if (octets) {
      const [a = 0, b = 0, c = 0, d = 0] = octets;
      groups.push(a * 256 + b, c * 256 + d);
    } else if (/^[0-9a-f]{1,4}$/i.test(word)) groups.push(Number.parseInt(word, 16));
    else return null;
  }
  return groups;
}

/** The eight groups of an IPv6 address without a zone (RFC 4291, 2.2); null for anything else. */
function ipv6Groups(text: string): readonly number[] | null {
  const [head = '', tail, ...more] = text.split('::');
  const before = groupsIn(head);
  const after = groupsIn(tail ?? '');
  // A quad stands at the very end alone.
  if (!before || !after || more.length > 0 || (tail !== undefined && head.includes('.'))) return null;
  const left = 8 - before.length - after.length;
  if (tail === undefined ? left !== 0 : left < 1) return null;
  return [...before, ...Array.from({ length: left }, () => 0), ...after];
}

/** RFC 5952: the longest run of two or more zeros, the first of equals, is left out. */
function ipv6Text(groups: readonly number[]): string {
  let from = 0;
  let longest = 1;
  for (let at = 0; at < groups.length; at += 1) {
    let end = at;
    while (groups[end] === 0) end += 1;
    if (end - at > longest) [from, longest] = [at, end - at];
    at = Math.max(at, end - 1);
  }
  const hex = groups.map((group) => group.toString(16));
  if (longest < 2) return hex.join(':');
  return `${hex.slice(0, from).join(':')}::${hex.slice(from + longest).join(':')}`;
}

const numbersIn = (bits: string, size: number): readonly number[] =>
  (bits.match(new RegExp(`.{${size}}`, 'g')) ?? []).map((each) => Number.parseInt(each, 2));

const bitsOf = (numbers: readonly number[], size: number): string =>
  numbers.map((number) => number.toString(2).padStart(size, '0')).join('');

/**
 * Parses CIDR text of either family, host bits cleared; null for anything else (octal, short forms, a zone, no length).
 */
export function parsePrefix(text: string): Prefix | null {
  const [, said = '', digits = ''] = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  const octets = octetsOf(said);
  const groups = octets ? null : ipv6Groups(said);
  const family = octets ? 4 : 6;
  const whole = octets ? bitsOf(octets, 8) : groups ? bitsOf(groups, 16) : null;
  const length = Number(digits);
  if (whole === null || length > addressLength[family]) return null;
  const bits = whole.slice(0, length);
  const cleared = bits.padEnd(addressLength[family], '0');
  const address = family === 4 ? numbersIn(cleared, 8).join('.') : ipv6Text(numbersIn(cleared, 16));
  return { family, bits, text: `${address}/${length}` };
}

/** Whether text of an address or a network is one of IPv6. */
export const isIpv6 = (text: string): boolean => text.includes(':');

/** The network of one address alone, of either family; null for what is no address. */
export const parseAddress = (text: string): Prefix | null =>
  parsePrefix(`${text}/${addressLength[isIpv6(text) ? 6 : 4]}`);

/** Whether it holds one address alone. */
export const isHost = ({ family, bits }: Prefix): boolean => bits.length === addressLength[family];

/** The address of a network that holds one alone. */
export const addressText = ({ text }: Prefix): string => text.slice(0, text.indexOf('/'));

export const isDefault = ({ bits }: Prefix): boolean => bits === '';

/** Whether all of `inner` lies in `outer`. */
export const contains = (outer: Prefix, inner: Prefix): boolean =>
  outer.family === inner.family && inner.bits.startsWith(outer.bits);

/** The prefixes among these texts. */
export const prefixesIn = (texts: readonly string[]): readonly Prefix[] =>
  texts.map(parsePrefix).filter((prefix) => prefix !== null);

/** Whether text is an address in one of these networks. */
export function isAddressIn(networks: readonly Prefix[], text: string): boolean {
  const address = parseAddress(text);
  return address !== null && networks.some((network) => contains(network, address));
}

/** Whether the two have an address in common. */
export const overlaps = (a: Prefix, b: Prefix): boolean =>
  a.bits.length < b.bits.length ? contains(a, b) : contains(b, a);

const special6 = ['::/8', 'fe80::/10', 'ff00::/8'].map(parsePrefix);

/** Whether it has IPv6 addresses that no host has beyond its own wire: unspecified, loopback, mapped IPv4, link-local, multicast. */
export const isSpecial6 = (prefix: Prefix): boolean =>
  special6.some((range) => range !== null && overlaps(range, prefix));
