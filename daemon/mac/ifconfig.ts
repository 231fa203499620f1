/** What `ifconfig` prints of interfaces. Pure. */
import type { Ipv6Address } from '../core/observation.js';
import { addressText, parseAddress } from '../lib/prefix.js';

export interface PrintedInterface {
  readonly name: string;
  readonly flags: readonly string[];
  /** 0 where none is printed. */
  readonly mtu: number;
  /** Its IPv4 networks; an address whose mask has holes is none. */
  readonly addresses: readonly { readonly address: string; readonly prefix: number }[];
  /** All that is printed of it. */
  readonly text: string;
}

const head = /^([a-z]+\d+): flags=[0-9a-f]+<([^>]*)>(?: metric \d+)?(?: mtu (\d+))?/;
const inet = /^\s+inet (\d+\.\d+\.\d+\.\d+)(?: --> \S+)? netmask 0x([0-9a-f]{8})(?: |$)/gm;

/** The length of a mask whose ones all stand in front; null for any other. */
function lengthOf(mask: string): number | null {
  const bits = Number.parseInt(mask, 16).toString(2).padStart(32, '0');
  return /^1+0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : null;
}

/** The interfaces in what `ifconfig` prints (ifconfig.c status(), in_status()), in its order; other lines are none. */
export const interfacesIn = (text: string): readonly PrintedInterface[] =>
  text.split(/^(?=\S)/m).flatMap((block) => {
    const [, name, flags = '', mtu = '0'] = head.exec(block) ?? [];
    if (name === undefined) return [];
    const addresses = [...block.matchAll(inet)].flatMap(([, address = '', mask = '']) => {
      const prefix = lengthOf(mask);
      return prefix === null ? [] : [{ address, prefix }];
    });
    return [{ name, flags: flags.split(','), mtu: Number(mtu), addresses, text: block }];
  });

const inet6 = /^\s+inet6 ([0-9a-f:.]+)(?: --> \S+)? prefixlen (\d+)(.*)$/gm;

/**
 * The IPv6 addresses in ifconfig's words (af_inet6.c in6_status()): what is not said of an address is not so. Link-local
 * ones (with a zone) are the kernel's own.
 */
export function ipv6In(text: string): readonly Ipv6Address[] {
  return [...text.matchAll(inet6)].flatMap(([, said = '', prefix, flags = '']): Ipv6Address[] => {
    const address = parseAddress(said);
    const words = flags.trim().split(/\s+/);
    const state = (['duplicated', 'tentative', 'detached'] as const).find((word) => words.includes(word));
    if (!address) return [];
    return [
      {
        address: addressText(address),
        prefix: Number(prefix),
        ...(words.includes('temporary') ? { isTemporary: true } : {}),
        ...(words.includes('deprecated') ? { isDeprecated: true } : {}),
        state: state ?? 'usable',
      },
    ];
  });
}
