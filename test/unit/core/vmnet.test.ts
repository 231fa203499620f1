/** A link over a network that macOS shares with the VM. */
import { describe, expect, test } from '@jest/globals';
import { configSchema } from '../../../config/schema.js';
import { seen, unknown, type Vm } from '../../../daemon/core/observation.js';
import { statusOf } from '../../../daemon/core/status.js';
import { toldLink } from '../../../daemon/core/link/told.js';
import { wantsSetting } from '../../../daemon/core/link/vmnet.js';
import { toldRoutes } from '../../../daemon/core/routes/routes.js';
import { bundle, bundlesOf, hyperkit, lan, network, quietMac, route, startedMac, up } from './worlds.js';
import {
  bridge100,
  changed,
  conditionsOf,
  engineOf,
  judged,
  neighboursOf,
  nic,
  outside,
  reasonOf,
  routedIn,
  rowsOf,
  settled,
  sharedMac,
  stepsOf,
  virtualVm,
  type VmnetWorld,
} from './vmnet-worlds.js';

const networks = [network('bridge', '172.17.0.0/16')];
const auto = configSchema.parse({});
const kinds = (world: VmnetWorld, config = auto): string[] => stepsOf(world, config).map(({ kind }) => kind);
const ready = (): VmnetWorld => settled(sharedMac(networks)).world;

/** A bridge that macOS gave another network, and the VM that has taken its new lease. */
const renumbered = (world: VmnetWorld, isLeased = true): VmnetWorld => {
  const bridge = { ...bridge100, address: '192.168.66.1' };
  const nics = [outside, nic(isLeased ? { addresses: [{ address: '192.168.66.9', prefix: 24 }] } : {})];
  const kept = lan.concat(rowsOf(bridge));
  return {
    ...changed(world, { vmnet: { bridges: seen([bridge]) }, routes: seen(kept) }),
    nics,
    neighbours: neighboursOf([bridge], nics),
  };
};

test('a VM on a bridge of the Mac: its NIC is found, let in and routed to, and nothing else is asked for', () => {
  const { world, done } = settled(sharedMac(networks));
  expect(done.map(({ kind }) => kind)).toEqual(['find-nic', 'prepare-guest', 'add-route']);
  expect(world.isOpen).toBe(true);
  expect(routedIn(world)).toEqual(['172.17.0.0/16 via 192.168.64.2 on bridge100']);
  const { phase, findings } = conditionsOf(world);
  expect(findings.map(({ type, reason }) => `${type} ${reason}`)).toEqual([
    'Configuration Valid',
    'ConsoleUser LoggedIn',
    'TapDevice NotNeeded',
    'Shim NotNeeded',
    'VirtualMachine Running',
    'TapAttached Attached',
    'TapAddress Set',
    'Engine Answering',
    'Guest Prepared',
    'Routes Set',
    'DataPath NotSeen',
    'Names Starting',
    'Ipv6 NotNeeded',
    'Ready NotSeen',
  ]);
  expect(phase).toBe('working');
  const judgement = judged(world);
  expect(judgement.probe).toMatchObject({ macAddress: '192.168.64.1', vmAddress: '192.168.64.2' });
  const status = statusOf({
    pid: 1,
    since: 'now',
    phase,
    conditions: [],
    routes: toldRoutes(judgement),
    names: judgement.names,
    observation: world.observation,
    link: judgement.link,
    told: toldLink(judgement),
  });
  expect(status.link?.told).toBe('Docker’s kernel networking');
  expect(status.routes).toMatchObject([{ state: 'routed', why: 'via 192.168.64.2 on bridge100' }]);
});

test('macOS 11 cuts the bridge’s name in the routing table', () => {
  const cut = rowsOf(bridge100).map((row) => ({ ...row, interface: 'bridge1' }));
  const { world } = settled(changed(sharedMac(networks), { routes: seen([...lan, ...cut]) }));
  expect(routedIn(world)).toEqual(['172.17.0.0/16 via 192.168.64.2 on bridge1']);
  expect(reasonOf(world, 'TapAddress')).toBe('Set');
});

