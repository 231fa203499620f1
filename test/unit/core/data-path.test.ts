import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { pickContainers, type ProbeTarget } from '../../../daemon/core/probe.js';
import { type DataPathWatch, watchDataPath } from '../../../daemon/runtime/data-path.js';
import { type DataPath, type Observation, seen } from '../../../daemon/core/observation.js';
import { createClock } from '../../lib/clock.js';
import { applied, config, network, startedMac, up, type World } from './worlds.js';
import { judgeConditions, plan, probeTargetOf } from './judged.js';

const target: ProbeTarget = {
  session: 's',
  listed: 1,
  generation: 0,
  macAddress: '10.0.75.1',
  vmAddress: '10.0.75.2',
  subnets: ['172.17.0.0/16'],
};

interface Room {
  readonly watch: DataPathWatch;
  /** What answers. */
  readonly alive: Set<string>;
  /** What runs in the VM; null: the engine does not tell. */
  running: string[] | null;
  readonly probed: string[];
  readonly asked: () => number;
  /** How often a repair was told of. */
  readonly repaired: () => number;
  /** Lets time pass, timers fire and promises settle. */
  readonly pass: (seconds: number) => Promise<void>;
}

/** Milliseconds that a connection takes which nobody accepts or refuses (`silence`), or which somebody does (`answer`). */
function room({ silence = 0, answer = 0 } = {}): Room {
  const clock = createClock();
  let asked = 0;
  let repairs = 0;
  const here: Omit<Room, 'watch'> = {
    alive: new Set(['10.0.75.2', '172.17.0.2']),
    running: ['172.17.0.2'],
    probed: [],
    asked: () => asked,
    repaired: () => repairs,
    pass: (seconds) => clock.pass(seconds * 1000),
  };
  const watch = watchDataPath({
    probe: (address) => {
      here.probed.push(address);
      const alive = here.alive.has(address);
      const result = { alive, said: alive ? 'ECONNREFUSED' : 'no answer' };
      const takes = alive ? answer : silence;
      if (takes === 0) return Promise.resolve(result);
      return new Promise((resolve) => {
        clock.setTimer(() => {
          resolve(result);
        }, takes);
      });
    },
    containers: () => {
      asked += 1;
      return result.running ? Promise.resolve(result.running) : Promise.reject(new Error('no answer'));
    },
    onChange: () => undefined,
    onRepair: () => {
      repairs += 1;
    },
    now: clock.now,
    setTimer: clock.setTimer,
  });
  const result = Object.assign(here, { watch });
  return result;
}

test('a way is checked at once, and is alive when a container answers or refuses', async () => {
  const { watch, pass } = room();
  expect(watch.snapshot().state).toBe('unchecked');
  watch.follow(target);
  await pass(0);
  expect(watch.snapshot()).toMatchObject({ state: 'alive', generation: 0 });
});

test('how long the fastest answer took is known with it', async () => {
  const { watch, pass } = room({ answer: 4 });
  watch.follow(target);
  await pass(1);
  expect(watch.snapshot()).toMatchObject({ state: 'alive', roundTrip: 4 });
});

test('idle with a container: one check a minute, and never a request to the engine', async () => {
  const { watch, pass, probed, asked } = room();
  watch.follow(target);
  await pass(1);
  const before = asked();
  probed.length = 0;
  await pass(600);
  expect(probed.filter((address) => address === '172.17.0.2')).toHaveLength(10);
  expect(asked()).toBe(before);
});

test('idle without a container: no traffic at all', async () => {
  const here = room();
  here.running = [];
  here.watch.follow(target);
  await here.pass(1);
  expect(here.watch.snapshot().state).toBe('alive');
  here.probed.length = 0;
  await here.pass(3600);
  expect(here.probed).toEqual([]);
});

test('one silence is not believed, two are; what was alive asks for a repair, ever more rarely', async () => {
  const { watch, alive, pass } = room();
  watch.follow(target);
  await pass(1);
  alive.delete('172.17.0.2');
  await pass(60);
  expect(watch.snapshot()).toMatchObject({ state: 'alive', generation: 0 });
  await pass(2);
  expect(watch.snapshot()).toMatchObject({ state: 'silent', generation: 1 });
  expect(watch.snapshot().detail).toContain('172.17.0.2: no answer');
  watch.follow({ ...target, generation: 1 });
  await pass(5);
  expect(watch.snapshot().generation).toBe(1);
  await pass(24 * 3600);
  expect(watch.snapshot().generation).toBeGreaterThan(10);
  expect(watch.snapshot().generation).toBeLessThan(40);
});

