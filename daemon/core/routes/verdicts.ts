/**
 * Which subnets get a route, and why the others do not. Pure. What the engine says is untrusted: a subnet becomes a
 * route only when nothing on the Mac would be taken away by it.
 */
import type { Config } from '../../../config/schema.js';
import { type Family, isIpv6, overlaps, type Prefix, prefixesIn } from '../../lib/prefix.js';
import type { Link, LinkState } from '../link/link.js';
import type { Memory } from '../memory.js';
import { unroutable } from './networks.js';
import type { DockerNetwork, Observation, Route } from '../observation.js';
import { anotherSubnet, conflictOf, explain } from './conflicts.js';
import { guard, type RouteRules, rulesOf } from './guard.js';
import type { Others } from './others.js';
import type { HeldRoute } from './yield.js';
import { asJournalled, isRowOf } from './table.js';
import { plain } from '../../lib/text.js';

/** As much of a judgement as routes are judged by. */
interface Found {
  readonly family: Family;
  readonly config: Config;
  readonly observation: Observation;
  readonly link: LinkState;
  readonly memory: Pick<Memory, 'ownedRoutes' | 'heldRoutes'>;
  readonly others: Others;
}

export interface RouteVerdict {
  /** Canonical where it could be read; `-` for a network that has none. */
  readonly subnet: string;
  /** A Docker network's name, or the key that lists the subnet. */
  readonly network: string;
  /**
   * `routed` and `pending` are wanted; `waiting` and `yielded` are, but not now; `refused` is against a rule and
   * `foreign` against somebody else's claim.
   */
  readonly state: 'routed' | 'pending' | 'waiting' | 'yielded' | 'refused' | 'foreign';
  readonly why: string;
}

/** The key that lists subnets of no Docker network, in the place of a network's name. */
export const extraKey = 'routes.extra';

/** What a user's engine can have root add, compare with each other and tell has an end. */
const maxSubnets = 2000;

/** What a subnet is judged by. */
interface Situation extends Others {
  readonly rules: RouteRules;
  readonly link: Link | null;
  /** Why the resolvers are not known, or null. */
  readonly unsure: string | null;
  /** Rows that `route add` would find, by prefix. */
  readonly rows: ReadonlyMap<string, Route>;
  readonly owned: ReadonlySet<string>;
  /** Whether a row is ours, wherever it leads. */
  readonly isOurs: (row: Route) => boolean;
  readonly held: ReadonlyMap<string, HeldRoute>;
}

type Decision = Pick<RouteVerdict, 'state' | 'why'>;

function situationOf(
  table: readonly Route[],
  { family, config, observation, link, memory, others }: Found,
): Situation {
  const { resolvers } = observation;
  return {
    ...others,
    rules: rulesOf(config, family),
    link: link.link,
    unsure: resolvers.known ? null : resolvers.why,
    rows: new Map(
      table.filter((row) => isRowOf(row.destination.text, row)).map((row) => [row.destination.text, row]),
    ),
    owned: new Set(memory.ownedRoutes.map(({ subnet }) => subnet)),
    isOurs: asJournalled(memory.ownedRoutes),
    held: new Map(memory.heldRoutes.map((held) => [held.subnet, held])),
  };
}

