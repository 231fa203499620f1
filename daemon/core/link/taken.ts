/** What a person is told when another program has taken the row of the link's network from the link. Pure. */
import type { FamilyJudgement } from '../judgement.js';
import { isIpv6 } from '../../lib/prefix.js';
import { type Route, valueOf } from '../observation.js';
import { hasVpn, vpnOn } from './known-vpns.js';
import { isConnected, type Link, takenBy } from './link.js';
import { rowOfLink } from '../routes/table.js';

/** The row of the link's network that came after ours and leads elsewhere, and the link whose it was; or null. */
export function takenRow({
  observation,
  memory,
  link: state,
}: FamilyJudgement): { row: Route; link: Link } | null {
  const { link } = state;
  const isTaken = memory.link.isTaken || takenBy(state) !== null;
  if (!isTaken || !link) return null;
  const row = rowOfLink(link, valueOf(observation.routes) ?? []);
  return row && !isConnected(link, row) ? { row, link } : null;
}

function wayOut(row: Route, table: readonly Route[], network: string): string {
  const isRouted = row.flags.includes('G');
  // Where local access is allowed, Tailscale leads such a network to the router instead (tailscale issue 18653).
  if (isRouted && hasVpn('Tailscale', table))
    return 'Tailscale’s “Allow Local Network Access” is on and leads it to the router: use no exit node while you need containers';
  if (vpnOn(row.interface, table) === 'Tailscale')
    return (
      'In Tailscale’s menu choose Exit Nodes, “Allow Local Network Access” (`tailscale set --exit-node-allow-lan-access`); ' +
      'where that does not help, use no exit node while you need containers'
    );
  const allow = 'Allow access to local networks in its settings, or end it';
  return isRouted
    ? `${allow}. Where no VPN runs any more, take the row away: \`sudo route -n delete ${isIpv6(network) ? '-inet6' : '-net'} ${network}\``
    : allow;
}

/** Why the link cannot be up, and what to do; another pair of addresses is not offered, it would be taken as well. */
export function toldTaken({ row, link }: { row: Route; link: Link }, table: readonly Route[]): string {
  const network = link.network.text;
  const vpn = vpnOn(row.interface, table);
  const via = row.flags.includes('G') ? `${row.gateway} on ${row.interface}` : row.interface;
  return (
    `a VPN on this Mac takes every local network (exit node without LAN access): ${network}, the link’s own, now leads ` +
    `to ${via}${vpn === null ? '' : ` (${vpn})`}. Another pair of addresses would be taken as well. ` +
    `${wayOut(row, table, network)}. The link comes back by itself`
  );
}
