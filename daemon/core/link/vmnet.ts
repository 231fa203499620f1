/**
 * A link over a network that macOS shares with the VM (vmnet): the Mac's end is a bridge, the VM's a NIC that has an
 * address by DHCP. Both are made by whoever runs the VM; here they are found, and nothing of them is set. Pure.
 */
import { ageOf } from '../../lib/age.js';
import { parsePrefix } from '../../lib/prefix.js';
import { restoreSteps, withdrawSteps } from '../docker/shim.js';
import { failed, type Judge, no, unclear, yes } from '../condition.js';
import type { Judgement } from '../judgement.js';
import type { Memory } from '../memory.js';
import {
  kindOf,
  type Observation,
  valueOf,
  type Vm,
  type VmBridge,
  type VmnetObservation,
} from '../observation.js';
import type { Step } from '../steps.js';
import { byRow } from './by-row.js';
import { type Link, type LinkState, printedName } from './link.js';
import type { LinkMaker } from './maker.js';
import { type Candidate, findNic, type FoundNic } from './nic.js';
import { disownSteps } from './tap-device.js';
import { takenRow, toldTaken } from './taken.js';
import { vmnetIpv6 } from './vmnet-ipv6.js';

function linkOf({ nic, address, bridge }: Candidate, observation: Observation): Link | null {
  const network = parsePrefix(`${bridge.address}/${bridge.prefix}`);
  return (
    network && {
      maker: 'vmnet',
      interface: printedName(bridge.name, network, valueOf(observation.routes)),
      macAddress: bridge.address,
      vmAddress: address,
      network,
      mtu: bridge.mtu,
      nic: nic.mac,
      isGiven: true,
    }
  );
}

const textOf = (bridges: readonly VmBridge[]): string =>
  bridges.map(({ name, address, prefix }) => `${name} ${address}/${prefix}`).join(', ');

/**
 * What is known of this VM's NIC by the last look at it; null: it has to be looked at (again), since it never was, what
 * answered by it is silent, or the bridges are others and it fits none of them any more, unless no bridge could change
 * that.
 */
function known(observation: Observation, { nics: search }: Memory): FoundNic | null {
  const vm = valueOf(observation.vm);
  const bridges = valueOf(observation.vmnet.bridges) ?? [];
  if (!search || search.vm !== vm?.id || search.generation !== observation.dataPath.generation) return null;
  const found = findNic(bridges, search);
  const isSettled = found.kind === 'found' || found.isFinal;
  return isSettled || textOf(search.bridges) === textOf(bridges) ? found : null;
}

/** The link by the NIC that was found, and by the connected row of its bridge's network in the table. */
function state(_config: unknown, observation: Observation, memory: Memory): LinkState {
  const { vm, routes, vmnet } = observation;
  const common = { link: null, vm: null, isAddressed: false, hasNic: false };
  // What is not seen may be there: rules of ours are looked for before it is said that they are gone.
  if (!vm.known) return { ...common, hasNic: true, kind: 'unknown', why: vm.why };
  const started = vm.value;
  if (!started || kindOf(started) !== 'virtualization') return { ...common, kind: 'absent', missed: null };
  if (!vmnet.bridges.known) return { ...common, hasNic: true, kind: 'unknown', why: vmnet.bridges.why };
  if (vmnet.bridges.value.length === 0) return { ...common, kind: 'absent', missed: null };
  const found = known(observation, memory);
  const maybe = { ...common, hasNic: true, sought: found };
  if (!found) return { ...maybe, kind: 'unknown', why: 'the VM’s NIC has to be looked for (again)' };
  const link = found.kind === 'found' ? linkOf(found, observation) : null;
  if (!link) return { ...maybe, kind: 'absent', missed: null };
  const there = { ...maybe, link, vm: started, isAddressed: true };
  if (!routes.known) return { ...there, kind: 'unknown', why: routes.why };
  return byRow(there, routes.value);
}

/** Looks for the NIC in a VM that may have one. */
function findSteps({ observation, link: { sought: found } }: Judgement): Step[] {
  const vm = valueOf(observation.vm);
  const engine = valueOf(observation.engine);
  const bridges = valueOf(observation.vmnet.bridges) ?? [];
  if (found === undefined || !vm || engine?.vm !== vm.id) return [];
  if (found && (found.kind === 'found' || found.isFinal)) return [];
  const { generation } = observation.dataPath;
  return [
    {
      kind: 'find-nic',
      key: `nic ${vm.id} ${generation} ${textOf(bridges)}`,
      why: found ? found.why : `which NIC of VM ${vm.id} is on ${textOf(bridges)} is not known`,
      session: engine.session,
      vm: vm.id,
      bridges,
      generation,
    },
  ];
}

/** Milliseconds in which a VM that is to have a NIC on a bridge gets it. */
const starting = 10_000;

