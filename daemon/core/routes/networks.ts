/** Which of Docker's networks could have routes at all, and why the others could not. Pure. */
import type { Config } from '../../../config/schema.js';
import type { DockerNetwork } from '../observation.js';
import type { Family } from '../../lib/prefix.js';
import { plain } from '../../lib/text.js';

const driverReason: Readonly<Record<string, string>> = {
  host: 'its containers use the VM’s own addresses',
  none: 'its containers have no network',
  null: 'its containers have no network',
  overlay: 'an overlay’s containers are reached through the swarm, not through the VM’s bridges',
  macvlan: 'macvlan containers sit on the VM’s outer network, and the VM itself cannot reach them',
};

/** ipvlan_core.c: in no mode does the VM's own stack, through which we come, talk to its containers. */
const ipvlanReason = (mode: string): string =>
  `ipvlan (${plain(mode, 10)}) containers sit behind the VM’s outer network card, and the VM itself cannot reach them`;

/** Whether an option of a network is on, as Docker reads it (Go's strconv.ParseBool). */
const isOn = (value: string | undefined): boolean =>
  ['1', 't', 'T', 'true', 'True', 'TRUE'].includes(value ?? '');

/**
 * Why the VM has no address in this bridge network's subnets of a family, or null: what it is sent for there would leave
 * by its default route, to the Mac again (moby, drivers/bridge/bridge_linux.go).
 */
function withoutAddress(options: DockerNetwork['options'], family: Family): string | null {
  if (family === 4 && isOn(options['com.docker.network.bridge.inhibit_ipv4']))
    return 'its bridge has no address in the VM (com.docker.network.bridge.inhibit_ipv4), so the VM itself cannot reach its containers';
  if (options[`com.docker.network.bridge.gateway_mode_ipv${family}`] === 'isolated')
    return `its bridge has no address in the VM (gateway_mode_ipv${family} is isolated), so the VM itself cannot reach its containers`;
  return null;
}

/** Whether `text` is what `pattern` says, in which `*` stands for any characters; in linear time and space. */
export function matches(pattern: string, text: string): boolean {
  const [head = '', ...parts] = pattern.split('*');
  if (parts.length === 0) return text === pattern;
  const tail = parts.pop() ?? '';
  if (!text.startsWith(head)) return false;
  let from = head.length;
  for (const part of parts) {
    const at = text.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return text.length - tail.length >= from && text.endsWith(tail);
}

/** One entry of `routes.include` or `routes.exclude`: `driver=NAME`, `label=KEY`, `label=KEY=VALUE`, or a network's name. */
function isMeant(entry: string, { name, driver, labels }: DockerNetwork): boolean {
  const [, kind, wanted = ''] = /^(driver|label)=(.*)$/s.exec(entry) ?? [];
  if (kind === undefined) return matches(entry, name);
  if (kind === 'driver') return matches(wanted, driver);
  const [, key = wanted, value] = /^([^=]*)=(.*)$/s.exec(wanted) ?? [];
  const found = Object.hasOwn(labels, key) ? labels[key] : undefined;
  return found !== undefined && (value === undefined || matches(value, found));
}

/** Why no subnet of a family of this network's is routed, or null. */
export function unroutable({ routes }: Config, network: DockerNetwork, family: Family = 4): string | null {
  const { driver, scope, internal, options } = network;
  if (driver === 'ipvlan') return ipvlanReason(options['ipvlan_mode'] ?? 'l2');
  if (driver !== 'bridge')
    return driverReason[driver] ?? `driver ${plain(driver, 60)} is not known to be routable`;
  if (scope !== 'local') return 'it belongs to a swarm, not to this VM';
  if (internal) return 'it is internal: its containers cannot answer anyone outside';
  const unaddressed = withoutAddress(options, family);
  if (unaddressed !== null) return unaddressed;
  const excluded = routes.exclude.find((entry) => isMeant(entry, network));
  if (excluded !== undefined) return `routes.exclude has ${JSON.stringify(excluded)}`;
  if (!routes.include.some((entry) => isMeant(entry, network))) return 'nothing in routes.include means it';
  return null;
}
