/** Whether the Mac’s end of the link is this VM’s, and set. Pure. */
import type { Config } from '../config/schema.js';
import { type Observation, type TapInterface, valueOf, type Vm } from './observation.js';

interface Link {
  readonly vm: Vm;
  readonly tap: TapInterface;
}

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

/** Whether tap1 is up with our address, prefix and MTU. */
export const isAddressed = (config: Config, tap: TapInterface): boolean =>
  tap.up &&
  tap.mtu === config.tap.mtu &&
  tap.addresses.some(({ address, prefix }) => address === config.tap.address && prefix === config.tap.prefix);
