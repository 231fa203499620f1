/**
 * The route guard: whether a subnet may become a route on this Mac at all. A gateway that a route of ours would take away
 * no configuration allows, since the Mac itself would lose its way out. Pure.
 */
import { type Config, leastPrefix } from '../../../config/schema.js';
import {
  addressText,
  contains,
  type Family,
  isDefault,
  isSpecial6,
  overlaps,
  parsePrefix,
  type Prefix,
  prefixesIn,
} from '../../lib/prefix.js';
import type { Link } from '../link/link.js';
import type { Route } from '../observation.js';
import { anotherSubnet } from './conflicts.js';

/** `refused` by what the operator allows; `foreign` because it would cover an address that the Mac depends on. */
export interface Refusal {
  readonly state: 'refused' | 'foreign';
  readonly why: string;
}

/** An address that must stay where it is, and what it is to the Mac. */
export interface ProtectedAddress {
  readonly address: Prefix;
  readonly what: string;
  /** A resolver may be a container; whoever knows that it is can say so by routes.force. */
  readonly isForcible: boolean;
  /** The longest row that leads straight to a gateway, not by another one: a shorter route leaves it where it is. */
  readonly reachedBy: Prefix | null;
}

/**
 * Docker Desktop’s own networks (vpnkit’s, later gvisor’s), in which its VM has gateway and resolver. Docker Desktop moves
 * the first away from a Mac that has a route there (4.50), so a route of ours would chase it.
 */
const vmsOuterNetwork: Readonly<Record<Family, Prefix | null>> = {
  4: parsePrefix('192.168.65.0/24'),
  6: parsePrefix('fdc4:f303:9324::/64'),
};

/** Rows that come and go with a neighbour (W), refuse (R) or swallow (B) are no way to anybody. */
const leadsNowhere = /[WRB]/;

/** The ranges that lie straight on interfaces other than our own; a scoped row only for what goes by its interface. */
function onLinkRows(link: Link | null, table: readonly Route[]) {
  return table.flatMap(({ destination: range, flags, interface: name }) => {
    if (isDefault(range) || flags.includes('G') || leadsNowhere.test(flags)) return [];
    return name === link?.interface ? [] : [{ range, scope: flags.includes('I') ? name : null }];
  });
}

/** Every gateway of the table (but our own, and those behind our link) and every DNS resolver. */
export function protectedAddresses(
  link: Link | null,
  table: readonly Route[],
  resolvers: readonly Prefix[],
): readonly ProtectedAddress[] {
  const gateways = table.flatMap(({ via, flags, gateway, destination, interface: name }) => {
    // Without G the "gateway" is an interface, a neighbour or the Mac's own address.
    if (!via || !flags.includes('G') || gateway === link?.vmAddress || name === link?.interface) return [];
    const of = isDefault(destination) ? 'the default route' : destination.text;
    return [{ address: via, isForcible: false, name, what: `${gateway}, the gateway of ${of} on ${name}` }];
  });
  const servers = resolvers.map((address) => ({
    address,
    isForcible: true,
    name: null,
    what: `${addressText(address)}, a DNS resolver of this Mac`,
  }));
  // Most gateways are resolvers as well; then the gateway counts, which cannot be forced.
  const known = new Map([...gateways, ...servers].toReversed().map((each) => [each.address.text, each]));
  const straight = onLinkRows(link, table);
  return [...known.values()].map(({ address, what, isForcible, name }) => {
    const [reachedBy = null] = straight
      .filter(({ range, scope }) => contains(range, address) && (scope === null || scope === name))
      .map(({ range }) => range)
      .toSorted((a, b) => b.bits.length - a.bits.length);
    return { address, what, isForcible, reachedBy: isForcible ? null : reachedBy };
  });
}

function wayOut(found: ProtectedAddress, staysReached: (found: ProtectedAddress) => boolean): string {
  if (found.isForcible)
    return `. ${anotherSubnet}, or, where that is a container of this very network, list the subnet in routes.force`;
  return found.reachedBy && staysReached(found)
    ? `, which would stay reached by ${found.reachedBy.text}. ${anotherSubnet}, or list the subnet in routes.force`
    : `, which is never covered by a route of ours. ${anotherSubnet}`;
}