const isStarting = (vm: Vm, at: number): boolean => ageOf(Date.parse(vm.startedAt), at) < starting;

/** From this macOS on a program that reads another one’s settings has a dialog opened before the user. */
const guardsSettings = 15;

/** Whether it is worth a look whether the setting is on: of Docker Desktop’s VM, which should have a NIC by now. */
export const wantsSetting = ({
  at,
  vm,
  vmnet,
  macos,
}: Pick<Observation, 'at' | 'vm' | 'vmnet' | 'macos'>): boolean => {
  const found = valueOf(vm);
  if (!found || found.runtime || kindOf(found) !== 'virtualization' || isStarting(found, at)) return false;
  return valueOf(vmnet.bridges)?.length === 0 && (valueOf(macos)?.major ?? guardsSettings) < guardsSettings;
};

const setting =
  'switch on Docker’s settings > Resources > Network > “Use kernel networking for UDP”, then Apply. In colima: ' +
  '`colima stop`, `colima start --network-address`; in Lima: `vzNAT: true` under `networks`';

/** Why no bridge of the Mac has this VM on it, as far as that is known, and what to do. */
function whyNone({ pid, asksForNic }: Vm, found: VmnetObservation['setting']): string {
  const setTo = found ? valueOf(found) : null;
  if (asksForNic === true)
    return `the VM (pid ${pid}) was started with --kernel-for-udp, but no bridge of this Mac has a VM on it: ${setting}`;
  if (setTo === true)
    return (
      `the VM (pid ${pid}) has no NIC that the Mac shares, though “Use kernel networking for UDP” is on in Docker’s ` +
      'settings: quit Docker Desktop and open it again'
    );
  const now = setTo === false ? ', since “Use kernel networking for UDP” is off' : '';
  return `the VM (pid ${pid}) has no NIC that the Mac shares${now}: ${setting}`;
}

const tapAttached: Judge<'TapAttached'> = ({ observation, link: { sought: nic } }) => {
  const { vm: found, vmnet } = observation;
  if (!found.known) return unclear(found.why);
  const vm = found.value;
  if (!vm) return no('NoVm', 'no VM');
  if (kindOf(vm) !== 'virtualization')
    return no(
      'NoSharedNic',
      `the VM (pid ${vm.pid}) runs by ${kindOf(vm) === 'hyperkit' ? 'HyperKit' : 'Docker VMM'}, which gives it no NIC on a ` +
        'network of the Mac: set link to "auto"',
    );
  if (!vmnet.bridges.known) return unclear(vmnet.bridges.why);
  if (vmnet.bridges.value.length === 0 && isStarting(vm, observation.at))
    return no('NicNotSought', 'the VM has only just started, and has no NIC yet that the Mac shares');
  if (vmnet.bridges.value.length === 0) return no('NoSharedNetwork', whyNone(vm, vmnet.setting));
  if (!nic) return no('NicNotSought', 'the VM’s NICs are looked at as soon as Docker Engine answers');
  switch (nic.kind) {
    case 'found':
      return yes('Attached', `${nic.nic.name} of the VM (${nic.nic.mac}) is on ${nic.bridge.name}`);
    case 'none':
      // With a card to spare the setting is on: what is there does not fit (yet).
      return no(nic.reason, nic.reason === 'NoSharedNic' && nic.isFinal ? `${nic.why}: ${setting}` : nic.why);
  }
};

const tapAddress: Judge<'TapAddress'> = (judgement) => {
  const { observation, link: found, collision } = judgement;
  if (found.kind === 'absent') return no('NoLink', 'no NIC of the VM is known on a network of the Mac');
  const taken = takenRow(judgement);
  if (taken) return no('LinkTaken', toldTaken(taken, valueOf(observation.routes) ?? []));
  if (collision !== null) return no('LinkCollision', collision);
  if (found.kind === 'unknown') return unclear(found.why);
  const { interface: name, macAddress, network } = found.link;
  const address = `${macAddress}/${network.bits.length}`;
  return found.kind === 'up'
    ? yes('Set', `${name} has ${address}`)
    : no('NotSet', `${name} has ${address}, but the table has no row of it`);
};

const notNeeded = yes('NotNeeded', 'this link is by a network that macOS shares with the VM');

/** The maker of links over a network that macOS shares with the VM. It needs neither kext nor shim. */
export const vmnet: LinkMaker = {
  state,
  steps: (judgement) => ({ before: withdrawSteps(judgement), link: findSteps(judgement), after: [] }),
  // What a link over the tap has left, too.
  undo: (judgement) => ({ before: restoreSteps(judgement), link: [], after: disownSteps(judgement) }),
  judges: {
    TapDevice: () => notNeeded,
    Shim: (_judgement, failures) => failed('Shim', failures) ?? notNeeded,
    TapAttached: tapAttached,
    TapAddress: tapAddress,
  },
  ipv6: vmnetIpv6,
};
