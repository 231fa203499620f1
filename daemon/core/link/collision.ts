/** Whether the two addresses of the link are somebody else's already, and which ones are not. Pure. */
import type { Config } from '../../../config/schema.js';
import { canonical, type Cidr, contains, formatCidr, overlaps, parseCidr } from '../../lib/prefix.js';
import { conflictOf } from '../routes/conflicts.js';
import { type Observation, type Route, seen, valueOf } from '../observation.js';
import { fixturesOf, linkOf } from '../routes/guard.js';
import { claimsIn, told } from '../routes/table.js';
import { linkState } from './tap.js';
import { plain } from '../../lib/text.js';

/** Where a pair is looked for: the far ends of the private ranges, and of the one for benchmarks (RFC 2544). */
const farEnds = ['10.255.255', '192.168.255', '172.31.255', '198.19.255'];

interface Holder {
  readonly who: string;
  readonly wayOut: string | null;
  /** Whether routes.force may have the link there in spite of him. */
  readonly isForcible: boolean;
}

function onMac(link: Cidr, config: Config, { routes, resolvers }: Observation): readonly Holder[] {
  if (!routes.known) return [];
  const force = `list ${formatCidr(link)} in routes.force`;
  const conflict = conflictOf(link, claimsIn(config, routes.value));
  // Of one prefix the kernel keeps one route, and what is more specific than two addresses leads one of them away.
  const isAround = conflict?.relation === 'less-specific';
  const claims = conflict
    ? [{ who: told(conflict.claim), wayOut: isAround ? force : null, isForcible: isAround }]
    : [];
  const fixtures = fixturesOf(config, routes.value, valueOf(resolvers) ?? [])
    .filter(({ address }) => contains(link, address))
    .map(({ what, isForcible }) => ({
      who: what,
      wayOut: isForcible ? `${force}, where that is this very VM` : null,
      isForcible,
    }));
  return [...claims, ...fixtures].map((holder) => ({ ...holder, who: `on this Mac by ${holder.who}` }));
}

function inTheVm(link: Cidr, { engine }: Observation): readonly Holder[] {
  const networks = valueOf(engine)?.networks ?? [];
  return networks.flatMap(({ name, driver, subnets }) =>
    // Others have no interface with their subnet in the VM itself: an overlay's is in a namespace of its own.
    (driver === 'bridge' ? subnets : []).flatMap((text): Holder[] => {
      const subnet = parseCidr(text);
      // What is larger than 10/8 is no network of Docker's, whatever its API says.
      if (!subnet || subnet.prefix < 8 || !overlaps(subnet, link)) return [];
      const who = `in the VM by Docker network ${plain(name, 80)} (${formatCidr(subnet)})`;
      return [{ who, wayOut: 'remove that network', isForcible: false }];
    }),
  );
}

/** Who has (a part of) this network; nobody when nothing is known. */
const holdersOf = (link: Cidr, config: Config, observation: Observation): readonly Holder[] => [
  ...onMac(link, config, observation),
  ...inTheVm(link, observation),
];

/** A command that moves both ends at once to addresses that nobody has, or what has to be found without one. */
function move(config: Config, observation: Observation): string {
  const free = farEnds.find((end) => {
    const link = parseCidr(`${end}.253/${config.tap.prefix}`);
    return link !== null && holdersOf(link, config, observation).length === 0;
  });
  return free === undefined
    ? 'set tap.address and tap.peer to a pair that nobody uses'
    : `\`sudo tuntapctl config set tap.address ${free}.253 tap.peer ${free}.254\` moves it to a pair that nobody uses`;
}

/**
 * Who else has (a part of) the link's network, on the Mac or in the VM, and what moves the link, for people; null when
 * nobody has, or none whom a network listed in routes.force may overrule, or nothing is known.
 */
export function linkCollision(config: Config, observation: Observation): string | null {
  const link = linkOf(config);
  const name = formatCidr(link);
  const state = linkState(config, observation);
  // Whoever took its row takes that of every network: giving way to him would have him give it back, and take it again.
  const isOthers = (row: Route): boolean => !(state.kind === 'taken' && row === state.row);
  const rest = observation.routes.known
    ? { ...observation, routes: seen(observation.routes.value.filter(isOthers)) }
    : observation;
  const isForced = config.routes.force.map(canonical).includes(name);
  const holder = holdersOf(link, config, rest).find(({ isForcible }) => !(isForced && isForcible));
  if (!holder) return null;
  const orElse = holder.wayOut === null ? '' : `; or ${holder.wayOut}`;
  return `the link’s network ${name} is taken ${holder.who}: ${move(config, observation)}${orElse}`;
}
