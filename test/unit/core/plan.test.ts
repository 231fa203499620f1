import { describe, expect, test } from '@jest/globals';
import { configSchema } from '../../../config/schema.js';
import {
  type Bundle,
  type DockerNetwork,
  type Engine,
  type Observation,
  type Route,
  seen,
  unknown,
  valueOf,
} from '../../../daemon/core/observation.js';
import { conditionOf, type Step } from '../../../daemon/core/steps.js';
import {
  applied,
  bundle,
  bundlesOf,
  config,
  lan,
  network,
  ownedRoutes,
  quietMac,
  route,
  startedMac,
  up,
  withTap,
  type World,
} from './worlds.js';
import type { Memory } from '../../../daemon/core/memory.js';
import { judgeConditions, learn, plan } from './judged.js';

/** The same world after a look, which may teach the daemon something. */
const looked = ({ observation, memory }: World): World => ({
  observation,
  memory: { ...memory, ...learn(config, observation, memory) },
});

/** Looks, plans and applies until nothing is left to do; fails when that does not come to an end. */
function settle(start: World): { world: World; done: string[] } {
  let world = start;
  const done: string[] = [];
  for (let round = 0; round < 10; round += 1) {
    world = looked(world);
    const steps = plan(config, world.observation, world.memory);
    if (steps.length === 0) return { world, done };
    for (const step of steps) {
      world = applied(world, step);
      done.push(step.key);
    }
  }
  throw new Error(`no end: ${done.join(', ')}`);
}

const kindsFor = (observation: Observation, memory: Memory = up): string[] =>
  plan(config, observation, memory).map(({ kind }) => kind);

test('a Mac that is as it should be needs nothing', () => {
  expect(kindsFor(quietMac)).toEqual([]);
});

test('a started VM gets address, guest and routes, and then rest', () => {
  const { world, done } = settle({
    observation: startedMac([network('bridge', '172.17.0.0/16'), network('app', '172.18.0.0/16')]),
    memory: up,
  });
  expect(done).toEqual(['address tap1', 'guest 900@then#1', 'route 172.17.0.0/16', 'route 172.18.0.0/16']);
  expect(world.memory.ownedRoutes.map(({ subnet }) => subnet)).toEqual(['172.17.0.0/16', '172.18.0.0/16']);
});

test('the VM is worked on when our end has its address, at once with the routes', () => {
  const observation = startedMac([network('bridge', '172.17.0.0/16')]);
  const [address, ...more] = plan(config, observation, up);
  expect([address?.kind, more]).toEqual(['address-tap', []]);
  if (!address) throw new Error('no step');
  const addressed = applied({ observation, memory: up }, address);
  expect(kindsFor(addressed.observation, addressed.memory)).toEqual(['prepare-guest', 'add-route']);
});

test('a restarted engine is a new session: the guest is prepared again, the routes stay', () => {
  const { world } = settle({ observation: startedMac([network('bridge', '172.17.0.0/16')]), memory: up });
  const engine = world.observation.engine;
  if (!engine.known || !engine.value) throw new Error('no engine');
  const restarted = { ...world.observation, engine: seen({ ...engine.value, session: '900@then#2' }) };
  expect(kindsFor(restarted, world.memory)).toEqual(['prepare-guest']);
});

test('after a reboot the device belongs to root again and is given back before anything else', () => {
  const device = { path: '/dev/tap1', uid: 0, gid: 0, mode: 0o660 };
  expect(kindsFor(withTap(quietMac, { device: seen(device) }))).toEqual(['own-tap-device']);
  expect(kindsFor(withTap({ ...quietMac, consoleUser: seen(null) }, { device: seen(device) }))).toEqual([]);
});

