/**
 * Which of the VM's NICs is on a bridge of the Mac. It is found by what is there, never by its name: names, bridges and
 * addresses are others at each start of a VM. Pure.
 */
import { parsePrefix } from '../../lib/prefix.js';
import type { GuestNic, Neighbour, VmBridge } from '../observation.js';

/** What a look into the VM has shown, and the Mac's ARP table after it. */
export interface NicSearch {
  readonly vm: string;
  /** The data path’s generation that it was for. */
  readonly generation: number;
  /** The bridges that were there. */
  readonly bridges: readonly VmBridge[];
  readonly nics: readonly GuestNic[];
  readonly neighbours: readonly Neighbour[];
}

/** A NIC with an address in the network of a bridge. */
export interface Candidate {
  readonly nic: GuestNic;
  readonly address: string;
  readonly bridge: VmBridge;
}

export type FoundNic =
  | ({ readonly kind: 'found' } & Candidate)
  | {
      readonly kind: 'none';
      readonly reason: 'NicWithoutAddress' | 'NoSharedNic' | 'SeveralNics' | 'NicUnproven';
      readonly why: string;
      /** Whether it stays so as long as VM and bridges are what they are. */
      readonly isFinal: boolean;
    };

const networkOf = ({ address, prefix }: { address: string; prefix: number }): string | null =>
  parsePrefix(`${address}/${prefix}`)?.text ?? null;

/**
 * Cards that are not the VM's way out. Where several have a default route (Lima gives each NIC one) none of them is the
 * only way out.
 */
function spareCards(nics: readonly GuestNic[]): readonly GuestNic[] {
  const cards = nics.filter(({ isCard, mac }) => isCard && mac !== '');
  const ways = cards.filter(({ hasDefaultRoute }) => hasDefaultRoute);
  return cards.filter((nic) => !(ways.length === 1 && ways[0] === nic));
}

/** The NICs whose network is that of exactly one bridge. */
export function candidatesOf(bridges: readonly VmBridge[], nics: readonly GuestNic[]): readonly Candidate[] {
  return spareCards(nics).flatMap((nic) =>
    nic.addresses.flatMap((own): Candidate[] => {
      const on = bridges.filter(
        (bridge) => networkOf(bridge) === networkOf(own) && bridge.address !== own.address,
      );
      const [bridge] = on;
      return bridge && on.length === 1 ? [{ nic, address: own.address, bridge }] : [];
    }),
  );
}

/** Whether the Mac knows that very MAC at that address, on that bridge. */
const isProven = ({ nic, address, bridge }: Candidate, neighbours: readonly Neighbour[]): boolean =>
  neighbours.some((one) => one.address === address && one.mac === nic.mac && one.interface === bridge.name);

const named = (candidates: readonly Candidate[]): string =>
  candidates.map(({ nic, address, bridge }) => `${nic.name} (${address} on ${bridge.name})`).join(' and ');

/** The NIC by which Mac and VM share a network, as things stand, or why there is none. */
export function findNic(
  bridges: readonly VmBridge[],
  { nics, neighbours }: Pick<NicSearch, 'nics' | 'neighbours'>,
): FoundNic {
  const none = (
    reason: Extract<FoundNic, { kind: 'none' }>['reason'],
    why: string,
    isFinal = false,
  ): FoundNic => ({ kind: 'none', reason, why, isFinal });
  const candidates = candidatesOf(bridges, nics);
  const [first, ...more] = candidates.filter((candidate) => isProven(candidate, neighbours));
  if (first && more.length === 0) return { kind: 'found', ...first };
  if (first)
    return none(
      'SeveralNics',
      `the VM has several NICs on networks of the Mac, ${named([first, ...more])}, and nobody can tell which one is meant`,
      true,
    );
  if (candidates.length > 0)
    return none(
      'NicUnproven',
      `${named(candidates)} of the VM fits, but the Mac’s ARP table does not have its MAC there: another VM may have that address`,
    );
  const spare = spareCards(nics);
  const ipv6Only = spare.find(({ addresses, hasIpv6 }) => addresses.length === 0 && hasIpv6);
  if (ipv6Only)
    return none(
      'NicWithoutAddress',
      `${ipv6Only.name} of the VM has IPv6 only: macOS’s DHCP server (bootpd) has not answered it, most often since the firewall blocks that`,
    );
  const told = bridges.map((bridge) => `${bridge.name} (${networkOf(bridge) ?? bridge.address})`).join(', ');
  return none('NoSharedNic', `no NIC of the VM is on ${told}, where other VMs are`, spare.length === 0);
}