describe('without a NIC that Mac and VM share', () => {
  test('no bridge has a VM: nobody looks into the VM, and the setting is named with its way', () => {
    const { world, done } = settled(sharedMac(networks, { bridges: [], nics: [outside] }));
    expect(done).toEqual([]);
    const { phase, findings } = conditionsOf(world);
    expect(phase).toBe('blocked');
    expect(findings.at(-1)).toMatchObject({
      reason: 'NoSharedNetwork',
      message: expect.stringContaining('settings > Resources > Network > “Use kernel networking for UDP”'),
    });
    expect(findings.at(-1)?.message).toContain('colima start --network-address');
  });

  test.each([
    ['it is off', seen(false), /since “Use kernel networking for UDP” is off: switch on/],
    [
      'it is on, and the VM older',
      seen(true),
      /though .* is on in Docker’s settings: quit Docker Desktop and open/,
    ],
    ['they do not tell', seen(null), /has no NIC that the Mac shares: switch on/],
    ['they cannot be read', unknown('EPERM'), /has no NIC that the Mac shares: switch on/],
  ])('Docker’s settings are named as they are: %s', (_what, setting, words) => {
    const start = sharedMac(networks, { bridges: [], nics: [outside] });
    const { findings } = conditionsOf(changed(start, { vmnet: { bridges: seen([]), setting } }));
    expect(findings.at(-1)).toMatchObject({
      reason: 'NoSharedNetwork',
      message: expect.stringMatching(words) as unknown,
    });
  });

  test('Docker’s settings are looked at where nothing is asked of the user for it, and a VM lacks its NIC', () => {
    const at = Date.parse('2026-10-05T01:57:00.000Z');
    const vm = { ...virtualVm, startedAt: new Date(at - 60_000).toISOString() };
    const world = {
      at,
      vm: seen(vm),
      vmnet: { bridges: seen([]) },
      macos: seen({ major: 14, minor: 6 }),
    };
    expect(wantsSetting(world)).toBe(true);
    for (const other of [
      { macos: seen({ major: 15, minor: 0 }) },
      { macos: unknown('not asked') },
      { vm: seen({ ...vm, startedAt: new Date(at - 3000).toISOString() }) },
      { vm: seen({ ...vm, runtime: { name: 'colima', socket: '/s' } as const }) },
      { vm: seen({ ...vm, kind: 'docker-vmm' } as const) },
      { vm: seen(null) },
      { vmnet: { bridges: seen([bridge100]) } },
      { vmnet: { bridges: unknown('ifconfig hangs') } },
    ])
      expect(wantsSetting({ ...world, ...other })).toBe(false);
  });

  test('a VM that has only just started may still get one: nothing is said of its settings yet', () => {
    const startedAt = '2026-10-05T01:57:00.000Z';
    const start = sharedMac(networks, { bridges: [], nics: [outside] });
    const reasonAfter = (seconds: number): string =>
      reasonOf(
        changed(start, {
          vm: seen({ ...virtualVm, startedAt }),
          at: Date.parse(startedAt) + seconds * 1000,
        }),
        'TapAttached',
      );
    expect(reasonAfter(3)).toBe('NicNotSought');
    expect(reasonAfter(12)).toBe('NoSharedNetwork');
  });

  test.each([
    ['NoSharedNic', { nics: [outside] }],
    ['NicWithoutAddress', { nics: [outside, nic({ addresses: [] })] }],
    [
      'SeveralNics',
      {
        bridges: [bridge100, { ...bridge100, name: 'bridge101', address: '192.168.105.1' }],
        nics: [
          outside,
          nic(),
          nic({
            name: 'eth2',
            mac: '52:55:55:00:00:02',
            addresses: [{ address: '192.168.105.3', prefix: 24 }],
          }),
        ],
      },
    ],
  ])('%s', (reason, start) => {
    const { world, done } = settled(sharedMac(networks, start));
    expect(done.map(({ kind }) => kind)).toEqual(['find-nic']);
    expect(reasonOf(world, 'TapAttached')).toBe(reason);
    expect(reasonOf(world, 'Ready')).toBe(reason);
    expect(routedIn(world)).toEqual([]);
    expect(world.isOpen).toBe(false);
  });

  test('a VM without any such card is looked into once, whatever bridges come and go, and again when asked', () => {
    const { world } = settled(sharedMac(networks, { nics: [outside] }));
    const other = { ...bridge100, name: 'bridge101', address: '198.19.249.3' };
    for (const bridges of [[bridge100], [bridge100, other], [other]]) {
      const now = changed(world, { vmnet: { bridges: seen(bridges) } });
      expect(kinds(now)).toEqual([]);
      expect(reasonOf(now, 'TapAttached')).toBe('NoSharedNic');
    }
    // What `up` forgets.
    const asked = { ...world, memory: { ...world.memory, nics: null } };
    expect(kinds(asked)).toEqual(['find-nic']);
  });

  test('a VM with a card to spare is looked into again when another bridge comes', () => {
    const { world } = settled(sharedMac(networks, { nics: [outside, nic({ addresses: [] })] }));
    const other = { ...bridge100, name: 'bridge101', address: '192.168.105.1' };
    const bridges = [bridge100, other];
    const nics = [outside, nic({ addresses: [{ address: '192.168.105.3', prefix: 24 }] })];
    const routes = seen([...lan, ...bridges.flatMap(rowsOf)]);
    const next = settled(
      changed(
        { ...world, nics, neighbours: neighboursOf(bridges, nics) },
        { vmnet: { bridges: seen(bridges) }, routes },
      ),
    ).world;
    expect(routedIn(next)).toEqual(['172.17.0.0/16 via 192.168.105.3 on bridge101']);
  });

  test('of several NICs one is left when the other’s bridge goes, and no one need look', () => {
    const other = { ...bridge100, name: 'bridge101', address: '192.168.105.1' };
    const second = nic({
      name: 'eth2',
      mac: '52:55:55:00:00:02',
      addresses: [{ address: '192.168.105.3', prefix: 24 }],
    });
    const { world } = settled(
      sharedMac(networks, { bridges: [bridge100, other], nics: [outside, nic(), second] }),
    );
    expect(reasonOf(world, 'TapAttached')).toBe('SeveralNics');
    expect(kinds(world)).toEqual([]);
    const left = { vmnet: { bridges: seen([other]) }, routes: seen([...lan, ...rowsOf(other)]) };
    expect(routedIn(settled(changed(world, left)).world)).toEqual([
      '172.17.0.0/16 via 192.168.105.3 on bridge101',
    ]);
  });

  test('another VM answers at that address: no route leads there', () => {
    const start = sharedMac(networks);
    const neighbours = [{ address: '192.168.64.2', mac: '52:54:00:00:00:01', interface: 'bridge100' }];
    const { world } = settled({ ...start, neighbours });
    expect(reasonOf(world, 'TapAttached')).toBe('NicUnproven');
    expect(routedIn(world)).toEqual([]);
  });

  test('what could not be seen changes nothing', () => {
    const world = ready();
    for (const observation of [
      { vmnet: { bridges: unknown('ifconfig hangs') } },
      { routes: unknown('netstat hangs') },
      { vm: unknown('ps hangs') },
      { engine: unknown('silent') },
    ])
      expect(kinds(changed(world, observation))).toEqual([]);
  });
});

