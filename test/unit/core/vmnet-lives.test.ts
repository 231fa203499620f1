/**
 * A Mac that lives with a VM on a bridge: leases, bridges, other VMs, VPNs, kinds of VM, daemons and people in any order.
 * Whatever happens, nobody else's row is touched, and when it is quiet again every network is routed to the VM's very
 * NIC, or none is.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { findNic } from '../../../daemon/core/link/nic.js';
import { isRowOf } from '../../../daemon/core/routes/table.js';
import { kindOf, type Route, seen, valueOf, type VmBridge } from '../../../daemon/core/observation.js';
import { bundle, bundlesOf, lan, network, newTap, quietMac, route, startedMac, up } from './worlds.js';
import {
  appliedTo,
  changed,
  engineOf,
  judged,
  looked,
  neighboursOf,
  nic,
  outside,
  routedIn,
  rowsOf,
  stepsOf,
  virtualVm,
  type VmnetWorld,
} from './vmnet-worlds.js';

interface Life {
  world: VmnetWorld;
  vms: number;
  /** The bridge of Docker's VM, and that of another program. */
  own: VmBridge | null;
  other: VmBridge | null;
  /** Where the VM's NIC is: the last octet of its address; null: it has none. */
  lease: number | null;
  hasNic: boolean;
  vpn: Route | null;
  networks: ReturnType<typeof network>[];
  generation: number;
}

const bridgeAt = (name: string, third: number): VmBridge => ({
  name,
  address: `192.168.${third}.1`,
  prefix: 24,
  mtu: 1500,
});

/** What macOS, Docker and a VPN make of it: bridges, rows, NICs, and what the engine tells. */
function arrange(life: Life): void {
  const { own, other, lease, hasNic, vpn, networks } = life;
  const vm = valueOf(life.world.observation.vm);
  const isVirtual = vm !== null && kindOf(vm) === 'virtualization';
  const bridges = [...(own && isVirtual && hasNic ? [own] : []), ...(other ? [other] : [])];
  const addresses =
    own && lease !== null ? [{ address: own.address.replace(/1$/, String(lease)), prefix: 24 }] : [];
  const nics = [outside, ...(hasNic ? [nic({ addresses })] : [])];
  const isOwnRow = ({ flags, interface: name }: Route): boolean =>
    flags.includes('G') && !flags.includes('I') && name.startsWith('bridge');
  const table = valueOf(life.world.observation.routes) ?? [];
  // With its bridge the kernel loses what leads over it.
  const kept = table.filter(
    (row) => isOwnRow(row) && bridges.some(({ name }) => name === row.interface) && row.interface !== 'tap1',
  );
  const tapRows = table.filter(({ interface: name }) => name === 'tap1');
  const isHyperkit = vm !== null && kindOf(vm) === 'hyperkit';
  const rows = bridges.flatMap(rowsOf).filter((row) => !vpn || !isRowOf(vpn.destination.text, row));
  life.world = {
    ...changed(life.world, {
      vmnet: { bridges: seen(isVirtual ? bridges : []) },
      routes: seen([...lan, ...rows, ...(vpn ? [vpn] : []), ...kept, ...(isHyperkit ? tapRows : [])]),
      engine: seen(
        vm &&
          engineOf(networks, {
            vm: vm.id,
            session: `${vm.id}#1`,
            version: '28.5.2',
          }),
      ),
    }),
    nics,
    neighbours: neighboursOf(bridges, nics),
  };
}

function startVm(life: Life, kind: 'virtualization' | 'hyperkit'): void {
  life.vms += 1;
  const id = `${700 + life.vms}@then`;
  const started = startedMac([]).vm;
  const hyperkit = valueOf(started);
  if (!hyperkit) throw new Error('no VM');
  const vm = kind === 'hyperkit' ? { ...hyperkit, id, pid: 900 } : { ...virtualVm, id, pid: 700 + life.vms };
  life.world = {
    ...changed(life.world, {
      vm: seen(vm),
      tap: { ...quietMac.tap, interface: seen(kind === 'hyperkit' ? newTap : null) },
    }),
    isOpen: false,
  };
  if (kind === 'virtualization') life.own = bridgeAt('bridge100', 64 + (life.vms % 3) * 2);
}

type Event = (life: Life) => void;