function decide(situation: Situation, subnet: Prefix): Decision {
  const { rules, link, addresses, claims, rows, owned, isOurs, held, unsure } = situation;
  const refusal = guard(rules, link, subnet, addresses);
  if (refusal) return refusal;
  const conflict = conflictOf(subnet, claims);
  if (conflict && (conflict.relation === 'same' || !rules.forced.has(subnet.text)))
    return { state: 'foreign', why: explain(conflict) };
  const row = rows.get(subnet.text);
  if (link && row?.interface === link.interface && row.gateway === link.vmAddress) {
    const way = `via ${link.vmAddress} on ${link.interface}`;
    return {
      state: 'routed',
      why: owned.has(subnet.text) ? way : `${way}, by a route that is not tuntapd’s and stays`,
    };
  }
  if (row && isOurs(row))
    return {
      state: 'waiting',
      why: `it leads to ${row.gateway} on ${row.interface}, where the link was before`,
    };
  if (link && row?.interface === link.interface) {
    // Somebody's own row through the link is no claim, but the kernel would refuse ours beside it.
    return {
      state: 'foreign',
      why: explain({ relation: 'same', claim: { range: subnet, row, isOnLink: false } }),
    };
  }
  const kept = held.get(subnet.text);
  if (kept?.state === 'yielded')
    return {
      state: 'yielded',
      why:
        `something on this Mac removed it ${kept.losses} times in a row. It comes back when the routing table has ` +
        'settled, or with `tuntapctl up`',
    };
  if (kept) return { state: 'waiting', why: 'something removed it; it is added again in a moment' };
  // A resolver could lie in the subnet, and then no name could be looked up any more.
  if (unsure !== null)
    return { state: 'waiting', why: `it waits until this Mac’s DNS resolvers are known: ${unsure}` };
  return { state: 'pending', why: conflict ? 'forced by routes.force' : 'not in the routing table yet' };
}

interface Candidate {
  /** Null for a subnet of routes.extra. */
  readonly network: DockerNetwork | null;
  readonly name: string;
  readonly subnet: Prefix;
}

/**
 * What is routed already goes first, so that a newcomer never moves it; then the order of ids, which never changes; the
 * operator's own subnets last.
 */
const inOrder = ({ owned }: Situation, candidates: readonly Candidate[]): readonly Candidate[] => {
  const rank = ({ network, subnet }: Candidate): number => (network ? (owned.has(subnet.text) ? 0 : 1) : 2);
  const idOf = ({ network }: Candidate): string => network?.id ?? '';
  return candidates.toSorted(
    (a, b) => rank(a) - rank(b) || (idOf(a) < idOf(b) ? -1 : idOf(a) > idOf(b) ? 1 : 0),
  );
};

/**
 * Whether only one of the two can be routed. Of two Docker networks that overlap one loses in the VM's own table too;
 * around or within an operator's subnet the longer prefix wins there as it does on the Mac.
 */
const excludes = (one: Candidate, other: Candidate): boolean =>
  one.network && other.network ? overlaps(one.subnet, other.subnet) : one.subnet.text === other.subnet.text;

/** For whoever listed a subnet in routes.extra: no Docker network has it. */
const adviseOperator = (why: string): string =>
  why.replace(anotherSubnet, `Take the subnet out of ${extraKey}`);

/** Subnets that may be routed, of those that exclude each other the first. */
function decideAll(situation: Situation, candidates: readonly Candidate[]): RouteVerdict[] {
  const taken: Candidate[] = [];
  return inOrder(situation, candidates).map((candidate): RouteVerdict => {
    const { subnet, name, network } = candidate;
    const decided = decide(situation, subnet);
    const decision = network ? decided : { ...decided, why: adviseOperator(decided.why) };
    const verdict = { subnet: subnet.text, network: name };
    // What is refused without the others is told first: it outlasts them.
    if (decision.state === 'refused' || decision.state === 'foreign') return { ...verdict, ...decision };
    const other = taken.find((earlier) => excludes(earlier, candidate));
    if (other) {
      const { text } = other.subnet;
      const what = text === subnet.text ? 'already has it' : `has ${text}, which overlaps it`;
      return { ...verdict, state: 'refused', why: `Docker network ${other.name} ${what}` };
    }
    taken.push(candidate);
    return { ...verdict, ...decision };
  });
}

/** What all IPv6 subnets are, where none is judged by itself; `found` of IPv6, null: nothing is to be done for it. */
function ofAllIpv6({ config, link, observation }: Found, found: Found | null): Decision | null {
  if (!config.ipv6.manage) return { state: 'refused', why: 'IPv4 only: ipv6.manage is false' };
  if (!found && !observation.ipv6)
    return { state: 'waiting', why: 'the Mac’s IPv6 is looked at in a moment' };
  // The same NIC has no address by it that the Mac could reach.
  if (!found || (link.kind === 'up' && found.link.kind === 'absent'))
    return { state: 'refused', why: 'IPv4 only: this link is not one by IPv6' };
  const { routes } = found.observation;
  return routes.known
    ? null
    : { state: 'waiting', why: `the IPv6 routing table is not known: ${routes.why}` };
}

