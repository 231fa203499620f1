/** What there is to check by a connection through the link. Pure. */
import type { Config } from '../../config/schema.js';
import { contains, type Family, isIpv6, parseAddress, parsePrefix, type Prefix } from '../lib/prefix.js';
import type { LinkState } from './link/link.js';
import type { Memory } from './memory.js';
import type { Container, Engine } from './observation.js';
import type { RouteVerdict } from './routes/verdicts.js';

/** Addresses tried at a time: one silent container says nothing, it may have a firewall of its own. */
const maxContainers = 3;
/** More addresses than a VM has containers. */
const maxAddresses = 2000;

export interface ProbeTarget {
  /** The engine's session: what was heard in another one proves nothing. */
  readonly session: string;
  /** Grows when the engine has listed its networks: its containers may be others. */
  readonly listed: number;
  /** The generation for which the VM's side was last set up. */
  readonly generation: number;
  readonly macAddress: string;
  readonly vmAddress: string;
  /** The subnets of this family routed over the link, in canonical text. */
  readonly subnets: readonly string[];
}

/** What there is to check of the way by one family, once its table looks right; null before. */
export function probeTargetOf(found: {
  family: Family;
  config: Config;
  engine: Engine | null;
  link: LinkState;
  memory: Memory;
  routes: readonly RouteVerdict[];
}): ProbeTarget | null {
  const { family, config, engine, link, memory } = found;
  // Neither way waits for anything of the other.
  const routes = found.routes.filter(({ subnet }) => isIpv6(subnet) === (family === 6));
  if (memory.wanted !== 'up' || !engine || link.kind !== 'up') return null;
  if (config.guest.manage && memory.guest?.session !== engine.session) return null;
  if (config.routes.manage && routes.some(({ state }) => state === 'pending')) return null;
  const { session, listed } = engine;
  const { macAddress, vmAddress } = link.link;
  const subnets = routes.filter(({ state }) => state === 'routed').map(({ subnet }) => subnet);
  return {
    session,
    listed,
    generation: memory.guest?.observedGeneration ?? 0,
    macAddress,
    vmAddress,
    subnets,
  };
}

/** The addresses of a family of those containers that can answer, in the engine's order. */
export const addressesOf = (containers: readonly Container[], family: Family = 4): readonly string[] =>
  containers
    .filter(({ paused }) => !paused)
    .flatMap(({ endpoints }) => endpoints.flatMap(({ ipv4, ipv6 }) => (family === 4 ? ipv4 : ipv6) ?? []));

/** Of the containers' addresses those that are tried: one of each routed subnet first. */
export function pickContainers(addresses: readonly string[], subnets: readonly string[]): readonly string[] {
  const hosts = addresses.slice(0, maxAddresses).flatMap((address) => {
    const host = parseAddress(address);
    return host ? [{ address, host }] : [];
  });
  const within = (subnet: Prefix): readonly string[] =>
    hosts.filter(({ host }) => contains(subnet, host)).map(({ address }) => address);
  const routed = subnets
    .map(parsePrefix)
    .filter((subnet) => subnet !== null)
    .map(within);
  const ofEach = routed.flatMap(([first]) => (first === undefined ? [] : [first]));
  return [...new Set([...ofEach, ...routed.flat()])].slice(0, maxContainers);
}
