import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { configSchema } from '../../../config/schema.js';
import type { NamesObservation, ResolverFolder } from '../../../daemon/core/names/observation.js';
import { isOurs, resolverText } from '../../../daemon/lib/resolver-text.js';
import type { Memory } from '../../../daemon/core/memory.js';
import { type Container, seen, unknown } from '../../../daemon/core/observation.js';
import { judgeConditions, judged, plan } from '../core/judged.js';
import {
  applied,
  config,
  network,
  ownedRoutes,
  quietMac,
  route,
  startedMac,
  up,
  withTap,
  type World,
} from '../core/worlds.js';

const web: Container = {
  id: 'c1',
  name: 'web',
  labels: {},
  paused: false,
  networkMode: 'bridge',
  endpoints: [
    { id: 'e1', networkId: 'bridge', network: 'bridge', ipv4: '172.17.0.2', ipv6: null, aliases: null },
  ],
  ports: [],
};

const folder = (more: Partial<ResolverFolder> = {}): ResolverFolder => ({
  exists: true,
  distrust: null,
  ours: {},
  foreign: null,
  ...more,
});
const serving = (more: Partial<NamesObservation> = {}): NamesObservation => ({
  server: { state: 'serving', port: 299 },
  folder: seen(folder()),
  taken: seen({ isOffline: true }),
  ...more,
});

/** A Mac on which a network is routed, and a container runs on it. */
function routedMac(names: NamesObservation, containers: readonly Container[] = [web]): World {
  const networks = [network('bridge', '172.17.0.0/16')];
  const before = startedMac(networks, [
    route({ destination: '172.17.0.0/16', gateway: '10.0.75.2', flags: 'UGSc', interface: 'tap1' }),
    route({ destination: '10.0.75.0/30', gateway: 'link#14', flags: 'UC', interface: 'tap1' }),
    ...(quietMac.routes.known ? quietMac.routes.value : []),
  ]);
  const engine = before.engine.known ? before.engine.value : null;
  if (!engine) throw new Error('there is no engine');
  return {
    observation: {
      ...withTap(before, {
        interface: seen({
          name: 'tap1',
          up: true,
          mtu: 1500,
          addresses: [{ address: '10.0.75.1', prefix: 30 }],
          holder: 900,
        }),
      }),
      engine: seen({ ...engine, containers: seen(containers) }),
      names,
      dataPath: { session: engine.session, state: 'alive', detail: '', generation: 0 },
    },
    memory: {
      ...up,
      ownedRoutes: ownedRoutes('172.17.0.0/16'),
      guest: { session: engine.session, interface: 'eth1', rules: [], observedGeneration: 0 },
    },
  };
}

const verdictOf = ({ observation, memory }: World) => judged(config, observation, memory).names;
const stepsOf = ({ observation, memory }: World, settings = config): string[] =>
  plan(settings, observation, memory)
    .filter(({ kind }) => kind.endsWith('-resolver'))
    .map((step) => `${step.kind} ${'zone' in step ? step.zone : ''}`);
const told = ({ observation, memory }: World, settings = config): string => {
  const { findings, phase } = judgeConditions(settings, observation, memory, []);
  const found = findings.find(({ type }) => type === 'Names');
  return `${phase}: ${found?.status ?? ''} ${found?.reason ?? ''}: ${found?.message ?? ''}`;
};

const ours = folder({ ours: { docker: resolverText(299) } });
const works = routedMac(serving({ folder: seen(ours) }));

describe('which names there are', () => {
  test('those of running containers on routed networks', () => {
    expect(verdictOf(works)).toMatchObject({
      state: 'known',
      zone: { names: [{ name: 'web', addresses: ['172.17.0.2'], of: 'container web' }] },
    });
  });

  test('the same ones, and not made anew, while list and routes are the same; others with another route', () => {
    const again = judged(config, { ...works.observation, at: 1 }, works.memory).names;
    const first = verdictOf(works);
    if (again.state !== 'known' || first.state !== 'known') throw new Error('they are not known');
    expect(again.zone).toBe(first.zone);
    const unrouted = { ...works.observation, routes: quietMac.routes };
    expect(judged(config, unrouted, works.memory).names).toMatchObject({ zone: { names: [] } });
    expect(verdictOf(works)).toEqual(first);
  });

  test('none while the network is not routed', () => {
    const { observation, memory } = works;
    const unrouted = { ...observation, routes: quietMac.routes };
    expect(verdictOf({ observation: unrouted, memory })).toMatchObject({ zone: { names: [] } });
  });

  test('none, which is known, without a VM', () => {
    expect(verdictOf({ observation: quietMac, memory: up })).toMatchObject({
      state: 'known',
      zone: { names: [] },
    });
  });

  test.each<[string, (world: World) => World]>([
    [
      'the engine is not known',
      (world) => ({ ...world, observation: { ...world.observation, engine: unknown('?') } }),
    ],
    [
      'its containers are not',
      ({ observation, memory }) => ({
        memory,
        observation: {
          ...observation,
          engine:
            observation.engine.known && observation.engine.value
              ? seen({ ...observation.engine.value, containers: unknown('?') })
              : observation.engine,
        },
      }),
    ],
    [
      'the routing table is not',
      ({ observation, memory }) => ({
        memory,
        observation: { ...observation, routes: unknown('netstat hangs') },
      }),
    ],
  ])('nobody knows while %s', (_what, change) => {
    expect(verdictOf(change(works))).toEqual({ state: 'unknown' });
  });

  test.each<Partial<Memory>>([
    { wanted: 'down' },
    { wanted: 'restored' },
    { wanted: 'removed' },
    { lowered: true },
  ])('none are wanted with %j', (change) => {
    expect(verdictOf({ ...works, memory: { ...works.memory, ...change } })).toEqual({ state: 'off' });
  });
});

