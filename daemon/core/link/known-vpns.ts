/** Whose an interface is, by the rows that only one program makes. Pure. */
import type { Route } from '../observation.js';

/** Programs that are named, since there is something to do in their own settings. */
export type KnownVpn = 'Tailscale' | 'docker-mac-net-connect';

/** Addresses that one of them, and nobody else, has at the end of its tunnel or behind it. */
const marks: Readonly<Record<KnownVpn, readonly string[]>> = {
  // Its own DNS resolver.
  Tailscale: ['100.100.100.100'],
  // Both ends: its utun and `chip0` in the VM (docker-mac-net-connect, client/main.go).
  'docker-mac-net-connect': ['10.33.33.1', '10.33.33.2'],
};
/** The networks that one of them routes to its tunnel, and nobody else: of Tailscale’s IPv6 addresses all. */
const networks: Readonly<Partial<Record<KnownVpn, string>>> = { Tailscale: 'fd7a:115c:a1e0::/48' };
const vpns = Object.keys(marks) as KnownVpn[];

const isTunnel = (name: string): boolean => name.startsWith('utun');

/** Which of them made this tunnel, or null. */
export function vpnOn(name: string, table: readonly Route[]): KnownVpn | null {
  if (!isTunnel(name)) return null;
  const rows = table.filter((row) => row.interface === name);
  const isMarked = (vpn: KnownVpn): boolean =>
    rows.some(
      ({ destination, gateway }) =>
        destination.text === networks[vpn] ||
        marks[vpn].some((address) => destination.text === `${address}/32` || gateway === address),
    );
  return vpns.find(isMarked) ?? null;
}

/** Whether any tunnel of this table is this program's. */
export const hasVpn = (vpn: KnownVpn, table: readonly Route[]): boolean =>
  table.some((row) => vpnOn(row.interface, table) === vpn);