test('without a configuration that can be read nothing is done, but to leave', () => {
  const shimmed = seen(bundlesOf([bundle('shim', 'mach-o')]));
  const unread: Observation = {
    ...startedMac([network('bridge', '172.17.0.0/16')]),
    bundles: shimmed,
    configuration: { problem: 'line 2: tap.mtu = 1 is not allowed', inForce: false },
  };
  expect(kindsFor(unread)).toEqual([]);
  expect(kindsFor(unread, { ...up, wanted: 'removed' })).toContain('restore-hyperkit');
  const { phase, findings } = judgeConditions(config, unread, up, []);
  expect(phase).toBe('blocked');
  expect(findings[0]).toMatchObject({ type: 'Configuration', status: 'False', reason: 'Invalid' });
});

test('restored: hyperkit goes back and stays so, also over a Docker update, until up', () => {
  const restored: Memory = { ...up, wanted: 'restored' };
  expect(kindsFor(quietMac, restored)).toEqual(['restore-hyperkit']);
  const asShipped = seen(bundlesOf([bundle('mach-o', 'missing')]));
  expect(kindsFor({ ...quietMac, bundles: asShipped }, restored)).toEqual([]);
  // Killed after hyperkit was given back: it is still to be forgotten, but not while Docker's updater is at work.
  const given = { ...bundle('mach-o', 'missing'), saved: bundle('shim', 'mach-o').saved };
  const replacing = [{ app: given.app, why: 'it is being written', settlesIn: 2000 }];
  for (const wanted of ['restored', 'removed'] as const) {
    const kinds = (more = {}): string[] =>
      kindsFor({ ...quietMac, bundles: seen(bundlesOf([given], more)) }, { ...up, wanted });
    expect(kinds()).toContain('restore-hyperkit');
    expect(kinds({ replacing })).not.toContain('restore-hyperkit');
  }
  expect(kindsFor({ ...quietMac, bundles: asShipped })).toEqual(['install-shim']);
  const { phase, findings } = judgeConditions(config, { ...quietMac, bundles: asShipped }, restored, []);
  expect(phase).toBe('down');
  expect(findings).toContainEqual(expect.objectContaining({ type: 'Shim', reason: 'Restored' }));
});

test('a device that is there is given to its user, whatever else a loaded kext would have made', () => {
  const device = seen({ path: '/dev/tap1', uid: 0, gid: 0, mode: 0o660 });
  const kext = seen({ state: 'installed' as const, bundles: ['/Library/Extensions/tap.kext'] });
  expect(kindsFor(withTap(quietMac, { device, kext }))).toEqual(['own-tap-device']);
});

test('an installed kext is loaded; of several each is tried, since macOS may refuse one', () => {
  const installed = (...bundles: string[]): Observation =>
    withTap(quietMac, { device: seen(null), kext: seen({ state: 'installed', bundles }) });
  expect(kindsFor(installed('/Library/Extensions/tap.kext'))).toEqual(['load-kext']);
  const both = ['/Library/Extensions/tap.kext', '/Library/Extensions/tunnelblick-tap.kext'];
  expect(plan(config, installed(...both), up)).toMatchObject(both.map((bundle) => ({ bundle })));
});

describe('hyperkit', () => {
  const table: readonly [Parameters<typeof bundle>[0], Parameters<typeof bundle>[1], readonly string[]][] = [
    ['mach-o', 'missing', ['install-shim']],
    ['mach-o', 'mach-o', ['install-shim']],
    ['outdated-shim', 'mach-o', ['install-shim']],
    ['docker-tuntap-osx-shim', 'mach-o', ['install-shim']],
    ['missing', 'mach-o', ['install-shim']],
    ['missing', 'missing', []],
    ['shim', 'mach-o', []],
    ['shim', 'missing', []],
    ['foreign-script', 'mach-o', []],
    ['incomplete', 'missing', []],
    ['refused', 'missing', []],
    ['unrecognised', 'missing', []],
    ['mach-o', 'foreign-script', []],
    ['outdated-shim', 'missing', []],
    ['shim', 'incomplete', []],
  ];
  test.each(table)('%s beside an original that is %s: %j', (target, original, expected) => {
    const observation = {
      ...quietMac,
      bundles: seen(bundlesOf([bundle(target, original)])),
    };
    expect(kindsFor(observation)).toEqual(expected);
  });
});

