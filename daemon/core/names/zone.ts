/**
 * Which names the zone has, and what each stands for. Pure. Containers' names, labels and aliases are untrusted: whatever
 * they say, no name lies outside the zone, and no address outside the routed subnet of its own network.
 */
import { addressText, contains, parseAddress, type Prefix } from '../../lib/prefix.js';
import { plain } from '../../lib/text.js';
import { finished, type Work } from '../../lib/work.js';
import type { RouteVerdict } from '../routes/verdicts.js';
import { folded, unusable } from '../../lib/host-name.js';

/** As much of a running container as names are made of. */
export interface NamedContainer {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `container:<id>`, or `container:<name>`, where it has the addresses of another one. */
  readonly networkMode: string;
  readonly endpoints: readonly {
    readonly network: string;
    readonly ipv4: string | null;
    readonly ipv6: string | null;
    readonly aliases: readonly string[] | null;
  }[];
}

export interface ZoneName {
  /** Below the zone, folded: `web.shop` for `web.shop.docker`. */
  readonly name: string;
  /** Canonical, in the order of numbers; at least one, at most 200. */
  readonly addresses: readonly string[];
  /** For people: `container web`, `service web of shop`, `alias db on network app`, `label tuntapd.names`. */
  readonly of: string;
}

export interface Zone {
  readonly zone: string;
  /** In the order of the alphabet, each once. */
  readonly names: readonly ZoneName[];
  /** Names that more than one claims, and names that cannot be any, each as a sentence for people. */
  readonly problems: readonly string[];
}

/** The label by which a container gives itself names, with commas between them. */
const namesLabel = 'tuntapd.names';

const composeLabel = (key: string): string => `com.docker.compose.${key}`;

/** What a user's engine can have the daemon keep. */
const maxNames = 50_000;
const maxAddresses = 200;
const maxNamesOfOne = 64;
const maxProblems = 50;
/** Characters of an id as the engine shortens it. */
const shortId = 12;

/** A name that a container asks for. */
interface Claim {
  readonly name: string;
  /** Who asks, as people call it: several containers of one owner share its names. */
  readonly owner: string;
  /** The lowest wins. */
  readonly rank: number;
  readonly addresses: readonly Prefix[];
}

/** The names that a container asks for, in the order of their ranks. */
function claimsOf({ id, name, labels, endpoints }: NamedContainer, subnets: Subnets, zone: string): Claim[] {
  const addressed = endpoints.map(({ network, ipv4, ipv6, aliases }) => {
    const own = subnets.get(plain(network, 80)) ?? [];
    const addresses = [ipv4, ipv6].map((text) => parseAddress(text ?? '')).filter((each) => each !== null);
    const routed = addresses.filter((address) => own.some((subnet) => contains(subnet, address)));
    return { network, aliases: aliases ?? [], routed };
  });
  const all = addressed.flatMap(({ routed }) => routed);
  if (all.length === 0) return [];
  const labelled = (key: string): string => (Object.hasOwn(labels, key) ? (labels[key] ?? '') : '');
  const given = labelled(namesLabel)
    .split(',')
    .map((each) => withoutZone(folded(each.trim()), zone))
    .filter((each) => each !== '');
  const claims: Claim[] = given
    .slice(0, maxNamesOfOne)
    .map((each) => ({ name: each, owner: `label ${namesLabel}`, rank: 0, addresses: all }));
  claims.push({ name: folded(name), owner: `container ${name}`, rank: 1, addresses: all });
  const service = labelled(composeLabel('service'));
  const project = labelled(composeLabel('project'));
  // What `docker compose run` starts is not what the service is.
  if (service !== '' && project !== '' && labelled(composeLabel('oneoff')).toLowerCase() !== 'true') {
    const whole = folded(`${service}.${project}`);
    const owner = `service ${service} of ${project}`;
    claims.push({ name: whole, owner, rank: 2, addresses: all });
    const number = labelled(composeLabel('container-number'));
    if (/^[1-9]\d{0,5}$/.test(number))
      claims.push({
        name: `${number}.${whole}`,
        owner: `container ${number} of ${owner}`,
        rank: 3,
        addresses: all,
      });
  }
  for (const { network, aliases, routed } of addressed)
    if (routed.length > 0)
      for (const alias of aliases.slice(0, maxNamesOfOne))
        // The engine adds the beginning of the id.
        if (alias !== id.slice(0, shortId))
          claims.push({
            name: folded(`${alias}.${network}`),
            owner: `alias ${alias} on network ${network}`,
            rank: 4,
            addresses: routed,
          });
  return claims;
}

/** A label may name a name with its zone too. */
const withoutZone = (name: string, zone: string): string =>
  name.endsWith(`.${zone}`) ? name.slice(0, -zone.length - 1) : name;

type Subnets = ReadonlyMap<string, readonly Prefix[]>;