test('what has long been silent is tried again at once when the Mac woke', async () => {
  const { watch, alive, pass } = room();
  watch.follow(target);
  await pass(1);
  alive.delete('172.17.0.2');
  await pass(6 * 3600);
  const { generation } = watch.snapshot();
  watch.follow({ ...target, generation });
  watch.lookAnew();
  await pass(2);
  expect(watch.snapshot()).toMatchObject({ state: 'silent', generation: generation + 1 });
  await pass(20);
  expect(watch.snapshot().generation).toBe(generation + 1);
});

test('where all is well nothing is done anew for it', async () => {
  const { watch, pass, probed, repaired } = room();
  watch.follow(target);
  await pass(1);
  probed.length = 0;
  watch.lookAnew();
  await pass(30);
  expect([probed, repaired()]).toEqual([[], 0]);
});

test('a repair that helps ends it', async () => {
  const { watch, alive, pass } = room();
  watch.follow(target);
  await pass(1);
  alive.delete('172.17.0.2');
  await pass(70);
  alive.add('172.17.0.2');
  watch.follow({ ...target, generation: watch.snapshot().generation });
  await pass(1);
  expect(watch.snapshot()).toMatchObject({ state: 'alive', generation: 1 });
});

test('a container that was exchanged unheard is found with the repair, for which the engine is asked anew', async () => {
  const here = room();
  here.watch.follow(target);
  await here.pass(1);
  here.running = ['172.17.0.3'];
  here.alive.delete('172.17.0.2');
  here.alive.add('172.17.0.3');
  await here.pass(70);
  expect(here.watch.snapshot().state).toBe('silent');
  expect(here.repaired()).toBe(1);
  here.watch.follow({ ...target, listed: 2, generation: 1 });
  await here.pass(1);
  expect(here.watch.snapshot()).toMatchObject({ state: 'alive', detail: '172.17.0.3 answered' });
});

test('what never answered is said, and repaired once: it may have a firewall of its own', async () => {
  const { watch, alive, pass } = room();
  alive.delete('172.17.0.2');
  watch.follow(target);
  await pass(10);
  expect(watch.snapshot()).toMatchObject({ state: 'silent', generation: 1 });
  watch.follow({ ...target, generation: 1 });
  await pass(24 * 3600);
  expect(watch.snapshot()).toMatchObject({ state: 'silent', generation: 1 });
});

test('rules that went before any container was heard are made anew', async () => {
  const here = room();
  here.running = [];
  here.watch.follow(target);
  await here.pass(60);
  here.alive.delete('172.17.0.2');
  here.running = ['172.17.0.2'];
  here.watch.follow({ ...target, listed: 2 });
  await here.pass(5);
  expect(here.watch.snapshot()).toMatchObject({ state: 'silent', generation: 1 });
  here.alive.add('172.17.0.2');
  here.watch.follow({ ...target, listed: 2, generation: 1 });
  await here.pass(1);
  expect(here.watch.snapshot().state).toBe('alive');
});

test('a new session does not wait for what the one before had repaired', async () => {
  const { watch, alive, pass } = room();
  watch.follow(target);
  await pass(1);
  alive.delete('172.17.0.2');
  await pass(70);
  alive.add('172.17.0.2');
  watch.follow({ ...target, session: 'next', generation: 1 });
  await pass(1);
  expect(watch.snapshot()).toMatchObject({ state: 'alive', generation: 1 });
  alive.delete('172.17.0.2');
  watch.follow({ ...target, session: 'next', listed: 2, generation: 1 });
  await pass(5);
  expect(watch.snapshot()).toMatchObject({ state: 'silent', generation: 2 });
});

