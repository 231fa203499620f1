/** Whether the two addresses of the link are somebody else's already, and which ones are not. Pure. */
import type { Config } from '../config/schema.js';
import { canonical, type Cidr, formatCidr, overlaps, parseCidr } from './cidr.js';
import { conflictOf } from './route-conflicts.js';
import type { Observation } from './observation.js';
import { linkOf } from './route-guard.js';
import { claimsIn, told } from './routing-table.js';
import { plain } from './text.js';

/** Drivers whose networks have an interface with their subnet in the VM itself. */
const inVm = new Set(['bridge', 'overlay']);

/** Where a pair is looked for: the far ends of the private ranges, and of the one for benchmarks (RFC 2544). */
const farEnds = ['10.255.255', '192.168.255', '172.31.255', '198.19.255'];

/** Who has (a part of) this network, and how it could be had in spite of that; null when nobody has or nothing is known. */
function holderOf(
  link: Cidr,
  config: Config,
  { routes, engine }: Observation,
): { who: string; wayOut: string } | null {
  const name = formatCidr(link);
  const conflict = routes.known ? conflictOf(link, claimsIn(config, routes.value)) : null;
  if (conflict)
    return { who: `on this Mac by ${told(conflict.claim)}`, wayOut: `list ${name} in routes.force` };
  const networks = engine.known && engine.value ? engine.value.networks : [];
  for (const network of networks)
    for (const text of inVm.has(network.driver) ? network.subnets : []) {
      const subnet = parseCidr(text);
      // What is larger than 10/8 is no network of Docker's, whatever its API says.
      if (subnet && subnet.prefix >= 8 && overlaps(subnet, link))
        return {
          who: `in the VM by Docker network ${plain(network.name, 80)} (${formatCidr(subnet)})`,
          wayOut: 'remove that network',
        };
    }
  return null;
}

/** A command that moves both ends at once to addresses that nobody has, or what has to be found without one. */
function move(config: Config, observation: Observation): string {
  const free = farEnds.find((end) => {
    const link = parseCidr(`${end}.253/${config.tap.prefix}`);
    return link !== null && holderOf(link, config, observation) === null;
  });
  return free === undefined
    ? 'set tap.address and tap.peer to a pair that nobody uses'
    : `\`sudo tuntapctl config set tap.address ${free}.253 tap.peer ${free}.254\` moves it to a pair that nobody uses`;
}

/**
 * Who else has (a part of) the link's network, on the Mac or in the VM, and what moves the link, for people; null when
 * nobody has, or it is listed in routes.force, or nothing is known.
 */
export function linkCollision(config: Config, observation: Observation): string | null {
  const link = linkOf(config);
  const name = formatCidr(link);
  const isForced = config.routes.force.map(canonical).includes(name);
  const holder = isForced ? null : holderOf(link, config, observation);
  return (
    holder &&
    `the link’s network ${name} is taken ${holder.who}: ${move(config, observation)}; or ${holder.wayOut}`
  );
}
