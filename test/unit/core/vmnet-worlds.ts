/** A Mac whose Docker runs its VM by the Virtualization framework, with a NIC on a bridge of the Mac. */
import type { Config } from '../../../config/schema.js';
import type { Finding, Phase } from '../../../daemon/core/condition.js';
import { judgeConditions } from '../../../daemon/core/conditions.js';
import { judge, type Judgement } from '../../../daemon/core/judgement.js';
import { learn } from '../../../daemon/core/learning.js';
import { chosenLink } from '../../../daemon/core/link/choice.js';
import { candidatesOf, findNic } from '../../../daemon/core/link/nic.js';
import {
  type DockerNetwork,
  type Engine,
  type GuestNic,
  kindOf,
  type Neighbour,
  type Observation,
  type Route,
  seen,
  valueOf,
  type Vm,
  type VmBridge,
} from '../../../daemon/core/observation.js';
import { plan } from '../../../daemon/core/plan.js';
import { isRowOf } from '../../../daemon/core/routes/table.js';
import type { Step } from '../../../daemon/core/steps.js';
import { parsePrefix } from '../../../daemon/lib/prefix.js';
import { applied, bundlesOf, config as defaults, lan, quietMac, route, up, type World } from './worlds.js';

export const nicMac = 'ba:28:04:fb:9a:30';

/** What is really there, whether or not anybody has looked. */
export interface VmnetWorld extends World {
  readonly nics: readonly GuestNic[];
  readonly neighbours: readonly Neighbour[];
  /** Whether the VM has rules of ours. */
  readonly isOpen: boolean;
  /** The one address that those let in; null before there are any. */
  readonly letIn: string | null;
  /** Bundles whose hyperkit was given back. */
  readonly restored: readonly string[];
}

export const bridge100: VmBridge = { name: 'bridge100', address: '192.168.64.1', prefix: 24, mtu: 1500 };

export const nic = (more: Partial<GuestNic> = {}): GuestNic => ({
  name: 'eth1',
  mac: nicMac,
  isCard: true,
  hasDefaultRoute: false,
  addresses: [{ address: '192.168.64.2', prefix: 24 }],
  hasIpv6: true,
  ...more,
});

export const outside: GuestNic = nic({
  name: 'eth0',
  mac: 'd2:4a:6e:3a:d6:83',
  hasDefaultRoute: true,
  addresses: [{ address: '192.168.65.3', prefix: 24 }],
});

export const virtualVm: Vm = {
  id: '700@then',
  pid: 700,
  uid: 501,
  startedAt: 'then',
  startedWithTap: false,
  tapIsForeign: false,
  executable: '/Applications/Docker.app/Contents/MacOS/com.docker.virtualization',
  kind: 'virtualization',
};

/** The row that macOS makes of a bridge's address, and the scoped default beside it. */
export const rowsOf = ({ name, address, prefix }: VmBridge): readonly Route[] => [
  route({ destination: `${address}/${prefix}`, gateway: 'link#23', flags: 'UC', interface: name }),
  route({ destination: '0.0.0.0/0', gateway: 'link#23', flags: 'UCSIg', interface: name }),
];

/** Whom the Mac comes to know when it speaks to them. */
export const neighboursOf = (bridges: readonly VmBridge[], nics: readonly GuestNic[]): readonly Neighbour[] =>
  candidatesOf(bridges, nics).map(({ nic: { mac }, address, bridge }) => ({
    address,
    mac,
    interface: bridge.name,
  }));

export const engineOf = (networks: readonly DockerNetwork[], more: Partial<Engine> = {}): Engine => ({
  session: '700@then#1',
  vm: '700@then',
  version: '29.4.0',
  networks,
  containers: seen([]),
  listed: 1,
  ...more,
});

/** This Mac just after such a VM has started. */
export function sharedMac(
  networks: readonly DockerNetwork[],
  {
    bridges = [bridge100],
    nics = [outside, nic()],
    memory = up,
  }: { bridges?: readonly VmBridge[]; nics?: readonly GuestNic[]; memory?: World['memory'] } = {},
): VmnetWorld {
  return {
    observation: {
      ...quietMac,
      tap: { ...quietMac.tap, device: seen(null), kext: seen({ state: 'absent', bundles: [] }) },
      bundles: seen(bundlesOf([], { without: [{ app: '/Applications/Docker.app' }] })),
      vm: seen(virtualVm),
      vmnet: { bridges: seen(bridges) },
      routes: seen([...lan, ...bridges.flatMap(rowsOf)]),
      engine: seen(engineOf(networks)),
    },
    memory,
    nics,
    neighbours: neighboursOf(bridges, nics),
    isOpen: false,
    letIn: null,
    restored: [],
  };
}

export const changed = (world: VmnetWorld, observation: Partial<Observation>): VmnetWorld => ({
  ...world,
  observation: { ...world.observation, ...observation },
});

/** A look, as the runtime has it: what it teaches is known before it is judged. */
export function looked(world: VmnetWorld, config: Config = defaults): VmnetWorld {
  const { observation, memory } = world;
  const look = { observation, link: chosenLink.state(config, observation, memory) };
  return { ...world, memory: { ...memory, ...learn(config, look, memory) } };
}