describe('the resolver file', () => {
  test.each<[string, World, string[]]>([
    ['comes once the server answers', routedMac(serving()), ['write-resolver docker']],
    ['stays as it is', works, []],
    [
      'is another one when the port is',
      routedMac(serving({ folder: seen(folder({ ours: { docker: resolverText(298) } })) })),
      ['write-resolver docker'],
    ],
    ['waits for the server', routedMac(serving({ server: { state: 'starting' } })), []],
    [
      'stays while the next server starts',
      routedMac(serving({ server: { state: 'starting' }, folder: seen(ours) })),
      [],
    ],
    [
      'goes when the server cannot answer',
      routedMac(serving({ server: { state: 'failed', why: '' }, folder: seen(ours) })),
      ['remove-resolver docker'],
    ],
    [
      'of an earlier zone goes',
      routedMac(serving({ folder: seen(folder({ ours: { ...ours.ours, old: resolverText(299) } })) })),
      ['remove-resolver old'],
    ],
    [
      'of somebody else is left alone',
      routedMac(serving({ folder: seen(folder({ foreign: 'is a file that tuntapd has not made' })) })),
      [],
    ],
    [
      'goes where another file is for the zone, too',
      routedMac(serving({ folder: seen({ ...ours, foreign: '/etc/resolver/other is for docker, too' }) })),
      ['remove-resolver docker'],
    ],
    [
      'is not put into a folder of somebody else’s',
      routedMac(serving({ folder: seen(folder({ distrust: 'belongs to uid 501' })) })),
      [],
    ],
    [
      'stays in a folder that somebody has been given since, while it leads to the server',
      routedMac(serving({ folder: seen({ ...ours, distrust: 'belongs to uid 501' }) })),
      [],
    ],
    [
      'is taken out of such a folder when it leads there no longer',
      routedMac(
        serving({
          server: { state: 'serving', port: 298 },
          folder: seen({ ...ours, distrust: 'belongs to uid 501' }),
        }),
      ),
      ['remove-resolver docker'],
    ],
    [
      'is taken out of such a folder when no server answers',
      routedMac(
        serving({
          server: { state: 'failed', why: '' },
          folder: seen({ ...ours, distrust: 'belongs to uid 501' }),
        }),
      ),
      ['remove-resolver docker'],
    ],
    [
      'of a daemon that ended goes where the configuration cannot be read',
      {
        ...works,
        observation: { ...works.observation, configuration: { problem: 'line 1: ?', inForce: false } },
      },
      ['remove-resolver docker'],
    ],
    ['is not touched while the folder cannot be seen', routedMac(serving({ folder: unknown('?') })), []],
  ])('%s', (_what, world, steps) => {
    expect(stepsOf(world)).toEqual(steps);
  });

  test.each<Memory['wanted']>(['down', 'restored', 'removed'])('goes with %s, and first of all', (wanted) => {
    const memory = { ...works.memory, wanted };
    const all = plan(config, works.observation, memory);
    expect(stepsOf({ ...works, memory })).toEqual(['remove-resolver docker']);
    const at = all.findIndex(({ kind }) => kind === 'remove-resolver');
    expect(all[at]).toMatchObject({ withFolder: wanted === 'removed' });
    expect(all.findIndex(({ kind }) => kind === 'delete-route')).toBeGreaterThan(at);
  });

  test('goes when names are not managed', () => {
    expect(stepsOf(works, configSchema.parse({ names: { manage: false } }))).toEqual([
      'remove-resolver docker',
    ]);
  });

  test('has exactly what macOS reads, and is known again', () => {
    expect(resolverText(299)).toBe(
      '# Added by tuntapd, which takes it away when it cannot answer\nnameserver 127.0.0.1\nport 299\ntimeout 5\nflags a aaaa\n',
    );
    expect(isOurs(resolverText(294))).toBe(true);
    for (const other of [
      '',
      'nameserver 127.0.0.1\nport 299\n',
      `${resolverText(299)}search docker\n`,
      resolverText(299).replace('127.0.0.1', '127.0.0.2'),
      resolverText(299).replace('\n', '\r\n'),
      resolverText(53_535),
    ])
      expect(isOurs(other)).toBe(false);
  });
});

