/** Whether the two addresses of the link are somebody else's already. Pure. */
import type { Config } from '../config/schema.js';
import { formatCidr, overlaps, parseCidr } from './cidr.js';
import { conflictOf } from './route-conflicts.js';
import type { Observation } from './observation.js';
import { linkOf } from './route-guard.js';
import { claimsIn, told } from './routing-table.js';
import { plain } from './text.js';

/** Drivers whose networks have an interface with their subnet in the VM itself. */
const inVm = new Set(['bridge', 'overlay']);

/**
 * Who else has (a part of) the link's network, on the Mac or in the VM, and which keys move the link, for people;
 * null when nobody has, or it is listed in routes.force, or nothing is known.
 */
export function linkCollision(config: Config, { routes, engine }: Observation): string | null {
  const link = linkOf(config);
  const name = formatCidr(link);
  if (
    config.routes.force.some(
      (range) => parseCidr(range)?.base === link.base && range.endsWith(`/${link.prefix}`),
    )
  )
    return null;
  const wayOut = 'set tap.address and tap.peer to a pair that nobody uses';
  const conflict = routes.known ? conflictOf(link, claimsIn(config, routes.value)) : null;
  if (conflict)
    return `the link’s network ${name} is taken on this Mac by ${told(conflict.claim)}: ${wayOut}, or list ${name} in routes.force`;
  const networks = engine.known && engine.value ? engine.value.networks : [];
  for (const network of networks)
    for (const text of inVm.has(network.driver) ? network.subnets : []) {
      const subnet = parseCidr(text);
      // What is larger than 10/8 is no network of Docker's, whatever its API says.
      if (subnet && subnet.prefix >= 8 && overlaps(subnet, link))
        return `the link’s network ${name} is taken in the VM by Docker network ${plain(network.name, 80)} (${formatCidr(subnet)}): ${wayOut}, or remove that network`;
    }
  return null;
}