test('no write into a bundle that is being replaced, which the condition says', () => {
  const bundles = seen(
    bundlesOf([bundle('mach-o', 'missing')], {
      replacing: [{ app: '/Applications/Docker.app', why: 'Docker is being updated', settlesIn: null }],
    }),
  );
  expect(kindsFor({ ...quietMac, bundles })).toEqual([]);
  const { phase, findings } = judgeConditions(config, { ...quietMac, bundles }, up, []);
  expect(phase).toBe('working');
  expect(findings).toContainEqual(expect.objectContaining({ type: 'Shim', reason: 'BeingReplaced' }));
});

describe('a step is asked for to give hyperkit back, also where a person must be told that it cannot be', () => {
  const table: readonly [Parameters<typeof bundle>[0], Parameters<typeof bundle>[1], boolean][] = [
    ['shim', 'mach-o', true],
    ['outdated-shim', 'mach-o', true],
    ['missing', 'mach-o', true],
    ['mach-o', 'mach-o', true],
    ['shim', 'missing', true],
    ['incomplete', 'mach-o', true],
    ['unrecognised', 'mach-o', true],
    ['mach-o', 'missing', false],
    ['mach-o', 'foreign-script', false],
    ['incomplete', 'missing', false],
    ['foreign-script', 'mach-o', false],
    ['docker-tuntap-osx-shim', 'mach-o', false],
  ];
  test.each(table)('%s beside an original that is %s: %j', (target, original, expected) => {
    const bundles = seen(bundlesOf([bundle(target, original)]));
    const kinds = kindsFor({ ...quietMac, bundles }, { ...up, wanted: 'removed' });
    expect(kinds.includes('restore-hyperkit')).toBe(expected);
  });
});

test('unknown is not absent: an engine that does not answer has not lost its networks', () => {
  const { world } = settle({ observation: startedMac([network('bridge', '172.17.0.0/16')]), memory: up });
  expect(kindsFor({ ...world.observation, engine: unknown('no answer') }, world.memory)).toEqual([]);
});

test('a VPN that comes while the engine does not answer need not wait for it', () => {
  const networks = [network('bridge', '172.17.0.0/16'), network('app', '10.33.0.0/16')];
  const { world } = settle({ observation: startedMac(networks), memory: up });
  const { routes } = world.observation;
  if (!routes.known) throw new Error('no table');
  const vpn = route({
    destination: '172.16.0.0/12',
    gateway: '10.80.0.1',
    flags: 'UGSc',
    interface: 'utun4',
  });
  const observation = {
    ...world.observation,
    routes: seen([...routes.value, vpn]),
    engine: unknown('no answer'),
  };
  expect(plan(config, observation, world.memory)).toMatchObject([
    {
      kind: 'delete-route',
      subnet: '172.17.0.0/16',
      why: expect.stringContaining('172.16.0.0/12 via 10.80.0.1'),
    },
  ]);
});

test('a range that somebody claims is given up before the VM is worked on', () => {
  const { world } = settle({ observation: startedMac([network('bridge', '172.17.0.0/16')]), memory: up });
  const vpn = route({
    destination: '172.17.0.0/24',
    gateway: '10.80.0.1',
    flags: 'UGSc',
    interface: 'utun4',
  });
  const routes = seen([...(valueOf(world.observation.routes) ?? []), vpn]);
  expect(kindsFor({ ...world.observation, routes }, { ...world.memory, guest: null })).toEqual([
    'delete-route',
    'prepare-guest',
  ]);
});

test('what stands of ours without the link goes: it leads to the LAN', () => {
  const stray = route({
    destination: '172.17.0.0/16',
    gateway: '10.0.75.2',
    flags: 'UGSc',
    interface: 'en0',
  });
  const observation = { ...quietMac, routes: seen([...lan, stray]) };
  const memory = { ...up, ownedRoutes: ownedRoutes('172.17.0.0/16') };
  const { done, world } = settle({ observation, memory });
  expect(done).toEqual(['delete 172.17.0.0/16']);
  expect(world.observation.routes).toEqual(seen(lan));
  expect(kindsFor(withTap(observation, { interface: unknown('no answer') }), memory)).toEqual([]);
});