/** What an operator allows to be routed of one family, as prefixes. */
export interface RouteRules {
  /** The section of the keys that say so. */
  readonly section: 'routes' | 'ipv6';
  /** The keys that move the link's own network, as people say them. */
  readonly ends: string;
  readonly allow: readonly Prefix[];
  /** In the operator's words. */
  readonly allowed: readonly string[];
  readonly minPrefix: number;
  /** Canonical texts of routes.force. */
  readonly forced: ReadonlySet<string>;
}

export function rulesOf({ routes, ipv6 }: Config, family: Family = 4): RouteRules {
  const section = family === 4 ? 'routes' : 'ipv6';
  const { allow, minPrefix } = family === 4 ? routes : ipv6;
  return {
    section,
    ends: family === 4 ? 'tap.address and tap.peer' : 'ipv6.address and ipv6.peer',
    allow: prefixesIn(allow),
    allowed: allow,
    minPrefix,
    forced: new Set(prefixesIn(routes.force).map(({ text }) => text)),
  };
}

/**
 * Which of the operator's rules do not let the subnet through, both at once, so that mending one does not uncover the
 * other; and the command that mends them, where any may have such a subnet routed. Null: they let it through.
 */
function againstRules({ section, allow, allowed, minPrefix }: RouteRules, subnet: Prefix): string | null {
  const { length } = subnet.bits;
  const why: string[] = [];
  const settings: string[] = [];
  if (!allow.some((range) => contains(range, subnet))) {
    why.push(`it lies outside of ${section}.allow (${allowed.join(', ')})`);
    settings.push(`${section}.allow ${[...allowed, subnet.text].join(',')}`);
  }
  if (length < minPrefix) {
    why.push(`it is larger than /${minPrefix} (${section}.minPrefix)`);
    settings.push(`${section}.minPrefix ${length}`);
  }
  if (why.length === 0) return null;
  const wayOut = `: \`sudo tuntapctl config set ${settings.join(' ')}\` has it routed`;
  return why.join(', and ') + (length < leastPrefix[section] ? '' : wayOut);
}

/** Why this subnet may not be routed here, or null. */
export function guard(
  rules: RouteRules,
  link: Link | null,
  subnet: Prefix,
  addresses: readonly ProtectedAddress[],
): Refusal | null {
  const { ends, forced } = rules;
  const isForced = forced.has(subnet.text);
  if (isSpecial6(subnet))
    return { state: 'refused', why: 'it has addresses that are no host’s, or only on their own wire' };
  const against = againstRules(rules, subnet);
  if (against !== null) return { state: 'refused', why: against };
  if (link && overlaps(link.network, subnet))
    return {
      state: 'refused',
      why: `it overlaps tuntapd’s own link ${link.network.text}: ${link.isGiven === true ? 'give the Docker network another subnet' : `set ${ends} to another pair`}`,
    };
  const staysReached = ({ reachedBy }: ProtectedAddress): boolean =>
    reachedBy !== null && reachedBy.bits.length > subnet.bits.length;
  const inside = addresses.filter(({ address }) => contains(subnet, address));
  // What routes.force does not overrule is told first: it outlasts the others.
  const found =
    inside.find((each) => !each.isForcible && !staysReached(each)) ?? (isForced ? undefined : inside[0]);
  if (found) return { state: 'foreign', why: `it contains ${found.what}${wayOut(found, staysReached)}` };
  const outer = vmsOuterNetwork[subnet.family];
  if (isForced || !outer || !overlaps(outer, subnet)) return null;
  return {
    state: 'refused',
    why:
      `it overlaps ${outer.text}, in which Docker Desktop’s VM has its own gateway and resolver. ` +
      `${anotherSubnet}, or, where Docker Desktop’s settings name another one there, list the subnet in routes.force`,
  };
}
