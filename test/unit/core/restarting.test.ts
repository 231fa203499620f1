import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Config, configSchema } from '../../../config/schema.js';
import { claimedApps, usualApps } from '../../../daemon/core/learning.js';
import { type Bundle, type Observation, seen, unknown } from '../../../daemon/core/observation.js';
import { noRestart } from '../../../daemon/core/docker/restart-memory.js';
import type { Step } from '../../../daemon/core/steps.js';
import { pickDocker } from '../../../daemon/vm/processes.js';
import {
  applied,
  bundle,
  bundlesOf,
  config,
  lan,
  newTap,
  quietMac,
  route,
  startedMac,
  up,
  type World,
} from './worlds.js';
import type { Memory } from '../../../daemon/core/memory.js';
import { judgeConditions, judgeRestart, learn, plan } from './judged.js';

const app = '/Applications/Docker.app';
const began = Date.parse('2026-01-05T08:00:00.000Z');
const anHour = 3_600_000;
const aYear = 8760 * anHour;
const vm = (pid: number, at = began, startedWithTap = false) => ({
  id: `${pid}@${at}`,
  pid,
  uid: 501,
  startedAt: new Date(at).toISOString(),
  startedWithTap,
  tapIsForeign: false,
  executable: null,
});
const gui = {
  pid: 70,
  app,
  startedAt: new Date(began - 5000).toISOString(),
  gui: true,
  virtualization: false,
};
const bundles = (target: Bundle['target']['kind'], more: Partial<Bundle> = {}) =>
  bundlesOf([{ ...bundle(target, target === 'mach-o' ? 'missing' : 'mach-o'), ...more }]);

/** A VM that runs without our tap for 20 s, in which nothing runs that is the user's. */
const missed: Observation = {
  ...startedMac([]),
  at: began + 20_000,
  vm: seen(vm(900)),
  tap: { ...quietMac.tap, interface: seen(null) },
  docker: seen([gui]),
  userContainer: seen(null),
};
const tapWith = (change: Partial<Observation['tap']>): Pick<Observation, 'tap'> => ({
  tap: { ...missed.tap, ...change },
});
const ofVpn = route({ destination: '10.0.0.0/8', gateway: '10.80.0.1', flags: 'UGSc', interface: 'utun4' });
const withMode = (restartDocker: Config['restartDocker']): Config => configSchema.parse({ restartDocker });
const act = (observation: Observation, memory = up, mode: Config['restartDocker'] = 'auto') =>
  judgeRestart(withMode(mode), observation, memory).act;