test.each<[string, string]>([
  ['a host of its own', '10.0.75.2/32'],
  ['a network of its own', '10.0.75.0/24'],
])(
  'a VPN’s row like one of ours from before a reboot stays: its gateway is %s there',
  (_name, destination) => {
    const vpn: Route[] = [
      route({ destination, gateway: 'utun4', flags: 'UCS', interface: 'utun4' }),
      route({ destination: '172.17.0.0/16', gateway: '10.0.75.2', flags: 'UGSc', interface: 'utun4' }),
    ];
    const memory = { ...up, ownedRoutes: ownedRoutes('172.17.0.0/16') };
    expect(kindsFor(startedMac([], [...lan, ...vpn]), memory)).toEqual([]);
  },
);

test('a route that the kernel bound to the LAN is removed, then added again', () => {
  const stray = route({
    destination: '172.17.0.0/16',
    gateway: '10.0.75.2',
    flags: 'UGSc',
    interface: 'en0',
  });
  const observation = startedMac([network('bridge', '172.17.0.0/16')], [...lan, stray]);
  const { world } = settle({
    observation,
    memory: { ...up, ownedRoutes: ownedRoutes('172.17.0.0/16') },
  });
  const routes = world.observation.routes;
  expect(
    routes.known && routes.value.find(({ destination }) => destination.text === '172.17.0.0/16')?.interface,
  ).toBe('tap1');
});

test('down takes away what up made, and stays quiet', () => {
  const { world } = settle({ observation: startedMac([network('bridge', '172.17.0.0/16')]), memory: up });
  const lowered = settle({ ...world, memory: { ...world.memory, wanted: 'down' } });
  expect(lowered.done).toEqual(['delete 172.17.0.0/16', 'release 900@then#1', 'unaddress tap1']);
});

test('a link whose network somebody else gets is taken down on both ends, and set up again when he is gone', () => {
  const bridge = network('bridge', '172.17.0.0/16');
  const { world } = settle({ observation: startedMac([bridge]), memory: up });
  const withNetworks = ({ observation, memory }: World, networks: readonly DockerNetwork[]): World => {
    const engine = observation.engine.known ? observation.engine.value : null;
    if (!engine) throw new Error('no engine');
    return { memory, observation: { ...observation, engine: seen({ ...engine, networks }) } };
  };
  const taken = settle(withNetworks(world, [bridge, network('office', '10.0.75.0/24')]));
  expect(taken.done).toEqual(['delete 172.17.0.0/16', 'release 900@then#1', 'unaddress tap1']);
  const free = settle(withNetworks(taken.world, [bridge]));
  expect(free.done).toContain('guest 900@then#1');
  expect(free.world.observation.routes).toEqual(world.observation.routes);
});

test('a VM that was never set up is left alone by a link that gives way', () => {
  const observation = startedMac([network('office', '10.0.75.0/24')]);
  expect(settle({ observation, memory: up }).done).toEqual([]);
});

test('what an earlier daemon set up, or a step that was broken off, gives way on both ends too', () => {
  const { world } = settle({ observation: startedMac([]), memory: up });
  const engine = world.observation.engine.known ? world.observation.engine.value : null;
  if (!engine) throw new Error('no engine');
  const networks = [network('office', '10.0.75.0/24')];
  const observation = { ...world.observation, engine: seen({ ...engine, networks }) };
  expect(settle({ observation, memory: up }).done).toEqual(['release 900@then#1', 'unaddress tap1']);
});