const events: fc.Arbitrary<Event> = fc.oneof(
  fc.constantFrom<Event>(
    (life) => {
      startVm(life, 'virtualization');
    },
    (life) => {
      startVm(life, 'hyperkit');
    },
    (life) => {
      life.world = {
        ...changed(life.world, {
          vm: seen(null),
          tap: { ...quietMac.tap, interface: seen(null) },
        }),
        isOpen: false,
      };
    },
    (life) => {
      life.hasNic = !life.hasNic;
      startVm(life, 'virtualization');
    },
    (life) => {
      life.other = life.other ? null : bridgeAt('bridge101', 105);
    },
    (life) => {
      life.vpn = life.vpn
        ? null
        : route({
            destination: life.own ? `${life.own.address}/24` : '192.168.64.0/24',
            gateway: 'link#30',
            flags: 'UCS',
            interface: 'utun4',
          });
    },
    // A new daemon knows what is journalled alone.
    (life) => {
      const { ownedRoutes, lastLink, wanted, launched, apps, restart } = life.world.memory;
      life.world = {
        ...life.world,
        memory: { ...up, ownedRoutes, lastLink, wanted, launched, apps, restart },
      };
    },
    (life) => {
      life.world = { ...life.world, memory: { ...life.world.memory, wanted: 'down' } };
    },
    (life) => {
      life.world = { ...life.world, memory: { ...life.world.memory, wanted: 'up' } };
    },
  ),
  fc.integer({ min: 2, max: 9 }).map((lease) => (life: Life) => {
    life.lease = lease;
  }),
  fc.constant((life: Life) => {
    life.lease = null;
  }),
  fc.integer({ min: 64, max: 69 }).map((third) => (life: Life) => {
    if (life.own) life.own = bridgeAt('bridge100', third);
  }),
  fc.uniqueArray(fc.integer({ min: 17, max: 21 }), { maxLength: 3 }).map((seconds) => (life: Life) => {
    life.networks = seconds.map((second) => network(`n${second}`, `172.${second}.0.0/16`));
  }),
);

/** Rows that nobody but us has entered. */
const isOurs = (world: VmnetWorld, row: Route): boolean =>
  world.memory.ownedRoutes.some(
    ({ subnet, gateway }) => subnet === row.destination.text && gateway === row.gateway,
  );

/** One pass of the daemon; `silence`: whether the data path notices that a way leads nowhere. */
function pass(life: Life): void {
  const vain = new Set<string>();
  for (let round = 0; round < 14; round += 1) {
    life.world = looked(life.world);
    const steps = stepsOf(life.world).filter(({ key }) => !vain.has(key));
    if (steps.length === 0) return;
    for (const step of steps) {
      if (step.kind === 'delete-route')
        for (const row of valueOf(life.world.observation.routes) ?? [])
          if (isRowOf(step.subnet, row) && !isOurs(life.world, row))
            throw new Error(`${step.subnet} via ${row.gateway} is not ours`);
      life.world = appliedTo(life.world, step);
      if (step.kind === 'find-nic' && findNic(step.bridges, life.world).kind === 'none') vain.add(step.key);
    }
  }
  throw new Error(
    `no end: ${stepsOf(life.world)
      .map(({ key }) => key)
      .join(', ')}`,
  );
}

/** The way that was found leads to nobody: what answered there is silent, and the data path says so. */
function notice(life: Life): boolean {
  const { link } = judged(life.world);
  if (link.kind !== 'up' || link.link.maker !== 'vmnet') return false;
  const isThere = life.world.neighbours.some(({ address }) => address === link.link.vmAddress);
  if (isThere) return false;
  life.generation += 1;
  const dataPath = { session: null, state: 'silent' as const, detail: '', generation: life.generation };
  life.world = changed(life.world, { dataPath });
  return true;
}

function settle(life: Life): void {
  for (let round = 0; round < 4; round += 1) {
    pass(life);
    if (!notice(life)) return;
  }
  throw new Error('what is silent is never found again');
}

test('lives on a bridge', () => {
  fc.assert(
    fc.property(fc.array(events, { maxLength: 25 }), (happenings) => {
      const life: Life = {
        world: {
          observation: { ...quietMac, bundles: seen(bundlesOf([bundle('mach-o', 'missing')])) },
          memory: up,
          nics: [],
          neighbours: [],
          isOpen: false,
          letIn: null,
          restored: [],
        },
        vms: 0,
        own: null,
        other: null,
        lease: 2,
        hasNic: true,
        vpn: null,
        networks: [network('bridge', '172.17.0.0/16')],
        generation: 0,
      };
      for (const happening of happenings) {
        happening(life);
        arrange(life);
        settle(life);
        const { world, own, lease, networks, vpn } = life;
        const vm = valueOf(world.observation.vm);
        if (vm && kindOf(vm) === 'hyperkit') continue;
        const isTaken =
          vpn !== null && own !== null && vpn.destination.text === `${own.address.replace(/1$/, '0')}/24`;
        const isReachable =
          vm !== null &&
          own !== null &&
          lease !== null &&
          life.hasNic &&
          world.memory.wanted === 'up' &&
          !isTaken;
        // Docker Desktop's own network, in which its way out is.
        const isOdd = own?.address === '192.168.65.1';
        if (isOdd) continue;
        expect(routedIn(world).toSorted()).toEqual(
          isReachable
            ? networks
                .map(
                  ({ subnets: [subnet] }) =>
                    `${subnet?.text ?? ''} via ${own.address.replace(/1$/, String(lease))} on bridge100`,
                )
                .toSorted()
            : [],
        );
        // Without a way in a rule lets nobody in.
        if (isReachable) expect(world).toMatchObject({ isOpen: true, letIn: own.address });
        if (world.memory.wanted === 'down') expect(world.isOpen).toBe(false);
      }
    }),
    { numRuns: 300 },
  );
});