describe('what changes while the VM runs', () => {
  test('a new daemon finds the routes of the one before, and takes none away meanwhile', () => {
    const before = ready();
    const { ownedRoutes, lastLink } = before.memory;
    const { world, done } = settled({ ...before, memory: { ...up, ownedRoutes, lastLink } });
    expect(done.map(({ kind }) => kind)).toEqual(['find-nic', 'prepare-guest']);
    expect(routedIn(world)).toEqual(routedIn(before));
  });

  test('while the NIC is looked for, the routes that stand are nobody else’s', () => {
    const before = ready();
    const { ownedRoutes, lastLink } = before.memory;
    const world = { ...before, memory: { ...up, ownedRoutes, lastLink } };
    expect(judged(world).routes).toMatchObject([
      { state: 'waiting', why: 'it leads to 192.168.64.2 on bridge100, where the link was before' },
    ]);
    const { findings } = conditionsOf(world);
    expect(findings.find(({ type }) => type === 'Routes')).toMatchObject({
      reason: 'Pending',
      message: 'held back until the VM’s NIC is found (see TapAttached): 172.17.0.0/16',
    });
    // Through another gateway, or without a word of it in the journal, they are somebody's.
    for (const owned of [[], ownedRoutes.map((own) => ({ ...own, gateway: '192.168.64.7' }))])
      expect(judged({ ...world, memory: { ...world.memory, ownedRoutes: owned } }).routes).toMatchObject([
        { state: 'foreign' },
      ]);
  });

  test('macOS renumbers the bridge: the new address is found, and every route leads there', () => {
    const { world, done } = settled(renumbered(ready()));
    expect(done.map(({ kind }) => kind)).toContain('find-nic');
    expect(routedIn(world)).toEqual(['172.17.0.0/16 via 192.168.66.9 on bridge100']);
    expect(world.letIn).toBe('192.168.66.1');
  });

  test('routes that still lead to the VM’s former address are nobody else’s', () => {
    const before = ready();
    const nics = [outside, nic({ addresses: [{ address: '192.168.64.7', prefix: 24 }] })];
    const moved = { ...before, nics, neighbours: neighboursOf([bridge100], nics) };
    const found = {
      vm: virtualVm.id,
      bridges: [bridge100],
      generation: 0,
      nics,
      neighbours: moved.neighbours,
    };
    const world = { ...moved, memory: { ...moved.memory, nics: found } };
    expect(judged(world).routes).toMatchObject([
      { state: 'waiting', why: 'it leads to 192.168.64.2 on bridge100, where the link was before' },
    ]);
    expect(reasonOf(world, 'Routes')).toBe('Pending');
    expect(routedIn(settled(world).world)).toEqual(['172.17.0.0/16 via 192.168.64.7 on bridge100']);
  });

  test('the bridge has another address in the same network: the VM lets in that one', () => {
    const bridge = { ...bridge100, address: '192.168.64.9' };
    const before = ready();
    expect(before.letIn).toBe('192.168.64.1');
    const { world, done } = settled(
      changed(before, { vmnet: { bridges: seen([bridge]) }, routes: seen([...lan, ...rowsOf(bridge)]) }),
    );
    expect(done.map(({ kind }) => kind)).toContain('prepare-guest');
    expect(world.letIn).toBe('192.168.64.9');
  });

  test('the VM keeps its old lease for a while: nothing is routed, and it is looked for again', () => {
    const { world } = settled(renumbered(ready(), false));
    expect(routedIn(world)).toEqual([]);
    expect(reasonOf(world, 'TapAttached')).toBe('NoSharedNic');
    expect(kinds(world)).toEqual(['find-nic']);
  });

  test('a lease with another address: what answered is silent, and the NIC is looked for anew', () => {
    const before = ready();
    const nics = [outside, nic({ addresses: [{ address: '192.168.64.7', prefix: 24 }] })];
    const silent = changed(
      { ...before, nics, neighbours: neighboursOf([bridge100], nics) },
      { dataPath: { session: '700@then#1', state: 'silent', detail: '', generation: 1 } },
    );
    // Until then nothing is taken away: it may be a container's own silence.
    expect(kinds(silent)).toEqual(['find-nic']);
    const { world } = settled(silent);
    expect(routedIn(world)).toEqual(['172.17.0.0/16 via 192.168.64.7 on bridge100']);
    expect(world.memory.guest?.observedGeneration).toBe(1);
  });

  test('a bridge of another program comes and goes without a look into the VM', () => {
    const other = { ...bridge100, name: 'bridge101', address: '198.19.249.3' };
    const world = changed(ready(), { vmnet: { bridges: seen([bridge100, other]) } });
    expect(kinds(world)).toEqual([]);
    expect(judged(world).link.kind).toBe('up');
  });

  test('another NIC of the VM is on the bridges now: it is let in, too', () => {
    const other = { ...bridge100, name: 'bridge101', address: '192.168.105.1' };
    const second = nic({
      name: 'eth2',
      mac: '52:55:55:00:00:02',
      addresses: [{ address: '192.168.105.3', prefix: 24 }],
    });
    const several = settled(
      sharedMac(networks, { bridges: [bridge100, other], nics: [outside, nic(), second] }),
    ).world;
    const only = (bridge: typeof other) => ({
      vmnet: { bridges: seen([bridge]) },
      routes: seen([...lan, ...rowsOf(bridge)]),
    });
    const first = settled(changed(several, only(bridge100))).world;
    expect(first.memory.guest?.nic).toBe(nic().mac);
    const next = changed(first, only(other));
    expect(reasonOf(next, 'Guest')).toBe('NotPrepared');
    const { world } = settled(next);
    expect(world.memory.guest?.nic).toBe(second.mac);
    expect(reasonOf(world, 'Guest')).toBe('Prepared');
  });

  test('the engine starts anew in the same VM: rules are set again, the NIC is not looked for', () => {
    const world = changed(ready(), { engine: seen(engineOf(networks, { session: '700@then#2' })) });
    expect(kinds(world)).toEqual(['prepare-guest']);
  });

  test('the VM goes, as in Resource Saver, and the next one has another address', () => {
    const before = ready();
    const gone = changed(before, {
      vm: seen(null),
      engine: seen(null),
      vmnet: { bridges: seen([]) },
      routes: seen(lan),
    });
    const { world: quiet, done } = settled(gone);
    expect(done).toEqual([]);
    expect(conditionsOf(quiet).phase).toBe('idle');
    const vm: Vm = { ...virtualVm, id: '701@later', pid: 701 };
    const nics = [
      outside,
      nic({ mac: '22:2e:0f:00:ee:02', addresses: [{ address: '192.168.64.3', prefix: 24 }] }),
    ];
    const next = changed(
      { ...quiet, nics, neighbours: neighboursOf([bridge100], nics), isOpen: false },
      {
        vm: seen(vm),
        vmnet: { bridges: seen([bridge100]) },
        routes: seen([...lan, ...rowsOf(bridge100)]),
        engine: seen(engineOf(networks, { vm: vm.id, session: '701@later#1' })),
      },
    );
    const { world } = settled(next);
    expect(routedIn(world)).toEqual(['172.17.0.0/16 via 192.168.64.3 on bridge100']);
    expect(world.isOpen).toBe(true);
  });

  test('a VPN takes the bridge’s network: routes are taken back, and it is said', () => {
    const taken = route({
      destination: '192.168.64.0/24',
      gateway: 'link#30',
      flags: 'UCS',
      interface: 'utun4',
    });
    const before = ready();
    const table = before.observation.routes.known ? before.observation.routes.value : [];
    const rest = table.filter(({ destination }) => destination.text !== '192.168.64.0/24');
    const world = changed(before, { routes: seen([...rest, taken]) });
    expect(reasonOf(world, 'TapAddress')).toBe('LinkTaken');
    expect(kinds(world)).toEqual(['delete-route']);
  });

  test('a Docker network in the bridge’s own network: nothing is set up, and what to do is no key of tap', () => {
    const { world } = settled(sharedMac([network('mine', '192.168.64.0/25')]));
    expect(reasonOf(world, 'TapAddress')).toBe('LinkCollision');
    expect(routedIn(world)).toEqual([]);
    const { findings } = conditionsOf(world);
    expect(findings.find(({ type }) => type === 'TapAddress')?.message).not.toContain('tap.');
  });
});