test('a VM that could not be released is asked again, though the Mac’s end is gone already', () => {
  const { world } = settle({ observation: startedMac([]), memory: up });
  const engine = valueOf(world.observation.engine);
  if (!engine) throw new Error('no engine');
  const networks = [network('office', '10.0.75.0/24')];
  // Of an earlier daemon's work nothing is remembered but what the tap shows.
  const before = looked({
    observation: { ...world.observation, engine: seen({ ...engine, networks }) },
    memory: up,
  });
  const [release, unaddress, ...more] = plan(config, before.observation, before.memory);
  expect([release?.kind, unaddress?.kind, more]).toEqual(['release-guest', 'unaddress-tap', []]);
  if (!unaddress) throw new Error('no step');
  const halfDone = applied(before, unaddress);
  // A person's `up` forgets what was done in the VM, and so does a restart of dockerd.
  const restarted = seen({ ...engine, networks, session: '900@then#2' });
  const later: World = { ...halfDone, observation: { ...halfDone.observation, engine: restarted } };
  expect(settle(halfDone).done).toEqual(['release 900@then#1']);
  const released = settle(later);
  expect(released.done).toEqual(['release 900@then#2']);
  const again = seen({ ...engine, networks, session: '900@then#3' });
  expect(settle({ ...released.world, observation: { ...later.observation, engine: again } }).done).toEqual(
    [],
  );
});

test('routes that are no longer to be managed go, and only ours', () => {
  const { world } = settle({ observation: startedMac([network('bridge', '172.17.0.0/16')]), memory: up });
  const unmanaged = configSchema.parse({ routes: { manage: false } });
  const steps = plan(unmanaged, world.observation, world.memory);
  expect(steps.map(({ key }) => key)).toEqual(['delete 172.17.0.0/16']);
  const [step] = steps;
  if (!step) throw new Error('no step');
  const after = applied(world, step);
  expect(plan(unmanaged, after.observation, after.memory)).toEqual([]);
});

test('leaving restores hyperkit and gives the device back', () => {
  const { world } = settle({ observation: startedMac([network('bridge', '172.17.0.0/16')]), memory: up });
  const left = settle({ ...world, memory: { ...world.memory, wanted: 'removed' } });
  expect(left.done[0]).toMatch(/^restore /);
  expect(left.done.at(-1)).toBe('own /dev/tap1');
});

