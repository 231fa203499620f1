/** Whether others use the two addresses of the link already, and which pair is free. Pure. */
import type { Config } from '../../../config/schema.js';
import { contains, type Family, overlaps, parsePrefix, type Prefix } from '../../lib/prefix.js';
import { conflictOf } from '../routes/conflicts.js';
import { type Observation, type Route, seen, valueOf } from '../observation.js';
import { rulesOf } from '../routes/guard.js';
import { type Others, othersOn } from '../routes/others.js';
import { told } from '../routes/table.js';
import { type Link, type LinkState, takenBy } from './link.js';
import { plain } from '../../lib/text.js';

/**
 * Where a pair is looked for: the far ends of the private ranges, and of the one for benchmarks (RFC 2544); and networks
 * whose 40 bits were drawn by lot (RFC 4193), none of which anybody is known to have.
 */
const pairs: Readonly<Record<Family, readonly (readonly [address: string, peer: string])[]>> = {
  4: ['10.255.255', '192.168.255', '172.31.255', '198.19.255'].map((end) => [`${end}.253`, `${end}.254`]),
  6: ['fd3e:d10f:52ef:76', 'fdb1:5c07:e94a:75', 'fd86:2f9d:c31b:75'].map((end) => [`${end}::1`, `${end}::2`]),
};

interface Holder {
  readonly who: string;
  readonly wayOut: string | null;
  /** Whether routes.force may have the link there in spite of him. */
  readonly isForcible: boolean;
}

function onMac(network: Prefix, { claims, addresses }: Others): readonly Holder[] {
  const force = `list ${network.text} in routes.force`;
  const conflict = conflictOf(network, claims);
  // Of one prefix the kernel keeps one route, and what is more specific than two addresses leads one of them away.
  const isAround = conflict?.relation === 'less-specific';
  const byClaim = conflict
    ? [{ who: told(conflict.claim), wayOut: isAround ? force : null, isForcible: isAround }]
    : [];
  const byAddress = addresses
    .filter(({ address }) => contains(network, address))
    .map(({ what, isForcible }) => ({
      who: what,
      wayOut: isForcible ? `${force}, where that is this very VM` : null,
      isForcible,
    }));
  return [...byClaim, ...byAddress].map((holder) => ({ ...holder, who: `on this Mac by ${holder.who}` }));
}

function inTheVm(network: Prefix, { engine }: Observation): readonly Holder[] {
  const networks = valueOf(engine)?.networks ?? [];
  return networks.flatMap(({ name, driver, subnets }) =>
    // Others have no interface with their subnet in the VM itself: an overlay's is in a namespace of its own.
    (driver === 'bridge' ? subnets : []).flatMap(({ prefix: subnet }): Holder[] => {
      // What is larger than 10/8 is no network of Docker's, whatever its API says.
      if (!subnet || subnet.bits.length < 8 || !overlaps(subnet, network)) return [];
      const who = `in the VM by Docker network ${plain(name, 80)} (${subnet.text})`;
      return [{ who, wayOut: 'remove that network', isForcible: false }];
    }),
  );
}

/** Who has (a part of) this network; nobody when nothing is known. */
const holdersOf = (network: Prefix, others: Others, observation: Observation): readonly Holder[] => [
  ...onMac(network, others),
  ...inTheVm(network, observation),
];

/** A command that moves both ends at once to addresses that nobody has, or what has to be found without one. */
function move(link: Link, others: Others, observation: Observation): string {
  // macOS numbers its own networks, and nobody can tell it which one to take.
  if (link.isGiven === true)
    return 'macOS gives the link this network: end what has it besides, or give that another network';
  const { family, bits } = link.network;
  const section = family === 4 ? 'tap' : 'ipv6';
  const free = pairs[family].find(([address]) => {
    const network = parsePrefix(`${address}/${bits.length}`);
    return network !== null && holdersOf(network, others, observation).length === 0;
  });
  if (!free) return `set ${section}.address and ${section}.peer to a pair that nobody uses`;
  const [address, peer] = free;
  return `\`sudo tuntapctl config set ${section}.address ${address} ${section}.peer ${peer}\` moves it to a pair that nobody uses`;
}

/**
 * Who else has (a part of) the link's network, on the Mac or in the VM, and what moves the link, for people; null when
 * nobody has, or none whom a network listed in routes.force may overrule, or nothing is known.
 */
export function linkCollision(found: {
  config: Config;
  observation: Observation;
  link: LinkState;
  others: Others;
}): string | null {
  const { config, observation, link: state, others } = found;
  const { link } = state;
  if (!link) return null;
  const name = link.network.text;
  // A VPN that took its row takes that of every network: if the link gave way, the VPN would return the row, and take it
  // again.
  const taken = takenBy(state);
  const isOthers = (row: Route): boolean => row !== taken;
  const rest =
    taken && observation.routes.known
      ? othersOn(link, { ...observation, routes: seen(observation.routes.value.filter(isOthers)) })
      : others;
  const isForced = rulesOf(config).forced.has(name);
  const holder = holdersOf(link.network, rest, observation).find(
    ({ isForcible }) => !(isForced && isForcible),
  );
  if (!holder) return null;
  const orElse = holder.wayOut === null ? '' : `; or ${holder.wayOut}`;
  return `the link’s network ${name} is taken ${holder.who}: ${move(link, others, observation)}${orElse}`;
}
