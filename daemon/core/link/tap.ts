/**
 * A link over the tap kext: hyperkit opens `/dev/tapN` for a NIC of the VM's, and `tapN` is the Mac's end. The Mac's
 * device and its address are made here, the NIC by hyperkit's shim. Pure.
 */
import type { Config } from '../../../config/schema.js';
import { parsePrefix } from '../../lib/prefix.js';
import { restartSteps } from '../docker/restart.js';
import { restoreSteps, shim, shimSteps } from '../docker/shim.js';
import type { Judgement } from '../judgement.js';
import { type ConsoleUser, type Observation, type TapInterface, valueOf, type Vm } from '../observation.js';
import { byRow } from './by-row.js';
import type { Link, LinkState } from './link.js';
import type { LinkMaker } from './maker.js';
import { addressSteps, tapAddress, unaddressSteps } from './tap-address.js';
import { tapAttached } from './tap-attached.js';
import { tapIpv6 } from './tap-ipv6.js';
import { deviceSteps, disownSteps, tapDevice } from './tap-device.js';
import { heldTap } from './tap-holder.js';

function linkOf({ tap }: Config): Link | null {
  const network = parsePrefix(`${tap.address}/${tap.prefix}`);
  return (
    network && {
      maker: 'tap',
      interface: tap.device,
      macAddress: tap.address,
      vmAddress: tap.peer,
      network,
      mtu: tap.mtu,
      nic: tap.mac,
    }
  );
}

const hasAddress = (link: Link | null, tap: TapInterface | null): boolean =>
  tap?.addresses.some(({ address }) => address === link?.macAddress) ?? false;

/** Whether that is all as configured. */
const isSet = (link: Link, tap: TapInterface): boolean =>
  tap.up &&
  tap.mtu === link.mtu &&
  tap.addresses.some(
    ({ address, prefix }) => address === link.macAddress && prefix === link.network.bits.length,
  );

/** A VM without our NIC and its user, while nothing stands in the way of the next VM’s having it. */
function missed(observation: Observation): { vm: Vm; user: ConsoleUser } | null {
  const { tap } = observation;
  const vm = valueOf(observation.vm);
  const user = valueOf(observation.consoleUser);
  // A VM of another runtime's is given none.
  if (!vm || vm.runtime || !user || !tap.interface.known || valueOf(tap.device)?.uid !== user.uid)
    return null;
  if (tap.interface.value === null) return { vm, user };
  // Held: by this VM with a NIC that is not ours, or by a process that a restart would disturb.
  return heldTap(observation) && vm.uid === user.uid && vm.tapIsForeign ? { vm, user } : null;
}

/**
 * The link by the two facts that make it: our address on the tap, and the connected row of its network in the table,
 * without which the kernel binds routes through the VM's end to the default route's interface (route.c).
 */
function state(config: Config, observation: Observation): LinkState {
  const { vm, routes } = observation;
  const tap = observation.tap.interface;
  const link = linkOf(config);
  const started = valueOf(vm);
  const common = {
    link,
    vm: null,
    isAddressed: hasAddress(link, valueOf(tap)),
    hasNic: started?.startedWithTap === true && !started.tapIsForeign,
  };
  if (!vm.known) return { ...common, kind: 'unknown', why: vm.why };
  if (!tap.known) return { ...common, kind: 'unknown', why: tap.why };
  const held = heldTap(observation);
  if (!link || !held || held.vm.tapIsForeign)
    return { ...common, kind: 'absent', missed: missed(observation) };
  const there = { ...common, link, vm: held.vm };
  if (!routes.known) return { ...there, kind: 'unknown', why: routes.why };
  if (!isSet(link, held.tap)) return { ...there, kind: 'present', lacks: 'address' };
  return byRow(there, routes.value);
}

/** The maker of links over the tap kext. */
export const tap: LinkMaker = {
  state,
  steps: (judgement) => ({
    before: [...deviceSteps(judgement), ...shimSteps(judgement)],
    link: addressSteps(judgement),
    after: restartSteps(judgement),
  }),
  undo: (judgement: Judgement, why) => ({
    before: restoreSteps(judgement),
    link: unaddressSteps(judgement, why),
    after: disownSteps(judgement),
  }),
  judges: { TapDevice: tapDevice, Shim: shim, TapAttached: tapAttached, TapAddress: tapAddress },
  ipv6: tapIpv6,
};