/**
 * One verdict for every subnet that every network names (of thousands the last one is about the rest), in the engine's
 * order, and then for those of routes.extra; empty while the engine or the table is unknown. Wanted subnets of Docker
 * networks never overlap each other, and none is wanted twice. IPv6's are judged by `found6`.
 */
export function judgeRoutes(found: Found, found6: Found | null): readonly RouteVerdict[] {
  const { config } = found;
  const { engine, routes } = found.observation;
  if (!engine.known || engine.value === null || !routes.known) return [];
  const situation = situationOf(routes.value, found);
  const ofIpv6 = ofAllIpv6(found, found6);
  const candidates: Readonly<Record<Family, Candidate[]>> = { 4: [], 6: [] };
  const refused: RouteVerdict[] = [];
  const place = new Map<string, number>();
  const keyOf = ({ network, subnet }: Pick<RouteVerdict, 'network' | 'subnet'>): string =>
    `${network} ${subnet}`;
  for (const network of engine.value.networks) {
    const name = plain(network.name, 80);
    const refuse = (subnet: string, why: string, state: RouteVerdict['state'] = 'refused'): void => {
      place.set(keyOf({ network: name, subnet }), place.size);
      refused.push({ subnet, network: name, state, why });
    };
    if (network.subnets.length === 0)
      refuse('-', unroutable(config, network) ?? 'Docker names no subnet for it');
    for (const { text, prefix } of new Map(network.subnets.map((each) => [each.text, each])).values()) {
      const family = prefix?.family ?? 4;
      const reason = unroutable(config, network, family);
      if (!prefix) refuse(plain(text, 60), `it is not an ${isIpv6(text) ? 'IPv6' : 'IPv4'} network`);
      else if (reason !== null) refuse(text, reason);
      else if (family === 6 && ofIpv6) refuse(text, ofIpv6.why, ofIpv6.state);
      else if (candidates[family].length >= maxSubnets)
        refuse(text, `more than ${maxSubnets} subnets are not routed`);
      else {
        place.set(keyOf({ network: name, subnet: text }), place.size);
        candidates[family].push({ network, name, subnet: prefix });
      }
    }
  }
  const extra = new Map(prefixesIn(config.routes.extra).map((subnet) => [subnet.text, subnet]));
  for (const [text, subnet] of extra) {
    place.set(keyOf({ network: extraKey, subnet: text }), place.size);
    if (subnet.family === 6 && ofIpv6) refused.push({ subnet: text, network: extraKey, ...ofIpv6 });
    else candidates[subnet.family].push({ network: null, name: extraKey, subnet });
  }
  // A list that no user's Docker has is cut, or the status would grow with it.
  const told = refused.slice(0, maxSubnets);
  if (told.length < refused.length) {
    const why = `and ${refused.length - told.length} more that are not routed`;
    told.push({ subnet: '-', network: '…', state: 'refused', why });
  }
  const at = (verdict: RouteVerdict): number => place.get(keyOf(verdict)) ?? place.size;
  const table6 = found6?.observation.routes;
  const decided6 =
    found6 && table6?.known === true ? decideAll(situationOf(table6.value, found6), candidates[6]) : [];
  return [...told, ...decideAll(situation, candidates[4]), ...decided6].toSorted((a, b) => at(a) - at(b));
}

/** Subnets of ours that others have claimed since, and how. Needs no word of the engine: their owners do not wait for it. */
export function overtaken(found: Found): ReadonlyMap<string, string> {
  const { routes } = found.observation;
  if (!routes.known) return new Map();
  const table = routes.value;
  const situation = situationOf(table, found);
  return new Map(
    table.flatMap(({ destination }) => {
      if (!situation.owned.has(destination.text)) return [];
      const { state, why } = decide(situation, destination);
      return state === 'foreign' || state === 'refused' ? [[destination.text, why] as const] : [];
    }),
  );
}
