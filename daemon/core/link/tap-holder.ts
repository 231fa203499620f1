/** Who holds the tap device. Pure. */
import { type Observation, type TapInterface, valueOf, type Vm } from '../observation.js';

/** The tap interface, when it is this VM that holds it. */
export function heldTap(observation: Observation): { readonly vm: Vm; readonly tap: TapInterface } | null {
  const vm = valueOf(observation.vm);
  const tap = valueOf(observation.tap.interface);
  return vm && tap && tap.holder === vm.pid ? { vm, tap } : null;
}

/** A VM of Docker's that holds the tap although a newer one of the same user has the engine: it was left behind. */
export function leftoverWithTap({ tap, otherVms }: Observation): Vm | null {
  const holder = valueOf(tap.interface)?.holder ?? null;
  return otherVms.find(({ pid }) => pid === holder) ?? null;
}