export function judged({ observation, memory }: World, config: Config = defaults): Judgement {
  return judge(config, { observation, link: chosenLink.state(config, observation, memory) }, memory);
}

export const stepsOf = (world: World, config: Config = defaults): readonly Step[] =>
  plan(chosenLink, judged(world, config));

/** The kernel's way to a gateway: the interface on whose network it is, or, silently, the default route's. */
function boundTo(table: readonly Route[], gateway: string): string {
  const target = parsePrefix(`${gateway}/32`);
  const onLink = table
    .filter(({ flags }) => !flags.includes('G') && !flags.includes('I'))
    .filter(({ destination }) => destination.bits !== '' && target?.bits.startsWith(destination.bits))
    .toSorted((a, b) => b.destination.bits.length - a.destination.bits.length)[0];
  return onLink?.interface ?? 'en0';
}

/** What a step does to this world. */
export function appliedTo(world: VmnetWorld, step: Step): VmnetWorld {
  const { observation, memory } = world;
  switch (step.kind) {
    case 'find-nic': {
      const { vm, bridges, generation } = step;
      const { nics, neighbours } = world;
      return { ...world, memory: { ...memory, nics: { vm, bridges, generation, nics, neighbours } } };
    }
    case 'prepare-guest':
    case 'release-guest': {
      const vm = valueOf(observation.vm);
      let next = { ...world, ...applied(world, step) };
      if (vm && kindOf(vm) === 'hyperkit') return next;
      const isOpen = step.kind === 'prepare-guest';
      if (step.isGiven !== true) throw new Error('the address of this VM’s NIC is not ours');
      if (isOpen && !world.nics.some(({ mac }) => mac === step.nic)) throw new Error('no such NIC');
      const { guest } = next.memory;
      if (guest && isOpen) next = { ...next, memory: { ...next.memory, guest: { ...guest, nic: step.nic } } };
      // Without the NIC nobody enters the VM.
      if (step.kind === 'release-guest' && !step.hasNic) return next;
      return { ...next, isOpen, letIn: step.kind === 'prepare-guest' ? step.macAddress : null };
    }
    case 'restore-hyperkit':
      return {
        ...world,
        observation: applied(world, step).observation,
        restored: [...world.restored, step.hyperkit],
      };
    case 'add-route': {
      const table = valueOf(observation.routes) ?? [];
      const { subnet, gateway, interface: name } = step;
      if (table.some((row) => isRowOf(subnet, row))) throw new Error(`${subnet}: File exists`);
      const row = route({ destination: subnet, gateway, flags: 'UGSc', interface: boundTo(table, gateway) });
      return {
        ...world,
        observation: { ...observation, routes: seen([...table, row]) },
        memory: {
          ...memory,
          ownedRoutes: [...memory.ownedRoutes, { subnet, gateway, interface: name }],
        },
      };
    }
    case 'load-kext':
    case 'own-tap-device':
    case 'install-shim':
    case 'address-tap':
    case 'unaddress-tap':
    case 'delete-route':
    case 'quit-docker':
    case 'open-docker':
    case 'tell-user':
    case 'write-resolver':
    case 'remove-resolver':
      return { ...world, ...applied(world, step) };
  }
}

/** Whether a look into this VM finds a NIC: otherwise the step fails, and is not tried again at once. */
const isVain = (world: VmnetWorld, step: Step): boolean =>
  step.kind === 'find-nic' && findNic(step.bridges, world).kind === 'none';

/** Looks, plans and applies until nothing is left to do but what fails; throws when that does not come to an end. */
export function settled(start: VmnetWorld, config: Config = defaults): { world: VmnetWorld; done: Step[] } {
  let world = start;
  const done: Step[] = [];
  const vain = new Set<string>();
  for (let round = 0; round < 12; round += 1) {
    world = looked(world, config);
    const steps = stepsOf(world, config).filter(({ key }) => !vain.has(key));
    if (steps.length === 0) return { world, done };
    for (const step of steps) {
      world = appliedTo(world, step);
      if (isVain(world, step)) vain.add(step.key);
      done.push(step);
    }
  }
  throw new Error(`no end: ${done.map(({ key }) => key).join(', ')}`);
}

export const conditionsOf = (
  world: World,
  config: Config = defaults,
): { readonly phase: Phase; readonly findings: readonly Finding[] } =>
  judgeConditions(chosenLink, judged(world, config), []);

export const reasonOf = (world: World, type: Finding['type'], config: Config = defaults): string =>
  conditionsOf(world, config).findings.find((finding) => finding.type === type)?.reason ?? '';

/** Routes with a gateway on a bridge, as `subnet via gateway on interface`. */
export const routedIn = ({ observation }: World): readonly string[] =>
  (valueOf(observation.routes) ?? [])
    .filter(({ flags, interface: name }) => flags.includes('G') && !flags.includes('I') && name !== 'en0')
    .map(({ destination, gateway, interface: name }) => `${destination.text} via ${gateway} on ${name}`);
