/** How rows of the Mac's routing table are told apart. Pure. */
import { contains, type Family, isHost, parseAddress, type Prefix } from '../../lib/prefix.js';
import { type KnownVpn, vpnOn } from '../link/known-vpns.js';
import type { Link } from '../link/link.js';
import type { Route } from '../observation.js';

/** A route that we added, as the journal keeps it. */
export interface OwnedRoute {
  /** Canonical CIDR. */
  readonly subnet: string;
  readonly gateway: string;
  readonly interface: string;
}

/** A row of another program that says where a range leads. */
export interface Claim {
  readonly range: Prefix;
  readonly row: Route;
  /** Its range is the very network of an interface: `link#N` as gateway. */
  readonly isOnLink: boolean;
  /** The program whose tunnel it leads to, where it is one that is known. */
  readonly vpn?: KnownVpn | null;
}

/** Rows cloned per neighbour (W) follow from others (route.c, `bits`). */
const isCloned = ({ flags }: Route): boolean => flags.includes('W');

/** Scoped rows (I) serve sockets bound to their interface; everybody else's packets never take them. */
const isScoped = ({ flags }: Route): boolean => flags.includes('I');

/** The row of exactly this prefix, in canonical text: what `route add` would call `File exists`. */
export const isRowOf = (subnet: string, row: Route): boolean =>
  row.destination.text === subnet && !isCloned(row) && !isScoped(row);

/** Whether a row is a route of ours just as the journal has it, wherever the link is by now. */
export function asJournalled(owned: readonly OwnedRoute[]): (row: Route) => boolean {
  const known = new Map(owned.map((route) => [route.subnet, route]));
  return (row) => {
    const { text } = row.destination;
    const own = known.get(text);
    return own?.gateway === row.gateway && own.interface === row.interface && isRowOf(text, row);
  };
}

/** The row of exactly the link's network; the kernel has one at most. */
export const rowOfLink = ({ network }: Link, table: readonly Route[]): Route | null =>
  table.find((row) => isRowOf(network.text, row)) ?? null;

const isOnLink = ({ gateway, flags }: Route): boolean => gateway.startsWith('link#') && !flags.includes('G');

/**
 * No organisation's network is larger than 10/8: a row that is, like the halves 0/1 and 128/1, is a share of a full
 * tunnel's default route, and as little taken away by a container network as the default route itself. Of IPv6's, like
 * ::/1, 8000::/1 and 2000::/3, whatever is larger than all of the private ones, fc00::/7.
 */
const largestClaim: Readonly<Record<Family, number>> = { 4: 8, 6: 7 };

/**
 * What others have claimed: every row but default routes, those on or through our own link, and those that follow
 * from other rows. Of scoped rows the networks of interfaces count, since their neighbours are real.
 */
export function claimsIn(link: Link | null, table: readonly Route[]): readonly Claim[] {
  const vpns = new Map(
    [...new Set(table.map((row) => row.interface))].map((name) => [name, vpnOn(name, table)]),
  );
  const own = parseAddress(link?.macAddress ?? '')?.text;
  const isOurs = (row: Route): boolean => {
    if (!link) return false;
    // The Mac's own address leads to lo0; on another interface a VPN has given it.
    if (row.destination.text === own && [link.interface, 'lo0'].includes(row.interface)) return true;
    // By IPv6 it has further ones in a network that macOS announces.
    const { family } = row.destination;
    if (
      family === 6 &&
      row.interface === 'lo0' &&
      isHost(row.destination) &&
      contains(link.network, row.destination)
    )
      return true;
    return row.interface === link.interface && (row.gateway === link.vmAddress || !row.flags.includes('G'));
  };
  return table.flatMap((row): Claim[] => {
    const range = row.destination;
    if (range.bits.length < largestClaim[range.family] || isCloned(row) || isOurs(row)) return [];
    if (isScoped(row) && !isOnLink(row)) return [];
    return [{ range, row, isOnLink: isOnLink(row), vpn: vpns.get(row.interface) ?? null }];
  });
}

/**
 * Of the routes that the journal calls ours, those that stand as we made them. What is gone is not ours when it comes
 * back, and a prefix that leads through another gateway belongs to whoever did that. The interface may be a wrong
 * one: the kernel binds a route to the default route's when the gateway is not on-link (route.c). Where that very
 * gateway is somebody's on that interface (a VPN's 10.0.75.2, and the journal is from before a reboot), the row is his.
 */
export function stillOwned(
  link: Link | null,
  owned: readonly OwnedRoute[],
  table: readonly Route[],
): readonly OwnedRoute[] {
  const known = new Map(owned.map((route) => [route.subnet, route]));
  const alike = table.filter(
    (row) => isRowOf(row.destination.text, row) && known.get(row.destination.text)?.gateway === row.gateway,
  );
  const isElsewhere = (row: Route): boolean => row.interface !== known.get(row.destination.text)?.interface;
  const claims = alike.some(isElsewhere) ? claimsIn(link, table) : [];
  const isTheirs = ({ via, interface: name }: Route): boolean =>
    claims.some(({ range, row }) => row.interface === name && via !== null && contains(range, via));
  const standing = new Set(
    alike.filter((row) => !(isElsewhere(row) && isTheirs(row))).map(({ destination }) => destination.text),
  );
  return owned.filter(({ subnet }) => standing.has(subnet));
}

const leadsTo = ({ row, isOnLink: own }: Claim): string =>
  own
    ? `${row.destination.text}, the network of ${row.interface}`
    : `${row.destination.text}${row.gateway === row.interface ? '' : ` via ${row.gateway}`} on ${row.interface}`;

/** A row as people read it: `172.16.0.0/12 via 10.80.0.1 on utun4`, and whose tunnel that is. */
export const told = (claim: Claim): string => `${leadsTo(claim)}${claim.vpn ? ` (${claim.vpn})` : ''}`;
