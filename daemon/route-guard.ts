/**
 * The route guard: whether a subnet may become a route on this Mac at all. A gateway no configuration takes away, since
 * the Mac itself would lose its way out. Pure.
 */
import type { Config } from '../config/schema.js';
import { type Cidr, contains, formatCidr, overlaps, parseCidr } from './cidr.js';
import type { Route } from './observation.js';
import { anotherSubnet } from './route-conflicts.js';

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
}

const addressOf = (text: string): Cidr | null => parseCidr(`${text}/32`);

/** Every gateway of the table (but our own, and those behind our link) and every DNS resolver. */
export function fixturesOf(
  { tap }: Config,
  table: readonly Route[],
  resolvers: readonly string[],
): readonly Fixture[] {
  const gateways = table
    // Without G the "gateway" is an interface, a neighbour or the Mac's own address.
    .filter((row) => row.flags.includes('G') && row.gateway !== tap.peer && row.interface !== tap.device)
    .map(({ gateway, destination, interface: name }) => ({
      text: gateway,
      isForcible: false,
      what: `${gateway}, the gateway of ${destination === '0.0.0.0/0' ? 'the default route' : destination} on ${name}`,
    }));
  const servers = resolvers.map((text) => ({
    text,
    isForcible: true,
    what: `${text}, a DNS resolver of this Mac`,
  }));
  // Most gateways are resolvers as well; then the gateway counts, which cannot be forced.
  const known = new Map([...gateways, ...servers].toReversed().map((fixture) => [fixture.text, fixture]));
  return [...known.values()].flatMap(({ text, what, isForcible }) => {
    const address = addressOf(text);
    return address ? [{ address, what, isForcible }] : [];
  });
}

/** The link's own network. */
export const linkOf = ({ tap }: Config): Cidr =>
  parseCidr(`${tap.address}/${tap.prefix}`) ?? { base: 0, prefix: 0 };

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
  const fixture = fixtures.find(
    ({ address, isForcible }) => contains(subnet, address) && !(isForced && isForcible),
  );
  if (!fixture) return null;
  const wayOut = fixture.isForcible
    ? `. ${anotherSubnet}, or, where that is a container of this very network, list the subnet in routes.force`
    : `, which is never covered by a route of ours. ${anotherSubnet}`;
  return { state: 'foreign', why: `it contains ${fixture.what}${wayOut}` };
}