describe('down and away', () => {
  test.each(['down', 'restored', 'removed'] as const)(
    '%s: routes and rules go, the NIC stays as it is',
    (wanted) => {
      const before = ready();
      const { world } = settled({ ...before, memory: { ...before.memory, wanted } });
      expect(routedIn(world)).toEqual([]);
      expect(toldLink(judged(world))).toBeNull();
      expect(world.isOpen).toBe(false);
      expect(world.nics).toEqual(before.nics);
    },
  );

  test('a daemon that never looked takes the rules of the one before out of the VM, too', () => {
    const { memory, ...rest } = ready();
    const { world, done } = settled({
      ...rest,
      memory: { ...up, ownedRoutes: memory.ownedRoutes, wanted: 'removed' },
    });
    expect(done.map(({ kind }) => kind)).toEqual(['delete-route', 'release-guest']);
    expect(world.isOpen).toBe(false);
  });

  test('a VM without such a NIC is not entered for that, but the agent’s image goes out of its engine, once', () => {
    const { world, done } = settled(
      sharedMac(networks, { bridges: [], nics: [outside], memory: { ...up, wanted: 'removed' } }),
    );
    expect(done).toMatchObject([{ kind: 'release-guest', hasNic: false }]);
    expect(world.memory.released).toBe('700@then#1');
  });

  test.each([
    ['bridges', { vmnet: { bridges: unknown('ifconfig hangs') } }],
    ['VMs', { vm: unknown('ps hangs') }],
  ])('with %s unknown the rules go all the same', (_what, blind) => {
    const { memory, ...rest } = ready();
    const wanting = {
      ...up,
      ownedRoutes: memory.ownedRoutes,
      lastLink: memory.lastLink,
      wanted: 'down' as const,
    };
    const { world } = settled(changed({ ...rest, memory: wanting }, blind));
    expect(world.isOpen).toBe(false);
  });
});