test('whoever gets the address of a container that is gone is not taken for it', async () => {
  const here = room();
  here.watch.follow(target);
  await here.pass(1);
  here.running = [];
  here.watch.follow({ ...target, listed: 2 });
  await here.pass(2);
  here.alive.delete('172.17.0.2');
  here.running = ['172.17.0.2'];
  here.watch.follow({ ...target, listed: 3 });
  await here.pass(24 * 3600);
  // Once, as for anybody who never answered.
  expect(here.watch.snapshot()).toMatchObject({ state: 'silent', generation: 1 });
});

describe('beside a living network another one', () => {
  const both = { ...target, subnets: ['172.17.0.0/16', '172.18.0.0/16'] };

  test('that had answered and falls silent is told and repaired', async () => {
    const here = room();
    here.running = ['172.17.0.2', '172.18.0.2'];
    here.alive.add('172.18.0.2');
    here.watch.follow(both);
    await here.pass(1);
    here.alive.delete('172.18.0.2');
    await here.pass(62);
    expect(here.watch.snapshot()).toMatchObject({ state: 'silent', generation: 1 });
    expect(here.watch.snapshot().detail).toContain('172.18.0.2: no answer');
  });

  test('whose container is gone for good is none', async () => {
    const here = room();
    here.running = ['172.17.0.2', '172.18.0.2'];
    here.alive.add('172.18.0.2');
    here.watch.follow(both);
    await here.pass(1);
    here.alive.delete('172.18.0.2');
    here.running = ['172.17.0.2'];
    here.watch.follow({ ...both, listed: 2 });
    await here.pass(600);
    expect(here.watch.snapshot()).toMatchObject({ state: 'alive', generation: 0 });
  });

  test('that never answered says nothing', async () => {
    const here = room();
    here.running = ['172.17.0.2', '172.18.0.2'];
    here.watch.follow(both);
    await here.pass(600);
    expect(here.watch.snapshot()).toMatchObject({ state: 'alive', generation: 0 });
  });
});

test('a VM that keeps its own address to itself is no matter while a container answers', async () => {
  const { watch, alive, pass } = room();
  watch.follow(target);
  await pass(1);
  alive.delete('10.0.75.2');
  await pass(600);
  expect(watch.snapshot()).toMatchObject({ state: 'alive', generation: 0 });
});

test('a VM that has moved while nothing ran is missed, also where a container never answered', async () => {
  const here = room();
  here.alive.delete('172.17.0.2');
  here.watch.follow(target);
  await here.pass(10);
  expect(here.watch.snapshot()).toMatchObject({ state: 'silent', generation: 1 });
  here.running = [];
  here.watch.follow({ ...target, listed: 2, generation: 1 });
  await here.pass(60);
  here.alive.delete('10.0.75.2');
  here.running = ['172.17.0.3'];
  here.watch.follow({ ...target, listed: 3, generation: 1 });
  await here.pass(5);
  expect(here.watch.snapshot()).toMatchObject({ state: 'silent', generation: 2 });
});

test('what was heard in another session proves nothing', async () => {
  const { watch, alive, pass } = room();
  watch.follow(target);
  await pass(1);
  alive.clear();
  watch.follow({ ...target, session: 't' });
  expect(watch.snapshot().state).toBe('unchecked');
  await pass(3600);
  expect(watch.snapshot()).toMatchObject({ state: 'silent', generation: 1 });
});

test('a burst of changes is checked twice at the most, and the engine asked as often', async () => {
  const { watch, pass, asked } = room();
  for (let listed = 1; listed <= 100; listed += 1) {
    watch.follow({ ...target, listed });
    await pass(0.005);
  }
  await pass(2);
  expect(asked()).toBeLessThanOrEqual(2);
});

test('nothing is checked while the tables are not as they should be', async () => {
  const { watch, pass, probed } = room();
  watch.follow(target);
  watch.follow(null);
  await pass(600);
  expect(probed).toEqual([]);
});

test('tried are at most three containers in routed subnets, of each subnet one before others', () => {
  const subnets = ['172.17.0.0/16', '172.18.0.0/16'];
  expect(
    pickContainers(['192.168.1.5', '172.17.0.2', '172.17.0.3', '172.17.0.4', '172.18.0.9', 'x'], subnets),
  ).toEqual(['172.17.0.2', '172.18.0.9', '172.17.0.3']);
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.ipV4())), fc.array(fc.string()), (addresses, odd) => {
      const picked = pickContainers(addresses, [...odd, '10.0.0.0/8']);
      expect(picked.length).toBeLessThanOrEqual(3);
      for (const address of picked) expect(address).toMatch(/^10\./);
    }),
  );
});

