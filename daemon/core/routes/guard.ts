/**
 * The route guard: whether a subnet may become a route on this Mac at all. A gateway that a route of ours would take away
 * no configuration allows, since the Mac itself would lose its way out. Pure.
 */
import type { Config } from '../../../config/schema.js';
import { type Cidr, contains, formatCidr, overlaps, parseCidr } from '../../lib/prefix.js';
import type { Route } from '../observation.js';
import { anotherSubnet } from './conflicts.js';

/** `refused` by what the operator allows; `foreign` because it would cover an address that the Mac depends on. */
export interface Refusal {
  readonly state: 'refused' | 'foreign';
  readonly why: string;
}

/** An address that must stay where it is, and what it is to the Mac. */
export interface Fixture {
  readonly address: Cidr;
  readonly what: string;
  /** A resolver may be a container; whoever knows that it is can say so by routes.force. */
  readonly isForcible: boolean;
  /** The longest row that leads straight to a gateway, not by another one: a shorter route leaves it where it is. */
  readonly reachedBy: Cidr | null;
}

/**
 * Docker Desktop’s own network (vpnkit’s, later gvisor’s), in which its VM has gateway and resolver. Docker Desktop moves
 * it away from a Mac that has a route there (4.50), so a route of ours would chase it.
 */
const vmsOuterNetwork: Cidr = { base: 0xc0_a8_41_00, prefix: 24 };

const addressOf = (text: string): Cidr | null => parseCidr(`${text}/32`);

/** Rows that come and go with a neighbour (W), refuse (R) or swallow (B) are no way to anybody. */
const leadsNowhere = /[WRB]/;

/** The ranges that lie straight on interfaces other than our own; a scoped row only for what goes by its interface. */
function onLinkRows({ tap }: Config, table: readonly Route[]) {
  return table.flatMap(({ destination, flags, interface: name }) => {
    const range = parseCidr(destination);
    if (!range || range.prefix === 0 || flags.includes('G') || leadsNowhere.test(flags)) return [];
    return name === tap.device ? [] : [{ range, scope: flags.includes('I') ? name : null }];
  });
}

/** Every gateway of the table (but our own, and those behind our link) and every DNS resolver. */
export function fixturesOf(
  config: Config,
  table: readonly Route[],
  resolvers: readonly string[],
): readonly Fixture[] {
  const { tap } = config;
  const gateways = table
    // Without G the "gateway" is an interface, a neighbour or the Mac's own address.
    .filter((row) => row.flags.includes('G') && row.gateway !== tap.peer && row.interface !== tap.device)
    .map(({ gateway, destination, interface: name }) => ({
      text: gateway,
      isForcible: false,
      name,
      what: `${gateway}, the gateway of ${destination === '0.0.0.0/0' ? 'the default route' : destination} on ${name}`,
    }));
  const servers = resolvers.map((text) => ({
    text,
    isForcible: true,
    name: null,
    what: `${text}, a DNS resolver of this Mac`,
  }));
  // Most gateways are resolvers as well; then the gateway counts, which cannot be forced.
  const known = new Map([...gateways, ...servers].toReversed().map((fixture) => [fixture.text, fixture]));
  const straight = onLinkRows(config, table);
  return [...known.values()].flatMap(({ text, what, isForcible, name }) => {
    const address = addressOf(text);
    if (!address) return [];
    const [reachedBy = null] = straight
      .filter(({ range, scope }) => contains(range, address) && (scope === null || scope === name))
      .map(({ range }) => range)
      .toSorted((a, b) => b.prefix - a.prefix);
    return [{ address, what, isForcible, reachedBy: isForcible ? null : reachedBy }];
  });
}

/** The link's own network. */
export const linkOf = ({ tap }: Config): Cidr =>
  parseCidr(`${tap.address}/${tap.prefix}`) ?? { base: 0, prefix: 0 };

function wayOut(fixture: Fixture, staysReached: (fixture: Fixture) => boolean): string {
  if (fixture.isForcible)
    return `. ${anotherSubnet}, or, where that is a container of this very network, list the subnet in routes.force`;
  return fixture.reachedBy && staysReached(fixture)
    ? `, which would stay reached by ${formatCidr(fixture.reachedBy)}. ${anotherSubnet}, or list the subnet in routes.force`
    : `, which is never covered by a route of ours. ${anotherSubnet}`;
}

/** Why this subnet may not be routed here, or null. `isForced`: whether routes.force lists it. */
export function guard(
  config: Config,
  subnet: Cidr,
  fixtures: readonly Fixture[],
  isForced: boolean,
): Refusal | null {
  const { allow, minPrefix } = config.routes;
  const ranges = allow.map(parseCidr).filter((range) => range !== null);
  // Whoever mends one of the two learns of the other at the same time.
  const against = [
    ...(ranges.some((range) => contains(range, subnet))
      ? []
      : [`it lies outside of routes.allow (${allow.join(', ')})`]),
    ...(subnet.prefix < minPrefix ? [`it is larger than /${minPrefix} (routes.minPrefix)`] : []),
  ];
  if (against.length > 0) return { state: 'refused', why: against.join(', and ') };
  const link = linkOf(config);
  if (overlaps(link, subnet))
    return {
      state: 'refused',
      why: `it overlaps tuntapd’s own link ${formatCidr(link)}: set tap.address and tap.peer to another pair`,
    };
  const staysReached = ({ reachedBy }: Fixture): boolean =>
    reachedBy !== null && reachedBy.prefix > subnet.prefix;
  const inside = fixtures.filter(({ address }) => contains(subnet, address));
  // What routes.force does not overrule is told first: it outlasts the others.
  const fixture =
    inside.find((each) => !each.isForcible && !staysReached(each)) ?? (isForced ? undefined : inside[0]);
  if (fixture)
    return { state: 'foreign', why: `it contains ${fixture.what}${wayOut(fixture, staysReached)}` };
  if (isForced || !overlaps(vmsOuterNetwork, subnet)) return null;
  return {
    state: 'refused',
    why:
      `it overlaps ${formatCidr(vmsOuterNetwork)}, in which Docker Desktop’s VM has its own gateway and resolver. ` +
      `${anotherSubnet}, or, where Docker Desktop’s settings name another one there, list the subnet in routes.force`,
  };
}