describe('a VM without the tap', () => {
  const replacing = [{ app, why: 'an update', settlesIn: null }];
  const attempt = { vm: 'another', bundle: '1:42', failed: null };
  const table: readonly [string, string, Partial<Observation>, Partial<Memory>?][] = [
    ['nothing runs in it', 'restart', {}],
    ['a container has just begun', 'restart', { userContainer: seen({ name: 'web', seconds: 60 }) }],
    ['a container is at work', 'ask', { userContainer: seen({ name: 'web', seconds: 61 }) }],
    ['nobody knows what runs', 'ask', { userContainer: unknown('no answer') }],
    ['the engine has not answered yet', 'wait', { userContainer: null }],
    [
      'the engine never answers',
      'ask',
      { userContainer: null, engine: unknown('no answer', 'EngineSilent'), at: began + 180_000 },
    ],
    ['it is old and has not been asked yet', 'wait', { userContainer: null, at: began + 86_400_000 }],
    [
      'it is old and the engine has not answered us yet',
      'wait',
      { userContainer: null, engine: unknown('has not answered yet'), at: began + 86_400_000 },
    ],
    [
      'its Docker was restarted without success',
      'ask',
      {},
      { restart: { ...noRestart, attempts: [attempt] } },
    ],
    ['Docker’s own process is not seen', 'ask', { docker: seen([]) }],
    ['hyperkit has no shim', 'none', { bundles: seen(bundles('mach-o')) }],
    ['Docker is being replaced', 'none', { bundles: seen({ ...bundles('shim'), replacing }) }],
    [
      'the device is not ours',
      'none',
      tapWith({ device: seen({ path: '/dev/tap1', uid: 0, gid: 0, mode: 0o660 }) }),
    ],
    ['there is no device', 'none', tapWith({ device: seen(null) })],
    ['nobody knows who holds the tap', 'none', tapWith({ interface: unknown('ifconfig failed') })],
    ['somebody else holds the tap', 'none', tapWith({ interface: seen(newTap) })],
    ['it has just begun to open the tap', 'wait', { vm: seen(vm(900, began + 10_000, true)) }],
    ['it could not open the tap', 'restart', { vm: seen(vm(900, began, true)) }],
    [
      'it could not open the tap, and the clock was set back since',
      'restart',
      { vm: seen(vm(900, began, true)), at: began - aYear },
    ],
    [
      'the engine never answers, and the clock was set back since',
      'ask',
      { userContainer: null, engine: unknown('no answer', 'EngineSilent'), at: began - anHour },
    ],
    [
      'it begins to open the tap by a clock that is a moment ahead',
      'wait',
      { vm: seen(vm(900, began + 21_000, true)) },
    ],
    [
      'it holds the tap with a MAC that is not ours',
      'restart',
      {
        vm: seen({ ...vm(900, began, true), tapIsForeign: true }),
        ...tapWith({ interface: seen(newTap) }),
      },
    ],
    [
      'a VM with another MAC holds no tap, but somebody else does',
      'none',
      {
        vm: seen({ ...vm(901, began, true), tapIsForeign: true }),
        ...tapWith({ interface: seen(newTap) }),
      },
    ],
    ['the link’s network is somebody else’s', 'none', { routes: seen([...lan, ofVpn]) }],
    ['the link is to be down', 'none', {}, { wanted: 'down' }],
    [
      'Docker has already been quit for it',
      'none',
      {},
      { restart: { ...noRestart, reopen: { app, uid: 501, gui: 70, at: 0 } } },
    ],
  ];
  test.each(table)('when %s: %s', (_when, expected, observation, memory = {}) => {
    expect(act({ ...missed, ...observation }, { ...up, ...memory })).toBe(expected);
  });
  test('that comes while the link’s network is somebody else’s is told how the link is moved', () => {
    const observation = { ...missed, routes: seen([...lan, ofVpn]) };
    const { phase, findings } = judgeConditions(config, observation, up, []);
    expect(phase).toBe('blocked');
    expect(findings.at(-1)?.message).toContain('tuntapctl config set tap.address');
  });
  test('whose Docker we have quit is not told to be restarted', () => {
    const reopen = { app, uid: 501, gui: 70, at: began };
    const { phase, findings } = judgeConditions(
      config,
      missed,
      { ...up, restart: { ...noRestart, reopen } },
      [],
    );
    expect(phase).toBe('working');
    expect(findings.at(-1)).toMatchObject({
      reason: 'RestartPending',
      message: expect.stringContaining('tuntapd has asked Docker to quit'),
    });
  });
  test('ask only says so, never says nothing', () => {
    expect(act(missed, up, 'ask')).toBe('ask');
    expect(act(missed, up, 'never')).toBe('none');
  });
});

test('Docker is quit, gets its shim before it is opened again, and is opened once', () => {
  const stillSigned = seen(bundles('mach-o'));
  let world: World = { observation: missed, memory: up };
  const done: string[] = [];
  for (let round = 0; round < 6; round += 1)
    for (const step of plan(config, world.observation, world.memory)) {
      done.push(step.kind);
      world = applied(world, step);
      // Our own quit installs an update that Docker had staged.
      if (step.kind === 'quit-docker')
        world = { ...world, observation: { ...world.observation, bundles: stillSigned } };
    }
  expect(done).toEqual(['quit-docker', 'install-shim', 'open-docker']);
});

test('Docker is not opened into an update, and not for another user, but also when nothing else can be done', () => {
  const memory: Memory = { ...up, restart: { ...noRestart, reopen: { app, uid: 501, gui: 70, at: began } } };
  const kinds = (more: Partial<Observation>): string[] =>
    plan(config, { ...quietMac, at: began + 1000, ...more }, memory).map(({ kind }) => kind);
  const replacing = seen({ ...bundles('shim'), replacing: [{ app, why: 'an update', settlesIn: null }] });
  expect(kinds({})).toEqual(['open-docker']);
  expect(kinds({ bundles: replacing })).toEqual([]);
  expect(kinds({ bundles: replacing, at: began + 60_000 })).toEqual(['open-docker']);
  expect(kinds({ bundles: seen({ ...bundles('shim'), withHyperkit: [] }) })).toEqual([]);
  const refused = {
    ...bundles('shim'),
    withHyperkit: [],
    refused: [{ app, why: 'it belongs to several users' }],
  };
  expect(kinds({ bundles: seen(refused) })).toEqual(['open-docker']);
  expect(
    kinds({ consoleUser: seen({ name: 'other', uid: 502, gid: 20, home: '/Users/other' }) }),
  ).not.toContain('open-docker');
  expect(kinds({ docker: seen([gui]) })).toEqual([]);
  expect(
    plan(config, { ...quietMac, at: began }, { ...memory, wanted: 'down' }).map(({ kind }) => kind),
  ).toContain('open-docker');
});