describe('which link it is', () => {
  const shimmed = seen(bundlesOf([bundle('shim', 'mach-o')]));

  test('an update from HyperKit to the Virtualization framework: the shim is taken back, and no kext is asked for', () => {
    const start = changed(sharedMac(networks), { bundles: shimmed });
    const { world } = settled(start);
    expect(world.restored).toEqual([hyperkit]);
    expect(reasonOf(world, 'Shim')).toBe('NotNeeded');
    expect(routedIn(world)).toEqual(['172.17.0.0/16 via 192.168.64.2 on bridge100']);
    // Also once the VM is gone.
    const closed = changed(world, {
      vm: seen(null),
      engine: seen(null),
      vmnet: { bridges: seen([]) },
      routes: seen(lan),
    });
    expect(settled(closed).done).toEqual([]);
  });

  test('a bundle that is being replaced is left alone meanwhile', () => {
    const replacing = [{ app: '/Applications/Docker.app', why: 'an update', settlesIn: 1000 }];
    const start = changed(sharedMac(networks), {
      bundles: seen(bundlesOf([bundle('shim', 'mach-o')], { replacing })),
    });
    expect(settled(start).world.restored).toEqual([]);
  });

  test('somebody else’s files beside hyperkit are not ours to take back', () => {
    const theirs = [
      bundle('docker-tuntap-osx-shim', 'missing'),
      { ...bundle('mach-o', 'mach-o'), saved: null },
    ];
    for (const one of theirs)
      expect(
        settled(changed(sharedMac(networks), { bundles: seen(bundlesOf([one])) })).world.restored,
      ).toEqual([]);
  });

  test('with shim.manage off hyperkit is let be', () => {
    const config = configSchema.parse({ shim: { manage: false } });
    expect(settled(changed(sharedMac(networks), { bundles: shimmed }), config).world.restored).toEqual([]);
  });

  test('and back to HyperKit: the shim is put in, and routes lead over the tap', () => {
    const before = settled(
      changed(sharedMac(networks), { bundles: seen(bundlesOf([bundle('mach-o', 'missing')])) }),
    ).world;
    expect(before.observation.bundles).toMatchObject({
      value: { withHyperkit: [{ target: { kind: 'mach-o' } }] },
    });
    const started = startedMac(
      networks,
      before.observation.routes.known ? before.observation.routes.value : [],
    );
    const { world, done } = settled({
      ...before,
      observation: { ...started, bundles: before.observation.bundles },
    });
    expect(done.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['install-shim', 'address-tap', 'delete-route', 'prepare-guest', 'add-route']),
    );
    expect(routedIn(world)).toEqual(['172.17.0.0/16 via 10.0.75.2 on tap1']);
    expect(toldLink(judged(world))).toBe('HyperKit’s tap');
  });

  test('Docker is updated to one without hyperkit, and not open yet: nobody is told to use another Mac', () => {
    const bundles = seen(bundlesOf([], { without: [{ app: '/Applications/Docker.app' }] }));
    const world = { observation: { ...quietMac, bundles }, memory: { ...up, lastLink: 'tap' as const } };
    expect(conditionsOf(world).phase).toBe('idle');
  });

  test.each([
    ['the first VM has not come yet, and Docker.app has hyperkit', quietMac, 'Installed'],
    [
      'the first VM has not come yet, and Docker.app has none',
      { ...quietMac, bundles: seen(bundlesOf([], { without: [{ app: '/Applications/Docker.app' }] })) },
      'NotNeeded',
    ],
  ])('%s', (_what, observation, shim) => {
    expect(reasonOf({ observation, memory: up }, 'Shim')).toBe(shim);
  });

  describe('no Docker.app is there', () => {
    const bare = {
      ...quietMac,
      tap: { ...quietMac.tap, device: seen(null), kext: seen({ state: 'absent' as const, bundles: [] }) },
      bundles: seen(bundlesOf([])),
    };

    test('and none ever was: neither kext nor Docker Desktop is asked for', () => {
      const world = { observation: bare, memory: up };
      expect(conditionsOf(world).phase).toBe('idle');
      expect([reasonOf(world, 'TapDevice'), reasonOf(world, 'Shim')]).toEqual(['NotNeeded', 'NotNeeded']);
      expect(stepsOf(world)).toEqual([]);
    });

    test('a tap is configured, or the last VM had one: it is said that Docker.app is missing', () => {
      const config = configSchema.parse({ link: 'tap' });
      expect(reasonOf({ observation: bare, memory: up }, 'Shim', config)).toBe('NoDocker');
      expect(reasonOf({ observation: bare, memory: { ...up, lastLink: 'tap' } }, 'Shim')).toBe('NoDocker');
    });

    test.each([
      ['is refused', { refused: [{ app: '/Applications/Docker.app', why: 'a link' }] }],
      ['is being replaced', { replacing: [{ app: '/Applications/Docker.app', why: '', settlesIn: null }] }],
    ])('that counts, but one %s: that is what is told', (_what, more) => {
      const observation = { ...bare, bundles: seen(bundlesOf([], more)) };
      expect(reasonOf({ observation, memory: up }, 'Shim')).not.toBe('NotNeeded');
    });
  });

  test('Docker VMM has no such NIC: one sentence says what to choose', () => {
    const vm: Vm = {
      ...virtualVm,
      kind: 'docker-vmm',
      executable: '/Applications/Docker.app/Contents/MacOS/com.docker.sailor',
    };
    const { world, done } = settled(changed(sharedMac(networks), { vm: seen(vm) }));
    expect(done).toEqual([]);
    const { phase, findings } = conditionsOf(world);
    expect(phase).toBe('blocked');
    expect(findings.at(-1)).toMatchObject({
      reason: 'DockerVmm',
      message: expect.stringContaining('Virtual Machine Options choose Apple Virtualization framework'),
    });
  });

  test('vmnet is configured, and the VM is HyperKit’s', () => {
    const config = configSchema.parse({ link: 'vmnet' });
    const world = { ...sharedMac(networks), observation: startedMac(networks) };
    expect(reasonOf(world, 'TapAttached', config)).toBe('NoSharedNic');
    expect(stepsOf(world, config).map(({ kind }) => kind)).toEqual(['restore-hyperkit']);
  });
});

