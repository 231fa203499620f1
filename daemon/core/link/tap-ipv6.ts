/** The link over a tap by IPv6: one more address of ours on the same interface, and the row of its network. Pure. */
import type { Config } from '../../../config/schema.js';
import { addressText, parseAddress, parsePrefix } from '../../lib/prefix.js';
import { needsIpv6 } from '../ipv6-need.js';
import type { FamilyJudgement } from '../judgement.js';
import type { Memory } from '../memory.js';
import { type Ipv6Address, type Observation, type TapInterface, unknown, valueOf } from '../observation.js';
import type { Step } from '../steps.js';
import { byRow } from './by-row.js';
import type { Link, LinkState } from './link.js';
import type { Ipv6Maker } from './maker.js';
import { addressSteps, unaddressSteps } from './tap-address.js';

function linkOf({ tap, ipv6 }: Config): Link | null {
  const network = parsePrefix(`${ipv6.address}/${ipv6.prefix}`);
  const [own, peer] = [parseAddress(ipv6.address), parseAddress(ipv6.peer)];
  return (
    network &&
    own &&
    peer && {
      maker: 'tap',
      interface: tap.device,
      macAddress: addressText(own),
      vmAddress: addressText(peer),
      network,
      mtu: tap.mtu,
      nic: tap.mac,
    }
  );
}

const ownOn = (link: Link | null, tap: TapInterface | null): Ipv6Address | undefined =>
  tap?.ipv6?.find(({ address }) => address === link?.macAddress);

/** Why packets do not leave with our address although it is there; null: they do. */
function unusable(
  own: Ipv6Address,
  { name, isIpv6Disabled = false }: TapInterface,
): { why: string; isAsked: boolean } | null {
  if (isIpv6Disabled) return { why: `macOS has switched IPv6 off on ${name} (IFDISABLED)`, isAsked: false };
  switch (own.state) {
    case 'usable':
      return null;
    case 'tentative':
      return { why: `whether somebody else has ${own.address} is being asked on ${name}`, isAsked: true };
    case 'duplicated':
      return { why: `somebody else on ${name} has ${own.address} too (duplicated)`, isAsked: false };
    case 'detached':
      return { why: `${own.address} on ${name} is detached from its network`, isAsked: false };
  }
}

/**
 * The two facts of IPv4, checked by themselves, since they come and go by themselves; and that the address is nobody
 * else's: until that is known packets leave with the link-local one, to which the VM has no way back (in6_src.c).
 */
function state(config: Config, observation: Observation, memory: Memory, ipv4: LinkState): LinkState | null {
  const link = linkOf(config);
  const tap = valueOf(observation.tap.interface);
  const own = ownOn(link, tap);
  const vm = valueOf(observation.vm);
  const mayBeSetUp = vm !== null && memory.ipv6.mayBeSetUp === vm.id;
  if (!link || (!observation.ipv6 && !own && !mayBeSetUp)) return null;
  const common = { link, vm: null, isAddressed: own !== undefined, hasNic: ipv4.hasNic };
  if (!ipv4.vm)
    return ipv4.kind === 'unknown'
      ? { ...common, kind: 'unknown', why: ipv4.why }
      : { ...common, kind: 'absent', missed: null };
  const there = { ...common, vm: ipv4.vm };
  const routes = observation.ipv6?.routes ?? unknown('no network of Docker’s needs IPv6');
  if (!routes.known) return { ...there, kind: 'unknown', why: routes.why };
  if (tap?.up !== true || own?.prefix !== link.network.bits.length)
    return { ...there, kind: 'present', lacks: 'address' };
  const trouble = unusable(own, tap);
  if (trouble) return { ...there, kind: 'present', lacks: 'uniqueness', ...trouble };
  return byRow(there, routes.value);
}

/** Sets the address where a network needs it. One that is there and only waits for the interface is let be. */
function steps(judgement: FamilyJudgement): readonly Step[] {
  const { config, observation, memory, link: state } = judgement;
  if (!needsIpv6(config, observation.engine, memory)) return [];
  const own = ownOn(state.link, valueOf(observation.tap.interface));
  const isSet = own !== undefined && own.prefix === state.link?.network.bits.length;
  return isSet && state.kind === 'present' && state.lacks === 'address' ? [] : addressSteps(judgement);
}

export const tapIpv6: Ipv6Maker = { state, steps, undo: unaddressSteps };