/** The routed subnets of each network, by the name that verdicts have for it. */
function routedSubnets(
  routes: readonly RouteVerdict[],
  prefixOf: (subnet: string) => Prefix | null,
): Subnets {
  const subnets = new Map<string, Prefix[]>();
  for (const { state, network, subnet } of routes) {
    const prefix = state === 'routed' ? prefixOf(subnet) : null;
    if (prefix) subnets.set(network, [...(subnets.get(network) ?? []), prefix]);
  }
  return subnets;
}

const inOrder = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);

/** A container that shares another one's network has its addresses; the aliases are the other one's. */
function endpointsOf(
  { networkMode, endpoints }: NamedContainer,
  known: ReadonlyMap<string, NamedContainer>,
): NamedContainer['endpoints'] {
  const [, other] = /^container:(.+)$/.exec(networkMode) ?? [];
  if (other === undefined) return endpoints;
  return (known.get(other)?.endpoints ?? []).map((endpoint) => ({ ...endpoint, aliases: null }));
}

/** The canonical text of addresses, each once, the lowest first; as many as an answer holds. */
function textsOf(addresses: readonly Prefix[]): readonly string[] {
  const [only] = addresses;
  if (only && addresses.length === 1) return [addressText(only)];
  const sorted = addresses.toSorted((a, b) => a.family - b.family || inOrder(a.bits, b.bits));
  const texts = new Set(sorted.map(addressText));
  return [...texts].slice(0, maxAddresses);
}

/** What each owner of a name asks for, by rank and then by name: the first one has it. */
function ownersOf(claims: readonly Claim[]): readonly (Claim & { readonly texts: readonly string[] })[] {
  const [only] = claims;
  if (only && claims.length === 1) return [{ ...only, texts: textsOf(only.addresses) }];
  const owners = new Map<string, Claim & { readonly addresses: Prefix[] }>();
  for (const claim of claims) {
    const known = owners.get(claim.owner);
    if (known) known.addresses.push(...claim.addresses);
    else owners.set(claim.owner, { ...claim, addresses: [...claim.addresses] });
  }
  return [...owners.values()]
    .toSorted((a, b) => a.rank - b.rank || inOrder(a.owner, b.owner))
    .map((claim) => ({ ...claim, texts: textsOf(claim.addresses) }));
}

/** An owner in words that are safe to print; most are as they come, and there may be thousands. */
const inWords = ({ owner }: Claim): string =>
  owner.length <= 120 && /^[\x20-\x7e]*$/.test(owner) ? owner : plain(owner, 120);

/** What one who lost a name has that the winner has not. */
const differs = (winner: readonly string[], loser: readonly string[]): boolean =>
  loser.some((address) => !winner.includes(address));

/**
 * Makes the names of these running containers, by what is routed to them. The same for the same containers in any order.
 * A name that several claim is given to a label first, then a container, a service, one of its containers, an alias;
 * that others claimed it with other addresses is told. Of thousands of containers it is much work: it yields after each
 * container and each name.
 */
export function* makeZone(
  zone: string,
  containers: readonly NamedContainer[],
  routes: readonly RouteVerdict[],
  prefixOf: (subnet: string) => Prefix | null,
): Work<Zone> {
  const subnets = routedSubnets(routes, prefixOf);
  const byName = new Map<string, Claim[]>();
  // The engine has the other one's id there; its name where that was made after this one (moby 49374).
  const known = new Map(containers.map((container) => [container.name, container]));
  for (const container of containers) known.set(container.id, container);
  for (const container of containers) {
    yield;
    for (const claim of claimsOf({ ...container, endpoints: endpointsOf(container, known) }, subnets, zone)) {
      const others = byName.get(claim.name);
      if (others) others.push(claim);
      else byName.set(claim.name, [claim]);
    }
  }
  const names: ZoneName[] = [];
  const problems: string[] = [];
  for (const name of [...byName.keys()].sort()) {
    yield;
    const [winner, ...losers] = ownersOf(byName.get(name) ?? []);
    if (!winner) continue;
    const why = unusable(name, zone);
    if (why !== null) {
      problems.push(`${inWords(winner)}: ${plain(name, 80)} ${why}`);
      continue;
    }
    const others = losers.filter(({ texts }) => differs(winner.texts, texts));
    if (others.length > 0)
      problems.push(
        `${name}.${zone} is ${inWords(winner)}, and not ${others
          .slice(0, 3)
          .map(inWords)
          .join(' or ')}, which ${others.length === 1 ? 'asks' : 'ask'} for it too`,
      );
    names.push({ name, addresses: winner.texts, of: inWords(winner) });
  }
  if (names.length > maxNames)
    problems.unshift(`${names.length - maxNames} names more than ${maxNames} are left out`);
  return {
    zone,
    names: names.slice(0, maxNames),
    problems:
      problems.length > maxProblems
        ? [...problems.slice(0, maxProblems), `and ${problems.length - maxProblems} more`]
        : problems,
  };
}

/** The same at once. */
export const zoneOf = (...given: Parameters<typeof makeZone>): Zone => finished(makeZone(...given));
