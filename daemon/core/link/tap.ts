/** What the Mac's end of the link is: whether it is this VM's, and whether it is up. Pure. */
import type { Config } from '../../../config/schema.js';
import { formatCidr, parseCidr } from '../../lib/prefix.js';
import { type Observation, type Route, type TapInterface, valueOf, type Vm } from '../observation.js';
import { isRowOf } from '../routes/table.js';

interface Link {
  readonly vm: Vm;
  readonly tap: TapInterface;
}

/**
 * `bare`: without our address, prefix or MTU, or not up. `lost`: it has them, but nobody has the connected row of its
 * network. `taken`: that row is somebody else's, so it came after ours. `up`: it has both.
 */
export type LinkState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown'; readonly why: string }
  | ({ readonly kind: 'bare' | 'lost' | 'up' } & Link)
  | ({ readonly kind: 'taken'; readonly row: Route } & Link);

/** The tap interface, when it is this VM that holds it. */
export function heldTap(observation: Observation): Link | null {
  const vm = valueOf(observation.vm);
  const tap = valueOf(observation.tapInterface);
  return vm && tap && tap.holder === vm.pid ? { vm, tap } : null;
}

/** The same, when its NIC can be found in the VM. */
export function attachedTap(observation: Observation): Link | null {
  const held = heldTap(observation);
  return held && !held.vm.tapIsForeign ? held : null;
}

/** A VM of Docker's that holds the tap although a newer one of the same user has the engine: it was left behind. */
export function leftoverWithTap({ tapInterface, otherVms }: Observation): Vm | null {
  const holder = valueOf(tapInterface)?.holder ?? null;
  return otherVms.find(({ pid }) => pid === holder) ?? null;
}

const isAddressed = (config: Config, tap: TapInterface): boolean =>
  tap.up &&
  tap.mtu === config.tap.mtu &&
  tap.addresses.some(({ address, prefix }) => address === config.tap.address && prefix === config.tap.prefix);

/** The link's own network. */
export const networkOf = ({ tap }: Config): string =>
  formatCidr(parseCidr(`${tap.address}/${tap.prefix}`) ?? { base: 0, prefix: 0 });

/** The row of exactly the link's network; the kernel has one at most. */
export const rowOfLink = (config: Config, table: readonly Route[]): Route | null =>
  table.find((row) => isRowOf(networkOf(config), row)) ?? null;

/** Whether that row is the kernel's own for an address on the tap; one with a gateway (G) is somebody's. */
export const isConnected = ({ tap }: Config, row: Route): boolean =>
  row.interface === tap.device && !row.flags.includes('G');

/**
 * The link by the two facts that make it: our address on the tap, and the connected row of its network in the table,
 * without which the kernel binds routes through the peer to the default route's interface (route.c).
 */
export function linkState(config: Config, observation: Observation): LinkState {
  const { vm, tapInterface, routes } = observation;
  if (!vm.known) return { kind: 'unknown', why: vm.why };
  if (!tapInterface.known) return { kind: 'unknown', why: tapInterface.why };
  const link = attachedTap(observation);
  if (!link) return { kind: 'absent' };
  if (!routes.known) return { kind: 'unknown', why: routes.why };
  if (!isAddressed(config, link.tap)) return { kind: 'bare', ...link };
  const row = rowOfLink(config, routes.value);
  if (!row) return { kind: 'lost', ...link };
  return isConnected(config, row) ? { kind: 'up', ...link } : { kind: 'taken', row, ...link };
}

/** Whether packets for the VM's end take the link. */
export const isUp = (config: Config, observation: Observation): boolean =>
  linkState(config, observation).kind === 'up';