test('whoever has to restart Docker is told once for a VM, and the status says it as long as it holds', () => {
  const observation = { ...missed, userContainer: seen({ name: 'web', seconds: 600 }) };
  const steps = plan(config, observation, up);
  expect(steps).toMatchObject([
    { kind: 'tell-user', text: expect.stringContaining('container web') as unknown },
  ]);
  const told: Memory = { ...up, restart: { ...noRestart, told: '900@' + String(began) } };
  expect(plan(config, observation, told)).toEqual([]);
  expect(plan(configSchema.parse({ notifications: false }), observation, up)).toEqual([]);
  const { phase, findings } = judgeConditions(config, observation, told, []);
  expect(phase).toBe('blocked');
  expect(findings).toContainEqual(expect.objectContaining({ type: 'TapAttached', reason: 'RestartNeeded' }));
});

describe('on macOS 13 and newer a new bundle is changed only after its first start', () => {
  const macos = seen({ major: 13, minor: 6 });
  const fresh = { ...quietMac, macos, bundles: seen(bundles('mach-o', { arrived: began })) };
  const kinds = (observation: Observation, memory = up): string[] =>
    plan(config, observation, memory).map(({ kind }) => kind);

  test('not before', () => {
    expect(kinds(fresh)).toEqual([]);
    expect(kinds({ ...fresh, macos: unknown('sw_vers failed') })).toEqual([]);
    expect(kinds({ ...fresh, macos: seen({ major: 12, minor: 7 }) })).toEqual(['install-shim']);
    const { phase, findings } = judgeConditions(config, fresh, up, []);
    expect(phase).toBe('working');
    expect(findings).toContainEqual(expect.objectContaining({ type: 'Shim', reason: 'NotLaunched' }));
  });

  test.each([
    ['a process of it', { startedAt: new Date(began + 1000).toISOString() }, true],
    ['a process of which macOS marked the bundle', { startedAt: new Date(began - 9000).toISOString() }, true],
    [
      'a process of the bundle that was there before',
      { startedAt: new Date(began - 60_000).toISOString() },
      false,
    ],
    ['a process of another bundle', { app: '/Applications/Other.app' }, false],
  ])('%s', (_what, process, launches) => {
    const observation = { ...fresh, docker: seen([{ ...gui, ...process }]) };
    const memory = { ...up, ...learn(config, observation, up) };
    expect(memory.launched).toEqual(launches ? ['1:42'] : []);
    expect(kinds(fresh, memory)).toEqual(launches ? ['install-shim'] : []);
  });

  test('one that is changed already is kept in order at once', () => {
    expect(kinds({ ...fresh, bundles: seen(bundles('outdated-shim')) })).toEqual(['install-shim']);
  });
});

test.each(['/Apps/Docker.app', '/Apps/Docker.app/', '/Apps/./Docker.app//'])(
  'a Docker.app that is configured as %s is one place',
  (written) => {
    const given = configSchema.parse({ docker: { app: written } });
    expect(usualApps(given, null)).toEqual(['/Apps/Docker.app', '/Applications/Docker.app']);
    const running = { ...gui, app: '/Apps/Docker.app' };
    expect(learn(given, { ...quietMac, docker: seen([running]) }, up).apps).toBeUndefined();
  },
);

test('a Docker.app in an unusual place is found by its processes and remembered', () => {
  const elsewhere = { ...gui, app: '/Applications/Developer/Docker.app' };
  const learnt = learn(config, { ...quietMac, docker: seen([elsewhere]) }, up);
  expect(learnt).toEqual({ apps: [elsewhere.app] });
  expect(learn(config, { ...quietMac, docker: seen([elsewhere]) }, { ...up, ...learnt })).toEqual({});
});

test('of thirty processes that say they are Docker’s four lead to a look, and four more are remembered', () => {
  const processes = Array.from({ length: 30 }, (_, index) => ({
    pid: 2000 + index,
    uid: 501,
    cmd: `/tmp/${index}/Docker.app/Contents/MacOS/Docker`,
    startTime: new Date(began + index),
  }));
  const user = { name: 'person', uid: 501, gid: 20, home: '/Users/person' };
  const docker = pickDocker(processes, user);
  expect(docker).toHaveLength(30);
  const running = docker.map((process) => process.app);
  const usual = usualApps(config, user);
  expect(claimedApps(usual, [], running)).toHaveLength(4);
  let memory = up;
  for (let look = 0; look < 5; look += 1)
    memory = { ...memory, ...learn(config, { ...quietMac, docker: seen(docker) }, memory) };
  // Four that are remembered, four that run.
  expect(claimedApps(usual, memory.apps, running).length).toBeLessThanOrEqual(8);
  // Somebody else's count for nothing.
  expect(pickDocker(processes, { ...user, uid: 502 })).toEqual([]);
});