function settled(): World {
  let world: World = { observation: startedMac([network('bridge', '172.17.0.0/16')]), memory: up };
  for (let round = 0; round < 5; round += 1)
    for (const step of plan(config, world.observation, world.memory)) world = applied(world, step);
  return world;
}

/** Heard in this world's own session, unless told. */
const withPath = ({ observation, memory }: World, dataPath: Partial<DataPath>): Observation => ({
  ...observation,
  dataPath: { ...observation.dataPath, session: memory.guest?.session ?? null, ...dataPath },
});

test('there is a way once link, guest and routes are there', () => {
  expect(probeTargetOf(config, startedMac([network('bridge', '172.17.0.0/16')]), up)).toBeNull();
  const { observation, memory } = settled();
  expect(probeTargetOf(config, observation, memory)).toMatchObject({
    vmAddress: '10.0.75.2',
    subnets: ['172.17.0.0/16'],
  });
  expect(probeTargetOf(config, observation, { ...memory, wanted: 'down' })).toBeNull();
  expect(probeTargetOf(config, { ...observation, engine: seen(null) }, memory)).toBeNull();
});

test('a repair that is due prepares the VM anew, once', () => {
  const world = settled();
  expect(plan(config, world.observation, world.memory)).toEqual([]);
  const observation = withPath(world, { state: 'silent', generation: 1 });
  const steps = plan(config, observation, world.memory);
  expect(steps).toMatchObject([{ kind: 'prepare-guest', generation: 1 }]);
  const [step] = steps;
  if (!step) throw new Error('no step');
  expect(plan(config, observation, applied({ ...world, observation }, step).memory)).toEqual([]);
});

test('an answer of another session is not told as one of this', () => {
  const world = settled();
  const { phase, findings } = judgeConditions(
    config,
    withPath(world, { session: '900@then#0', state: 'alive', detail: '172.17.0.2 answered' }),
    world.memory,
    [],
  );
  expect(findings).toContainEqual(
    expect.objectContaining({ type: 'DataPath', status: 'Unknown', message: 'not checked yet' }),
  );
  expect(phase).toBe('working');
});

test.each([
  ['unchecked', 'working'],
  ['alive', 'ready'],
  ['silent', 'degraded'],
] as const)('a way that is %s: %s', (state, phase) => {
  const world = settled();
  const judged = judgeConditions(
    config,
    withPath(world, { state, detail: '172.17.0.2: no answer' }),
    world.memory,
    [],
  );
  expect(judged.phase).toBe(phase);
  if (state === 'silent')
    expect(judged.findings.at(-1)).toMatchObject({
      reason: 'NothingAnswers',
      message: expect.stringContaining('172.17.0.2'),
    });
});

test('a way that is dead is told and repaired while containers come and go', async () => {
  const here = room({ silence: 3000 });
  here.watch.follow(target);
  await here.pass(60);
  here.alive.clear();
  for (let listed = 2; listed < 14; listed += 1) {
    here.watch.follow({ ...target, listed });
    await here.pass(2);
  }
  expect(here.watch.snapshot()).toMatchObject({ state: 'silent', generation: 1 });
});

test('containers that came during a check are tried too', async () => {
  const here = room({ silence: 3000 });
  here.alive.delete('10.0.75.2');
  here.watch.follow(target);
  await here.pass(1);
  here.running = ['172.17.0.2', '172.17.0.3'];
  here.alive.add('172.17.0.3');
  here.watch.follow({ ...target, listed: 2 });
  await here.pass(10);
  expect(here.probed).toContain('172.17.0.3');
});

test('an engine that did not tell its containers is asked again, ever more rarely', async () => {
  const here = room();
  here.running = null;
  here.watch.follow(target);
  await here.pass(7200);
  expect(here.asked()).toBeGreaterThan(4);
  expect(here.asked()).toBeLessThan(12);
  here.running = ['172.17.0.2'];
  await here.pass(3600);
  expect(here.watch.snapshot().detail).toBe('172.17.0.2 answered');
  const before = here.asked();
  await here.pass(3600);
  expect(here.asked()).toBe(before);
});
