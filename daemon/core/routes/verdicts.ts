/**
 * Which subnets get a route, and why the others do not. Pure. What the engine says is untrusted: a subnet becomes a
 * route only when nothing on the Mac would be taken away by it.
 */
import type { Config } from '../../../config/schema.js';
import { canonical, type Cidr, overlaps, parseCidr } from '../../lib/prefix.js';
import { unroutable } from './networks.js';
import type { DockerNetwork, Observation, Route } from '../observation.js';
import { anotherSubnet, conflictOf, explain } from './conflicts.js';
import { type Fixture, fixturesOf, guard } from './guard.js';
import type { HeldRoute } from './yield.js';
import { type Claim, claimsIn, isRowOf, type OwnedRoute } from './table.js';
import { plain } from '../../lib/text.js';

/** What of the daemon's memory matters for routes. */
export interface RouteMemory {
  /** Routes that we added and have not deleted. */
  readonly ownedRoutes: readonly OwnedRoute[];
  /** Those that others keep removing. */
  readonly heldRoutes: readonly HeldRoute[];
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
const mostSubnets = 2000;

interface Ground {
  readonly config: Config;
  readonly claims: readonly Claim[];
  readonly fixtures: readonly Fixture[];
  /** Why the resolvers are not known, or null. */
  readonly unsure: string | null;
  /** Rows that `route add` would find, by prefix. */
  readonly rows: ReadonlyMap<string, Route>;
  readonly owned: ReadonlySet<string>;
  readonly held: ReadonlyMap<string, HeldRoute>;
  readonly forced: ReadonlySet<string>;
}

type Ruling = Pick<RouteVerdict, 'state' | 'why'>;

function groundOf(
  config: Config,
  table: readonly Route[],
  observation: Observation,
  memory: RouteMemory,
): Ground {
  const { resolvers } = observation;
  return {
    config,
    claims: claimsIn(config, table),
    fixtures: fixturesOf(config, table, resolvers.known ? resolvers.value : []),
    unsure: resolvers.known ? null : resolvers.why,
    rows: new Map(table.filter((row) => isRowOf(row.destination, row)).map((row) => [row.destination, row])),
    owned: new Set(memory.ownedRoutes.map(({ subnet }) => subnet)),
    held: new Map(memory.heldRoutes.map((held) => [held.subnet, held])),
    forced: new Set(config.routes.force.map(canonical)),
  };
}

/** Whether this row leads where a route of ours does. */
const isOurWay = ({ tap }: Config, row: Route | undefined): boolean =>
  row?.gateway === tap.peer && row.interface === tap.device;

/** `subnet` in its canonical text. */
function rule(ground: Ground, subnet: string, cidr: Cidr): Ruling {
  const { config, fixtures, claims, rows, owned, held, forced, unsure } = ground;
  const isForced = forced.has(subnet);
  const refusal = guard(config, cidr, fixtures, isForced);
  if (refusal) return refusal;
  const conflict = conflictOf(cidr, claims);
  if (conflict && (conflict.relation === 'same' || !isForced))
    return { state: 'foreign', why: explain(conflict) };
  const way = `via ${config.tap.peer} on ${config.tap.device}`;
  if (isOurWay(config, rows.get(subnet)))
    return {
      state: 'routed',
      why: owned.has(subnet) ? way : `${way}, by a route that is not tuntapd’s and stays`,
    };
  // Somebody's own row through the tap is no claim, but the kernel would refuse ours beside it.
  const theirs = rows.get(subnet);
  if (theirs?.interface === config.tap.device)
    return {
      state: 'foreign',
      why: explain({ relation: 'same', claim: { range: cidr, row: theirs, isOnLink: false } }),
    };
  const kept = held.get(subnet);
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
  /** Canonical, and what it means. */
  readonly subnet: string;
  readonly cidr: Cidr;
}

/**
 * What is routed already goes first, so that a newcomer never moves it; then the order of ids, which never changes; the
 * operator's own subnets last.
 */
const inOrder = ({ owned }: Ground, candidates: readonly Candidate[]): readonly Candidate[] => {
  const rank = ({ network, subnet }: Candidate): number => (network ? (owned.has(subnet) ? 0 : 1) : 2);
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
  one.network && other.network ? overlaps(one.cidr, other.cidr) : one.subnet === other.subnet;

/** For whoever listed a subnet in routes.extra: no Docker network has it. */
const adviseOperator = (why: string): string =>
  why.replace(anotherSubnet, `Take the subnet out of ${extraKey}`);

/** Subnets that may be routed, of those that exclude each other the first. */
function ruleAll(ground: Ground, candidates: readonly Candidate[]): RouteVerdict[] {
  const taken: Candidate[] = [];
  return inOrder(ground, candidates).map((candidate): RouteVerdict => {
    const { subnet, cidr, name, network } = candidate;
    const ruled = rule(ground, subnet, cidr);
    const ruling = network ? ruled : { ...ruled, why: adviseOperator(ruled.why) };
    // What is refused without the others is told first: it outlasts them.
    if (ruling.state === 'refused' || ruling.state === 'foreign') return { subnet, network: name, ...ruling };
    const other = taken.find((earlier) => excludes(earlier, candidate));
    if (other) {
      const what = other.subnet === subnet ? 'already has it' : `has ${other.subnet}, which overlaps it`;
      return { subnet, network: name, state: 'refused', why: `Docker network ${other.name} ${what}` };
    }
    taken.push(candidate);
    return { subnet, network: name, ...ruling };
  });
}

function judge(config: Config, observation: Observation, memory: RouteMemory): readonly RouteVerdict[] {
  const { engine, routes } = observation;
  if (!engine.known || engine.value === null || !routes.known) return [];
  const ground = groundOf(config, routes.value, observation, memory);
  const candidates: Candidate[] = [];
  const refused: RouteVerdict[] = [];
  const place = new Map<string, number>();
  const keyOf = ({ network, subnet }: Pick<RouteVerdict, 'network' | 'subnet'>): string =>
    `${network} ${subnet}`;
  for (const network of engine.value.networks) {
    const name = plain(network.name, 80);
    const reason = unroutable(config, network);
    const refuse = (subnet: string, why: string): void => {
      place.set(keyOf({ network: name, subnet }), place.size);
      refused.push({ subnet, network: name, state: 'refused', why });
    };
    if (network.subnets.length === 0) refuse('-', reason ?? 'Docker names no subnet for it');
    for (const text of new Set(network.subnets.map(canonical))) {
      const cidr = parseCidr(text);
      if (!cidr)
        refuse(plain(text, 60), text.includes(':') ? 'IPv6 is not routed yet' : 'it is not an IPv4 network');
      else if (reason !== null) refuse(text, reason);
      else if (candidates.length >= mostSubnets)
        refuse(text, `more than ${mostSubnets} subnets are not routed`);
      else {
        place.set(keyOf({ network: name, subnet: text }), place.size);
        candidates.push({ network, name, subnet: text, cidr });
      }
    }
  }
  for (const subnet of new Set(config.routes.extra.map(canonical))) {
    const cidr = parseCidr(subnet);
    if (!cidr) continue;
    place.set(keyOf({ network: extraKey, subnet }), place.size);
    candidates.push({ network: null, name: extraKey, subnet, cidr });
  }
  // A list that no user's Docker has is cut, or the status would grow with it.
  const told = refused.slice(0, mostSubnets);
  if (told.length < refused.length) {
    const why = `and ${refused.length - told.length} more that are not routed`;
    told.push({ subnet: '-', network: '…', state: 'refused', why });
  }
  const at = (verdict: RouteVerdict): number => place.get(keyOf(verdict)) ?? place.size;
  return [...told, ...ruleAll(ground, candidates)].toSorted((a, b) => at(a) - at(b));
}

/** Subnets of ours that others have claimed since, and how. Needs no word of the engine: their owners do not wait for it. */
export function overtaken(
  config: Config,
  observation: Observation,
  memory: RouteMemory,
): ReadonlyMap<string, string> {
  if (!observation.routes.known) return new Map();
  const ground = groundOf(config, observation.routes.value, observation, memory);
  return new Map(
    memory.ownedRoutes.flatMap(({ subnet }) => {
      const cidr = parseCidr(subnet);
      if (!cidr) return [];
      const { state, why } = rule(ground, subnet, cidr);
      return state === 'foreign' || state === 'refused' ? [[subnet, why] as const] : [];
    }),
  );
}

interface Judged extends RouteMemory {
  readonly config: Config;
  readonly verdicts: readonly RouteVerdict[];
}
/** Plan, conditions, data path and status ask in turn, about hundreds of networks perhaps. */
const judged = new WeakMap<Observation, Judged>();

/**
 * One verdict for every subnet that every network names (of thousands the last one is about the rest), in the engine's
 * order, and then for those of routes.extra; empty while the engine or the table is unknown. Wanted subnets of Docker
 * networks never overlap each other, and none is wanted twice.
 */
export function judgeRoutes(
  config: Config,
  observation: Observation,
  { ownedRoutes, heldRoutes }: RouteMemory,
): readonly RouteVerdict[] {
  const last = judged.get(observation);
  if (last?.config === config && last.ownedRoutes === ownedRoutes && last.heldRoutes === heldRoutes)
    return last.verdicts;
  const verdicts = judge(config, observation, { ownedRoutes, heldRoutes });
  judged.set(observation, { config, ownedRoutes, heldRoutes, verdicts });
  return verdicts;
}
