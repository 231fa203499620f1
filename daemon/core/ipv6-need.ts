/** Whether anybody needs IPv6. While nobody does, nothing of it is looked at, and nothing of it is told. Pure. */
import type { Config } from '../../config/schema.js';
import type { Memory } from './memory.js';
import type { DockerNetwork, Observation } from './observation.js';
import { isIpv6 } from '../lib/prefix.js';
import { unroutable } from './routes/networks.js';

/** Whether a network has an IPv6 subnet that could be routed. */
const hasIpv6 = (config: Config, network: DockerNetwork): boolean =>
  network.subnets.some(({ prefix }) => prefix?.family === 6) && unroutable(config, network, 6) === null;

/**
 * Whether the operator has a subnet of it routed, or a network of the engine's has one; while the engine does not tell,
 * whether one had when it last told, so that the next VM's link has its address before it is up.
 */
export function needsIpv6(
  config: Config,
  engine: Observation['engine'],
  { ipv6 }: Pick<Memory, 'ipv6'>,
): boolean {
  if (!config.ipv6.manage) return false;
  if (config.routes.extra.some(isIpv6)) return true;
  if (!engine.known || engine.value === null) return ipv6.isNeeded;
  return engine.value.networks.some((network) => hasIpv6(config, network));
}

/** Whether IPv6 has to be looked at: somebody needs it, or there are routes of ours by it that may have to go. */
export const looksAtIpv6 = (
  config: Config,
  engine: Observation['engine'],
  memory: Pick<Memory, 'ipv6' | 'ownedRoutes'>,
): boolean => memory.ownedRoutes.some(({ subnet }) => isIpv6(subnet)) || needsIpv6(config, engine, memory);