test('whatever is seen, the plan comes to an end, and nothing of anybody else’s is touched', () => {
  const text = fc.constantFrom(resolverText(299), resolverText(298));
  const anyFolder = fc.record<ResolverFolder>({
    exists: fc.boolean(),
    distrust: fc.constantFrom(null, null, 'belongs to uid 501, not to root'),
    foreign: fc.constantFrom(null, null, 'is a link'),
    ours: fc.dictionary(fc.constantFrom('docker', 'old', 'docker.test'), text),
  });
  const anyNames = fc.record<NamesObservation>({
    server: fc.oneof(
      fc.constantFrom<NamesObservation['server']>(
        { state: 'off' },
        { state: 'starting' },
        { state: 'failed', why: '' },
      ),
      fc.constantFrom(298, 299).map((port) => ({ state: 'serving' as const, port })),
    ),
    folder: anyFolder.map((each) => seen(each.foreign === null ? each : { ...each, ours: {} })),
    taken: fc.constantFrom(seen(null), seen({ isOffline: true }), unknown('?')),
  });
  fc.assert(
    fc.property(
      anyNames,
      fc.constantFrom<Memory['wanted']>('up', 'down', 'restored', 'removed'),
      (names, wanted) => {
        const world = routedMac(names);
        let now: World = { ...world, memory: { ...world.memory, wanted } };
        for (let round = 0; round < 3; round += 1)
          for (const step of plan(config, now.observation, now.memory))
            if (step.kind.endsWith('-resolver')) now = applied(now, step);
        if (stepsOf(now).length > 0) throw new Error('it does not end');
        const left = now.observation.names.folder;
        const mine = left.known ? Object.keys(left.value.ours) : [];
        if (wanted !== 'up' && mine.length > 0) throw new Error('a file is left behind');
        if (mine.some((name) => name !== 'docker')) throw new Error('an earlier zone is left behind');
      },
    ),
    { numRuns: 300 },
  );
});

describe('what is told', () => {
  const changed = (names: Partial<NamesObservation>): World =>
    routedMac(serving({ folder: seen(ours), ...names }));
  test.each<[World, string]>([
    [works, 'ready: True Answering: 1 name below docker'],
    [changed({ taken: seen({ isOffline: false }) }), 'ready: True NetworkNeeded: 1 name below docker, while'],
    [changed({ taken: seen(null) }), 'ready: False NotTaken: macOS does not ask the server for docker'],
    [changed({ taken: unknown('scutil hangs') }), 'ready: Unknown NotSeen: scutil hangs'],
    [changed({ server: { state: 'starting' } }), 'ready: False Starting: '],
    [changed({ server: { state: 'failed', why: 'no port' } }), 'ready: False NotServed: no port'],
    [
      changed({ folder: seen(folder({ foreign: '/etc/resolver/docker is a link' })) }),
      'ready: False FileForeign: /etc/resolver/docker is a link, and stays as it is',
    ],
    [
      changed({ folder: seen(folder({ distrust: 'belongs to uid 501, not to root' })) }),
      'ready: False FolderForeign: /etc/resolver belongs to uid 501, not to root, so macOS is not told',
    ],
    [
      changed({ folder: seen({ ...ours, distrust: 'belongs to uid 501, not to root' }) }),
      'ready: False FolderForeign: /etc/resolver belongs to uid 501, not to root, so somebody else decides',
    ],
    [changed({ folder: unknown('?') }), 'ready: Unknown NotSeen: ?'],
    [
      routedMac(serving({ folder: seen(ours) }), [
        web,
        {
          ...web,
          id: 'c2',
          name: 'WEB',
          endpoints: web.endpoints.map((each) => ({ ...each, ipv4: '172.17.0.3' })),
        },
      ]),
      'ready: True Ambiguous: 1 name below docker; web.docker is container WEB, and not container web',
    ],
    [{ ...works, memory: { ...works.memory, wanted: 'down' } }, 'down: False Down: '],
  ])('case %#', (world, text) => {
    expect(told(world)).toContain(text);
  });

  test('names that are not managed', () => {
    expect(told(works, configSchema.parse({ names: { manage: false } }))).toContain('True NotManaged');
  });
});
