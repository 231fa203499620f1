/**
 * The link over a network of macOS's by IPv6: both ends have addresses that macOS announces there, and nothing of them is
 * set. Pure.
 */
import type { Config } from '../../../config/schema.js';
import { addressText, contains, isAddressIn, parseAddress, parsePrefix } from '../../lib/prefix.js';
import type { Memory } from '../memory.js';
import { type Ipv6Address, type Observation, unknown, valueOf } from '../observation.js';
import { byRow } from './by-row.js';
import { type Link, type LinkState, printedName } from './link.js';
import type { Ipv6Maker } from './maker.js';

/** With what the Mac speaks first to others there: an address that changes by the day goes before (RFC 6724, rule 7). */
const spokenWith = (addresses: readonly Ipv6Address[]): readonly Ipv6Address[] =>
  addresses
    .filter(({ state, isDeprecated }) => state === 'usable' && isDeprecated !== true)
    .toSorted((a, b) => Number(b.isTemporary === true) - Number(a.isTemporary === true));

/** The ends that the very link has by IPv6; null: it has none. */
function linkOf(
  ipv4: Link,
  { vmnet: { bridges, ipv6 = {} }, ipv6: observed }: Observation,
  { nics: search }: Memory,
): Link | null {
  // By its address: the link has the name that the table of IPv4 prints, and macOS 11 cuts those of two bridges alike.
  const name = valueOf(bridges)?.find(({ address }) => address === ipv4.macAddress)?.name;
  if (name === undefined) return null;
  const ends = search?.nics.find(({ mac }) => mac === ipv4.nic)?.ipv6 ?? [];
  const addresses = ipv6[name] ?? [];
  for (const own of spokenWith(addresses)) {
    const network = parsePrefix(`${own.address}/${own.prefix}`);
    const peer = ends
      .map(({ address }) => parseAddress(address))
      .find((address) => address !== null && network !== null && contains(network, address));
    if (!network || !peer) continue;
    // What was opened with another one goes on with that.
    const sources = addresses.map(({ address }) => address).filter((text) => isAddressIn([network], text));
    const ends6 = { macAddress: own.address, vmAddress: addressText(peer), network, sources };
    const printed = printedName(name, network, observed ? valueOf(observed.routes) : null);
    return { ...ipv4, ...ends6, interface: printed, isGiven: true };
  }
  return null;
}

/** By the NIC that was found for IPv4, and by the row of the bridge's network in the table of IPv6. */
function state(_config: Config, observation: Observation, memory: Memory, ipv4: LinkState): LinkState | null {
  const vm = valueOf(observation.vm);
  const mayBeSetUp = vm !== null && memory.ipv6.mayBeSetUp === vm.id;
  if (!observation.ipv6 && !mayBeSetUp) return null;
  const { hasNic } = ipv4;
  const none = { link: null, vm: null, isAddressed: false, hasNic };
  if (ipv4.kind === 'unknown' && !ipv4.link) return { ...none, kind: 'unknown', why: ipv4.why };
  const link = ipv4.link && linkOf(ipv4.link, observation, memory);
  if (!link || !ipv4.vm) return { ...none, kind: 'absent', missed: null };
  const there = { link, vm: ipv4.vm, isAddressed: true, hasNic };
  const routes = observation.ipv6?.routes ?? unknown('no network of Docker’s needs IPv6');
  if (!routes.known) return { ...there, kind: 'unknown', why: routes.why };
  return byRow(there, routes.value);
}

export const vmnetIpv6: Ipv6Maker = { state, steps: () => [], undo: () => [] };
