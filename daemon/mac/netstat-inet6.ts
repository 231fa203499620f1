import { addressText, isIpv6, parseAddress, parsePrefix, type Prefix } from '../lib/prefix.js';
import type { Route } from '../core/observation.js';
import { readRows, type RoutingTable } from './netstat.js';

/** Of a link-local address or network: `fe80::1%en0`, `ff01::%en0/32` (netname6() of netstat.tproj/route.c). */
const zone = /%[^/]+/;

/**
 * A destination as a prefix: `default`, with its length, or a host without one. A zone is left out: what is in it is
 * told apart by the row's interface, and no network of Docker's. Null for what cannot have been printed by these rules.
 */
export function parseDestination6(text: string, flags: string): Prefix | null {
  if (text === 'default') return parsePrefix('::/0');
  const plain = text.replace(zone, '');
  if (!isIpv6(plain)) return null;
  if (!plain.includes('/')) return flags.includes('H') ? parseAddress(plain) : null;
  const prefix = parsePrefix(plain);
  const address = parseAddress(plain.slice(0, plain.indexOf('/')));
  // The kernel masks destinations: bits outside of the prefix mean that this was misread.
  return prefix && address?.bits === prefix.bits.padEnd(128, '0') ? prefix : null;
}

/** Where a row leads, in the words that ours are in: the kernel prints an address by rules of its own. */
function gatewayOf(printed: string): Pick<Route, 'gateway' | 'via'> {
  // A MAC has colons too, and never eight groups or two colons together.
  const via = isIpv6(printed) ? parseAddress(printed) : null;
  return { gateway: via ? addressText(via) : printed, via };
}

/** The rows of `netstat -rn -f inet6`. */
export const readRoutingTable6 = (text: string): RoutingTable =>
  readRows(text, 'Internet6', { destinationOf: parseDestination6, gatewayOf });
