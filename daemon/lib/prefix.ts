/** A network of either family, by the bits that all of its addresses begin with. Plain data, which JSON can hold. */
export interface Prefix {
  readonly family: 4 | 6;
  /** As many `0` and `1` as the prefix is long; none for the default route. */
  readonly bits: string;
  /** Canonical CIDR text, e.g. `172.17.0.0/16`. */
  readonly text: string;
}

const addressLength = 32;

/** Four decimal octets without leading zeros, which inet_aton would read as octal. */
const quad = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\/(\d{1,2})$/;

/** Parses dotted-quad IPv4 CIDR text, host bits cleared; null for anything else (IPv6, octal, short forms, no length). */
export function parsePrefix(text: string): Prefix | null {
  const [, ...numbers] = quad.exec(text) ?? [];
  const octets = numbers.slice(0, 4).map(Number);
  const length = Number(numbers[4] ?? Infinity);
  if (length > addressLength || octets.some((octet) => octet > 255)) return null;
  const bits = octets
    .map((octet) => octet.toString(2).padStart(8, '0'))
    .join('')
    .slice(0, length);
  const whole = bits.padEnd(addressLength, '0');
  const address = [0, 8, 16, 24].map((at) => Number.parseInt(whole.slice(at, at + 8), 2)).join('.');
  return { family: 4, bits, text: `${address}/${length}` };
}

/** The network of one address alone; null for what is no IPv4 address. */
export const parseAddress = (text: string): Prefix | null => parsePrefix(`${text}/${addressLength}`);

/** The address of a network that holds one alone. */
export const addressText = ({ text }: Prefix): string => text.slice(0, text.indexOf('/'));

export const isDefault = ({ bits }: Prefix): boolean => bits === '';

/** Whether all of `inner` lies in `outer`. */
export const contains = (outer: Prefix, inner: Prefix): boolean =>
  outer.family === inner.family && inner.bits.startsWith(outer.bits);

/** Whether the two have an address in common. */
export const overlaps = (a: Prefix, b: Prefix): boolean =>
  a.bits.length < b.bits.length ? contains(a, b) : contains(b, a);