describe('a VM of another runtime’s is followed', () => {
  const socket = '/Users/person/.colima/default/docker.sock';
  const colima: Vm = { ...virtualVm, executable: null, runtime: { name: 'colima', socket } };
  const beside = (bundles: ReturnType<typeof bundlesOf>, lastLink: 'tap' | 'vmnet' | null): VmnetWorld =>
    changed(sharedMac(networks, { memory: { ...up, lastLink } }), {
      tap: quietMac.tap,
      vm: seen(colima),
      bundles: seen(bundles),
    });
  const hyperkitOf = ({ observation }: VmnetWorld): string =>
    observation.bundles.known ? (observation.bundles.value.withHyperkit[0]?.target.kind ?? '') : '';

  test.each([null, 'tap', 'vmnet'] as const)(
    'the shim in front of Docker Desktop’s hyperkit stays, and the link of its last VM too: %s',
    (lastLink) => {
      const { world } = settled(beside(bundlesOf([bundle('shim', 'mach-o')]), lastLink));
      expect(world.restored).toEqual([]);
      expect(hyperkitOf(world)).toBe('shim');
      expect(world.memory.lastLink).toBe(lastLink);
      expect(routedIn(world)).toEqual(['172.17.0.0/16 via 192.168.64.2 on bridge100']);
    },
  );

  test('Docker Desktop is updated meanwhile: its next VM gets a tap all the same', () => {
    const start = beside(bundlesOf([bundle('mach-o', 'missing')]), 'tap');
    const device = seen({ path: '/dev/tap1', uid: 0, gid: 0, mode: 0o660 });
    const { world } = settled(changed(start, { tap: { ...quietMac.tap, device } }));
    expect(hyperkitOf(world)).toBe('shim');
    expect(world.observation.tap.device).toMatchObject({ value: { uid: 501 } });
  });

  test.each([
    ['Docker Desktop’s last VM had no tap', beside(bundlesOf([bundle('mach-o', 'missing')]), 'vmnet')],
    ['there is no Docker Desktop', beside(bundlesOf([]), null)],
  ])('nothing is made for a tap while %s', (_what, start) => {
    const device = seen({ path: '/dev/tap1', uid: 0, gid: 0, mode: 0o660 });
    const { world } = settled(changed(start, { tap: { ...quietMac.tap, device } }));
    expect(hyperkitOf(world)).not.toBe('shim');
    expect(world.observation.tap.device).toMatchObject({ value: { uid: 0 } });
  });

  test('Docker Desktop has been removed: once that VM has ended nobody asks for what a tap needs', () => {
    const { world } = settled(beside(bundlesOf([]), 'tap'));
    const stopped = changed(world, { vm: seen(null), vmnet: { bridges: seen([]) } });
    expect(conditionsOf(stopped).phase).toBe('idle');
    expect(reasonOf(stopped, 'TapDevice')).toBe('NotNeeded');
  });

  test('vmnet is configured: no shim has any use, whoever’s VM it is', () => {
    const config = configSchema.parse({ link: 'vmnet' });
    const { world } = settled(beside(bundlesOf([bundle('shim', 'mach-o')]), 'tap'), config);
    expect(world.restored).toEqual([hyperkit]);
  });

  test('the Docker that tuntapd quit is opened again, and what was tried of it is still known', () => {
    const start = beside(bundlesOf([bundle('shim', 'mach-o')]), 'tap');
    const app = '/Applications/Docker.app';
    const attempts = [{ vm: '900@then', bundle: '1:42', failed: null }];
    const restart = { ...start.memory.restart, attempts, reopen: { app, uid: 501, gui: 70, at: 0 } };
    const { world } = settled({ ...start, memory: { ...start.memory, restart } });
    expect(world.memory.restart).toMatchObject({ reopen: null, attempts });
  });
});
