/** Darwin's own ways of writing networks: netname() of netstat.tproj/route.c, inet_makenetandmask() of route.c. */
import { dotted, mask, number, type Row } from '../../mac/xnu/table.js';

const classPrefix = (first: number): number => (first < 128 ? 8 : first < 192 ? 16 : 24);

/** A destination as `netstat -rn` prints it. */
export function shortDestination({ base, prefix, isHost }: Pick<Row, 'base' | 'prefix' | 'isHost'>): string {
  if (isHost) return dotted(base);
  if (base === 0 && prefix === 0) return 'default';
  const octets = dotted(base).split('.');
  const own = classPrefix(Number(octets[0]));
  let shown = own / 8;
  while (octets.slice(shown).some((octet) => octet !== '0')) shown += 1;
  // Class A networks show as few octets as their value needs.
  return `${octets.slice(0, shown).join('.')}${prefix === own ? '' : `/${prefix}`}`;
}

/** A hardware address as arp and netstat print it: hexadecimal numbers without leading zeros. */
export const shortMac = (mac: string, separator = ':'): string =>
  mac
    .split(':')
    .map((byte) => Number.parseInt(byte, 16).toString(16))
    .join(separator);

/** The prefix that route(8) guesses for a network without a mask: up to its lowest octet that is not zero. */
function guessed(address: number): number {
  return (address & 0xff) !== 0 ? 32 : (address & 0xffff) !== 0 ? 24 : (address & 0xffffff) !== 0 ? 16 : 8;
}

export interface Network {
  readonly base: number;
  readonly prefix: number;
  readonly isHost: boolean;
  /** The address as it was given, before any mask. */
  readonly whole: number;
  /** As route(8) echoes it: without its length. */
  readonly text: string;
}

/** As strtoul with base 0 reads it: 010 is eight. */
const octetOf = (text: string): number =>
  /^0[0-7]+$/.test(text)
    ? Number.parseInt(text, 8)
    : /^(?:0|[1-9]\d{0,2}|0x[0-9a-f]+)$/i.test(text)
      ? Number(text)
      : NaN;

const quad = (text: string): number | null => {
  const octets = text.split('.').map(octetOf);
  return octets.length > 4 || octets.some((octet) => !(octet <= 255))
    ? null
    : number([...octets, 0, 0, 0].slice(0, 4).join('.'));
};

/** A destination as route(8) reads it; null for a bad address. `net` is the -net modifier. */
export function readNetwork(text: string, net: boolean): Network | null {
  if (text === 'default') return { base: 0, prefix: 0, isHost: false, whole: 0, text };
  const [address = '', length] = text.split('/');
  const base = quad(address);
  if (base === null) return null;
  if (length === undefined && !net) return { base, prefix: 32, isHost: true, whole: base, text: address };
  const prefix =
    length === undefined
      ? guessed(base)
      : /^\d{1,2}$/.test(length) && Number(length) <= 32
        ? Number(length)
        : null;
  if (prefix === null) return null;
  return { base: (base & mask(prefix)) >>> 0, prefix, isHost: false, whole: base, text: address };
}
