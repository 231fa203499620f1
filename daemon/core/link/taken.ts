/** What a person is told when somebody has taken the row of the link's network after the link had it. Pure. */
import type { Config } from '../../../config/schema.js';
import { hasVpn, vpnOn } from './known-vpns.js';
import type { LinkMemory } from './yield.js';
import { type Observation, type Route, valueOf } from '../observation.js';
import { isConnected, linkState, networkOf, rowOfLink } from './tap.js';

/** The row of the link's network that came after ours and leads elsewhere, or null. */
export function takenRow(config: Config, observation: Observation, link: LinkMemory): Route | null {
  if (!link.isTaken && linkState(config, observation).kind !== 'taken') return null;
  const row = rowOfLink(config, valueOf(observation.routes) ?? []);
  return row && !isConnected(config, row) ? row : null;
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
    ? `${allow}. Where no VPN runs any more, take the row away: \`sudo route -n delete -net ${network}\``
    : allow;
}

/** Why the link cannot be up, and what to do; another pair of addresses is not offered, it would be taken as well. */
export function toldTaken(config: Config, observation: Observation, row: Route): string {
  const network = networkOf(config);
  const table = valueOf(observation.routes) ?? [];
  const vpn = vpnOn(row.interface, table);
  const via = row.flags.includes('G') ? `${row.gateway} on ${row.interface}` : row.interface;
  return (
    `a VPN on this Mac takes every local network (exit node without LAN access): ${network}, the link’s own, now leads ` +
    `to ${via}${vpn === null ? '' : ` (${vpn})`}. Another pair of addresses would be taken as well. ` +
    `${wayOut(row, table, network)}. The link comes back by itself`
  );
}