describe('the one word that sums everything up is no better than what is so', () => {
  const judged = (
    observation: Observation,
    memory = up,
    failures: Parameters<typeof judgeConditions>[3] = [],
  ) => {
    const { phase, findings } = judgeConditions(config, observation, memory, failures);
    return { phase, of: (type: string) => findings.find((finding) => finding.type === type) };
  };
  const failure = (step: Pick<Step, 'kind'>, blocked = false) => ({
    step: step as Step,
    condition: conditionOf[step.kind],
    reason: 'Failed' as const,
    message: 'macOS’s own words',
    blocked,
  });

  test('a VM that cannot be looked for is not one that does not run', () => {
    const { phase, of } = judged({ ...quietMac, vm: unknown('ps took longer than 10 s') });
    expect(phase).toBe('working');
    expect(of('Ready')?.message).toBe('ps took longer than 10 s');
  });

  test('a Docker that we quit and cannot open again is no rest', () => {
    const { phase, of } = judged(quietMac, up, [failure({ kind: 'open-docker' })]);
    expect(phase).toBe('degraded');
    expect(of('Ready')?.message).toBe('macOS’s own words');
  });

  test.each([
    ['down', 'release-guest', false, 'degraded'],
    ['restored', 'restore-hyperkit', true, 'blocked'],
  ] as const)('%s is not done while %s fails', (wanted, kind, blocked, expected) => {
    const { phase, of } = judged(quietMac, { ...up, wanted }, [failure({ kind }, blocked)]);
    expect(phase).toBe(expected);
    expect(of('Shim')?.reason).not.toBe('Restored');
  });

  test('a VM by Apple’s framework is no rest either, and comes before whatever else is missing', () => {
    const app = '/Applications/Docker.app';
    const virtualized = { pid: 77, app, startedAt: 'then', gui: false, virtualization: true };
    const world = withTap({ ...quietMac, docker: seen([virtualized]) }, { device: seen(null) });
    const { phase, of } = judged(world);
    expect(phase).toBe('blocked');
    expect(of('Ready')).toMatchObject({ reason: 'VirtualizationFramework' });
    expect(of('Ready')?.message).toMatch(/pid 77.*choose HyperKit in Docker’s settings/);
    // While hyperkit runs, what a second one does is nobody's business.
    expect(judged({ ...startedMac([]), docker: seen([virtualized]) }).of('VirtualMachine')?.status).toBe(
      'True',
    );
    const without = withTap(
      { ...quietMac, bundles: seen(bundlesOf([], { without: [{ app }] })) },
      { device: seen(null) },
    );
    expect(judged(without).of('Ready')?.reason).toBe('NoHyperkit');
  });

  test('with the link up only the Docker.app counts whose VM has it; of another one is told what is amiss', () => {
    const { world } = settle({ observation: startedMac([network('bridge', '172.17.0.0/16')]), memory: up });
    const there = bundle('shim', 'mach-o');
    const copy: Bundle = {
      ...bundle('mach-o', 'missing'),
      app: '/Users/person/Applications/Docker.app',
      identity: '1:43',
    };
    const link = { app: '/Opt/Docker.app', why: 'it is a symbolic link' };
    const vm = valueOf(world.observation.vm);
    if (!vm) throw new Error('no VM');
    const runs = (executable: string | null): Observation => ({
      ...world.observation,
      macos: seen({ major: 13, minor: 6 }),
      vm: seen({ ...vm, executable }),
      bundles: seen(bundlesOf([there, copy], { refused: [link] })),
    });
    const { of } = judged(runs(`${there.hyperkit}.original`), world.memory);
    expect(of('Shim')).toMatchObject({ status: 'True', reason: 'Installed' });
    expect(of('Shim')?.message).toMatch(
      /^\/Applications\/Docker.app.*symbolic link.*has not been opened yet/,
    );
    expect(judged(runs(null), world.memory).of('Shim')?.reason).toBe('Refused');
    expect(judged({ ...runs(null), vm: seen(null) }, up).of('Shim')?.reason).toBe('Refused');
  });

  test('hyperkit that could not be looked at is not said to be as Docker shipped it', () => {
    const { of } = judged({ ...quietMac, bundles: unknown('no answer') }, { ...up, wanted: 'restored' });
    expect(of('Shim')).toMatchObject({ status: 'Unknown', message: 'no answer' });
  });

  test('networks none of which is routed are not none', () => {
    const { world } = settle({ observation: startedMac([network('shared', '100.64.0.0/16')]), memory: up });
    const { session } = world.observation.engine.known
      ? (world.observation.engine.value ?? { session: '' })
      : { session: '' };
    const answered = { session, state: 'alive', detail: '10.0.75.2 answered', generation: 0 } as const;
    const { phase, of } = judged({ ...world.observation, dataPath: answered }, world.memory);
    expect(phase).toBe('ready');
    expect(of('Ready')?.message).toBe(
      'the link is set up; no subnet of Docker’s is routed: `tuntapctl routes` says why of each',
    );
    const empty = settle({ observation: startedMac([]), memory: up }).world;
    expect(judged(empty.observation, empty.memory).of('Routes')?.message).toBe('Docker has no network yet');
  });
});

test('a route whose network the engine does not list goes when that is certain, not before', () => {
  const routed = route({
    destination: '172.28.0.0/16',
    gateway: '10.0.75.2',
    interface: 'tap1',
    flags: 'UGSc',
  });
  const observation = startedMac([network('bridge', '172.17.0.0/16')], [...lan, routed]);
  const memory = { ...up, ownedRoutes: ownedRoutes('172.28.0.0/16') };
  const { engine } = observation;
  const value = valueOf(engine);
  if (!value) throw new Error('no engine');
  const deletedWhen = (isProvisional: boolean): string[] =>
    plan(config, { ...observation, engine: seen<Engine>({ ...value, isProvisional }) }, memory)
      .filter(({ kind }) => kind === 'delete-route')
      .map(({ key }) => key);
  expect(deletedWhen(true)).toEqual([]);
  expect(deletedWhen(false)).toEqual(['delete 172.28.0.0/16']);
});
