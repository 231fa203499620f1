/**
 * Which subnets get a route, and why the others do not. Pure. What the engine says is untrusted: a subnet becomes a
 * route only when nothing on the Mac would be taken away by it.
 */
import type { Config } from '../config/schema.js';
import { type Cidr, contains, formatCidr, overlaps, parseCidr } from './cidr.js';
import type { DockerNetwork, Observation, Route } from './observation.js';
import { plain } from './text.js';

export interface RouteVerdict {
  /** Canonical where it could be read. */
  readonly subnet: string;
  readonly network: string;
  /** `routed` and `pending` are wanted; `refused` and `foreign` are not done, with the reason in `why`. */
  readonly state: 'routed' | 'pending' | 'refused' | 'foreign';
  readonly why: string;
}

const isDefault = (route: Route): boolean => route.destination === '0.0.0.0/0';

/** A route made by us: through our gateway. Whatever else has the same gateway address does not exist on a Mac. */
export const isOurs = (config: Config, route: Route): boolean => route.gateway === config.tap.peer;

/** On-link rows (`link#N`, or an interface's name as gateway) and static ones alike are somebody's claim on a range. */
const isClaim = (config: Config, route: Route): boolean =>
  !isOurs(config, route) &&
  !isDefault(route) &&
  route.interface !== config.tap.device &&
  // The halves of a full-tunnel VPN's default route are less specific than any container network.
  (parseCidr(route.destination)?.prefix ?? 0) > 1 &&
  // Rows cloned per neighbour (W) and scoped rows (I) follow from others.
  !/[WI]/.test(route.flags);

const driverReason: Readonly<Record<string, string>> = {
  host: 'its containers use the VM’s own addresses',
  none: 'its containers have no network',
  null: 'its containers have no network',
  overlay: 'swarm networks are not reachable through the VM’s bridges',
  macvlan: 'macvlan containers sit on the VM’s outer network and are not reached through it',
  ipvlan: 'ipvlan containers sit on the VM’s outer network and are not reached through it',
};

function unroutable(network: DockerNetwork): string | null {
  if (network.driver !== 'bridge')
    return driverReason[network.driver] ?? `driver ${plain(network.driver)} is not known to be routable`;
  if (network.scope !== 'local') return 'it belongs to a swarm, not to this VM';
  if (network.internal) return 'it is internal: its containers cannot answer anyone outside';
  return null;
}

function guard(config: Config, cidr: Cidr): string | null {
  const link = parseCidr(`${config.tap.address}/${config.tap.prefix}`);
  if (!config.routes.allow.some((range) => contains(parseCidr(range) ?? { base: 0, prefix: 33 }, cidr)))
    return `it lies outside of routes.allow (${config.routes.allow.join(', ')})`;
  if (cidr.prefix < config.routes.minPrefix)
    return `it is larger than /${config.routes.minPrefix} (routes.minPrefix)`;
  if (link && overlaps(link, cidr))
    return `it overlaps tuntapd’s own link ${formatCidr(link)}: set tap.address and tap.peer to another pair`;
  return null;
}

function judge(config: Config, routes: readonly Route[], network: DockerNetwork, text: string): RouteVerdict {
  const name = plain(network.name, 80);
  const cidr = parseCidr(text);
  if (!cidr) {
    const why = text.includes(':') ? 'IPv6 is not routed yet' : 'it is not an IPv4 network';
    return { subnet: plain(text, 60), network: name, state: 'refused', why };
  }
  const subnet = formatCidr(cidr);
  const refused = unroutable(network) ?? guard(config, cidr);
  if (refused !== null) return { subnet, network: name, state: 'refused', why: refused };
  const same = routes.find((route) => route.destination === subnet && !route.flags.includes('I'));
  if (same && isOurs(config, same) && same.interface === config.tap.device)
    return { subnet, network: name, state: 'routed', why: `via ${config.tap.peer} on ${config.tap.device}` };
  if (
    config.routes.force.some((range) => parseCidr(range) && formatCidr(parseCidr(range) as Cidr) === subnet)
  )
    return { subnet, network: name, state: 'pending', why: 'forced by routes.force' };
  const claim = routes.find((route) => {
    const other = parseCidr(route.destination);
    return other !== null && isClaim(config, route) && overlaps(other, cidr);
  });
  if (claim) {
    const why =
      `${claim.interface} has ${claim.destination} (gateway ${claim.gateway}). Give the Docker network another subnet ` +
      `(docker network create --subnet …, or default-address-pools in Docker’s settings), or set routes.force`;
    return { subnet, network: name, state: 'foreign', why };
  }
  return { subnet, network: name, state: 'pending', why: 'not in the routing table yet' };
}

/** One verdict for every subnet of every network, each subnet once; empty while the engine or the table is unknown. */
export function judgeRoutes(config: Config, observation: Observation): readonly RouteVerdict[] {
  const { engine, routes } = observation;
  if (!engine.known || engine.value === null || !routes.known) return [];
  const table = routes.value;
  const verdicts = engine.value.networks.flatMap((network) =>
    network.subnets.map((subnet) => judge(config, table, network, subnet)),
  );
  return [...new Map(verdicts.map((verdict) => [`${verdict.subnet} ${verdict.network}`, verdict])).values()];
}