test('a place where no Docker.app is or runs any more is forgotten, and not what nobody could look at', () => {
  const memory = { ...up, apps: ['/gone/Docker.app', '/hangs/Docker.app'] };
  const refused = [{ app: '/hangs/Docker.app', why: 'it does not answer', unseen: true }];
  expect(learn(config, { ...quietMac, bundles: seen(bundlesOf([], { refused })) }, memory).apps).toEqual([
    '/hangs/Docker.app',
  ]);
  expect(learn(config, { ...quietMac, bundles: unknown('not asked') }, memory).apps).toBeUndefined();
});

test('an owed opening is forgotten when somebody opens Docker, or after ten minutes', () => {
  const memory: Memory = { ...up, restart: { ...noRestart, reopen: { app, uid: 501, gui: 70, at: began } } };
  const learnt = (more: Partial<Observation>) =>
    learn(config, { ...quietMac, at: began + 1000, ...more }, memory).restart?.reopen;
  expect(learnt({ docker: seen([gui]) })).toBeUndefined();
  expect(learnt({ docker: seen([{ ...gui, pid: 71 }]) })).toBeNull();
  expect(learnt({ at: began + 600_001 })).toBeNull();
});

test.each([anHour, aYear])(
  'an owed opening is paid also when the clock was set back by %i ms, and forgotten ten minutes later at the latest',
  (jump) => {
    let memory: Memory = { ...up, restart: { ...noRestart, reopen: { app, uid: 501, gui: 70, at: began } } };
    const replacing = seen({ ...bundles('shim'), replacing: [{ app, why: 'an update', settlesIn: null }] });
    const kindsAt = (at: number, more: Partial<Observation>): string[] => {
      const observation = { ...quietMac, at, ...more };
      memory = { ...memory, ...learn(config, observation, memory) };
      return plan(config, observation, memory).map(({ kind }) => kind);
    };
    const back = began - jump;
    expect(kindsAt(back, {})).toEqual(['open-docker']);
    expect(kindsAt(back + 1000, { bundles: replacing })).toEqual([]);
    expect(kindsAt(back + 60_000, { bundles: replacing })).toEqual(['open-docker']);
    expect(kindsAt(back + 600_001, {})).toEqual([]);
    expect(memory.restart.reopen).toBeNull();
  },
);

/** What may come next in the life of a Mac. */
const events = fc.array(
  fc.oneof(
    fc.record({ event: fc.constant('vm'), attached: fc.boolean(), container: fc.option(fc.nat(120)) }),
    fc.record({ event: fc.constant('time'), seconds: fc.nat(400) }),
    fc.record({ event: fc.constant('clock set back'), seconds: fc.constantFrom(-3600, -31_536_000) }),
    fc.record({ event: fc.constant('daemon restarts') }),
  ),
  { maxLength: 30 },
);

test('in any life: no VM is quit twice, none at somebody’s work, and no two quits without a link between them', () => {
  fc.assert(
    fc.property(events, (life) => {
      let world: { observation: Observation; memory: Memory } = {
        observation: { ...missed, vm: seen(null), docker: seen([]) },
        memory: up,
      };
      const quits: string[] = [];
      let sinceLink = 0;
      let pid = 1000;
      for (const happens of life) {
        const { observation } = world;
        if (happens.event === 'vm' && 'attached' in happens) {
          pid += 1;
          const { attached, container } = happens;
          world.observation = {
            ...observation,
            vm: seen(vm(pid, observation.at)),
            docker: seen([{ ...gui, pid: pid + 10_000 }]),
            ...tapWith({ interface: seen(attached ? { ...newTap, holder: pid } : null) }),
            userContainer: seen(container === null ? null : { name: 'web', seconds: container }),
          };
          if (attached) sinceLink = 0;
        } else if ('seconds' in happens)
          world.observation = { ...observation, at: observation.at + happens.seconds * 1000 };
        else world.memory = { ...world.memory, guest: null, released: null };
        for (let round = 0; round < 3; round += 1) {
          world.memory = { ...world.memory, ...learn(config, world.observation, world.memory) };
          const steps: readonly Step[] = plan(config, world.observation, world.memory).filter(({ kind }) =>
            ['quit-docker', 'open-docker', 'tell-user'].includes(kind),
          );
          for (const step of steps) {
            if (step.kind === 'quit-docker') {
              expect(quits).not.toContain(step.vm.id);
              const container = world.observation.userContainer;
              expect(container?.known === true && (container.value?.seconds ?? 0) <= 60).toBe(true);
              expect(sinceLink).toBe(0);
              quits.push(step.vm.id);
              sinceLink += 1;
            }
            world = applied(world, step);
          }
        }
      }
    }),
    { numRuns: 1000 },
  );
});
