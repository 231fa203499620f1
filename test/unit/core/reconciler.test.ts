import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createReconciler, type Reconciler } from '../../../daemon/runtime/reconciler.js';
import { StepError, type Step } from '../../../daemon/core/steps.js';
import type { Failure } from '../../../daemon/core/condition.js';
import { createClock } from '../../lib/clock.js';

const step = (subnet: string): Step => ({
  kind: 'add-route',
  key: subnet,
  why: 'wanted',
  subnet,
  gateway: '10.0.75.2',
  interface: 'tap1',
});

/** A world that is a set of routes, and a clock whose timers run when a test says so. */
function stage(wanted: string[]) {
  const routes = new Set<string>();
  const refuse = new Map<string, Error>();
  const reports: { failures: readonly Failure[]; routes: readonly string[] }[] = [];
  const clock = createClock();
  let looks = 0;
  let attempts = 0;
  let release = (): void => undefined;
  const on = {
    onApply: (): void => undefined,
    kind: 'add-route' as Step['kind'],
    /** Which step is not done before `release`. */
    hold: '',
    release: (): void => {
      release();
    },
  };
  const reconciler: Reconciler = createReconciler<ReadonlySet<string>>({
    observe: () => {
      looks += 1;
      return Promise.resolve(new Set(routes));
    },
    plan: (world) =>
      wanted.filter((subnet) => !world.has(subnet)).map((key) => ({ ...step(key), kind: on.kind }) as Step),
    apply: async (asked) => {
      attempts += 1;
      on.onApply();
      const error = refuse.get(asked.key);
      if (error) throw error;
      if (on.hold === asked.key)
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      routes.add(asked.key);
    },
    report: (world, failures) => reports.push({ failures, routes: [...world] }),
    log: () => undefined,
    now: clock.now,
    random: () => 0.5,
    pace: () => 60_000,
    setTimer: clock.setTimer,
  });
  return Object.assign(on, {
    reconciler,
    routes,
    refuse,
    reports,
    pass: clock.pass,
    looks: () => looks,
    attempts: () => attempts,
  });
}

test('a burst of a thousand triggers is one pass', async () => {
  const world = stage([]);
  for (let count = 0; count < 1000; count += 1) world.reconciler.trigger('burst');
  await world.pass(100);
  expect(world.reports).toHaveLength(1);
});

test('what is wanted comes about, and then nothing is done', async () => {
  const world = stage(['a', 'b']);
  world.reconciler.trigger('start');
  await world.pass(1000);
  expect([...world.routes]).toEqual(['a', 'b']);
  const before = world.attempts();
  await world.pass(600_000);
  expect(world.attempts()).toBe(before);
});

test('the VM’s inside is worked on while the routes are added', async () => {
  const guest: Step = {
    kind: 'prepare-guest',
    key: 'guest',
    why: 'new',
    session: 's',
    engineVersion: '28.5.2',
    nic: '02:74:75:6e:74:61',
    vmAddress: '10.0.75.2',
    prefix: 30,
    mtu: 1500,
    macAddress: '10.0.75.1',
    generation: 0,
  };
  const done: string[] = [];
  let tellRouted = (): void => undefined;
  const routed = new Promise<void>((resolve) => {
    tellRouted = resolve;
  });
  const reconciler = createReconciler<readonly string[]>({
    observe: () => Promise.resolve([...done]),
    plan: (seen) => [guest, step('a')].filter(({ key }) => !seen.includes(key)),
    // The VM takes until the routes are there: one after the other this would never end.
    apply: async ({ kind, key }) => {
      if (kind === 'prepare-guest') await routed;
      else tellRouted();
      done.push(key);
    },
    report: () => undefined,
    log: () => undefined,
    now: () => 0,
    random: () => 0.5,
    pace: () => 60_000,
    setTimer: (callback, milliseconds) => {
      if (milliseconds < 100 && done.length < 2) setImmediate(callback);
      return () => undefined;
    },
  });
  await reconciler.settled('start');
  expect(done).toEqual(['a', 'guest']);
  await reconciler.stop();
});

test('drift is healed at the resync without any trigger', async () => {
  const world = stage(['a']);
  world.reconciler.trigger('start');
  await world.pass(1000);
  world.routes.delete('a');
  await world.pass(61_000);
  expect([...world.routes]).toEqual(['a']);
});

test('a step that fails does not hold up the others, backs off, and succeeds in the end', async () => {
  const world = stage(['a', 'b']);
  world.refuse.set('a', new Error('busy'));
  world.reconciler.trigger('start');
  await world.pass(60_000);
  expect([...world.routes]).toEqual(['b']);
  expect(world.attempts()).toBeLessThan(15);
  expect(world.reports.at(-1)?.failures.map(({ message }) => message)).toEqual(['busy']);
  world.refuse.clear();
  await world.pass(120_000);
  expect([...world.routes].sort()).toEqual(['a', 'b']);
  expect(world.reports.at(-1)?.failures).toEqual([]);
});

test('a blocked step is said once and waits for a person', async () => {
  const world = stage(['a']);
  world.refuse.set(
    'a',
    new StepError('needs you', { condition: 'Guest', reason: 'HelperForbidden', blocked: true }),
  );
  world.reconciler.trigger('start');
  await world.pass(1_800_000);
  // A Mac wakes often, and macOS shows its user a notification for every attempt that it refuses.
  world.reconciler.trigger('the Mac woke', { retry: 'woke' });
  await world.pass(1000);
  expect(world.attempts()).toBe(1);
  await world.pass(1_800_000);
  expect(world.attempts()).toBe(2);
  world.refuse.clear();
  world.reconciler.trigger('a person asked', { retry: 'asked' });
  await world.pass(1000);
  expect([...world.routes]).toEqual(['a']);
});

test('a step whose attempts bother a person is tried once, also after a wake, until somebody asks', async () => {
  const world = stage(['a', 'b']);
  world.refuse.set(
    'a',
    new StepError('a dialog', {
      condition: 'TapDevice',
      reason: 'KextNotApproved',
      blocked: true,
      once: true,
    }),
  );
  world.refuse.set('b', new Error('busy'));
  world.reconciler.trigger('start');
  await world.pass(1000);
  world.refuse.delete('b');
  world.reconciler.trigger('the Mac woke', { retry: 'woke' });
  await world.pass(10_800_000);
  expect([...world.routes]).toEqual(['b']);
  expect(world.reports.at(-1)?.failures).toMatchObject([{ message: 'a dialog', blocked: true }]);
  const before = world.attempts();
  world.reconciler.trigger('a person asked', { retry: 'asked' });
  await world.pass(1000);
  expect(world.attempts()).toBe(before + 1);
});

test('settled waits for a pass that began after it was asked', async () => {
  const world = stage(['a']);
  const settled = world.reconciler.settled('asked');
  await world.pass(1000);
  await settled;
  expect([...world.routes]).toEqual(['a']);
});

test('a pass that is held up by a step is told of meanwhile, with what it has seen last', async () => {
  const world = stage(['a', 'b']);
  world.hold = 'b';
  world.reconciler.trigger('start');
  await world.pass(1000);
  expect(world.reports).toEqual([]);
  await world.pass(9000);
  expect(world.reports.length).toBeGreaterThan(1);
  // Both are added at once: nothing has been looked at since.
  expect(world.reports.at(-1)?.routes).toEqual([]);
  const before = world.reports.length;
  world.release();
  await world.pass(20_000);
  expect(world.reports).toHaveLength(before + 1);
  expect(world.reports.at(-1)?.routes).toEqual(['a', 'b']);
});

test('of a long pass the last look counts', async () => {
  const world = stage(['a', 'b']);
  world.kind = 'install-shim';
  world.hold = 'b';
  world.refuse.set('b', new Error('not before a is seen'));
  world.onApply = () => {
    if (world.looks() > 1) world.refuse.delete('b');
  };
  world.reconciler.trigger('start');
  await world.pass(10_000);
  expect(world.reports.at(-1)?.routes).toEqual(['a']);
  world.release();
  await world.pass(20_000);
  expect(world.reports.at(-1)?.routes).toEqual(['a', 'b']);
});

test('what costs somebody something at each attempt is tried ever more rarely', async () => {
  const attemptsOf = async (kind: Step['kind']): Promise<number> => {
    const world = stage(['a']);
    world.kind = kind;
    world.refuse.set('a', new Error('busy'));
    world.reconciler.trigger('start');
    await world.pass(24 * 3_600_000);
    return world.attempts();
  };
  expect(await attemptsOf('add-route')).toBeGreaterThan(1000);
  expect(await attemptsOf('prepare-guest')).toBeLessThan(50);
});

test('stopped is stopped', async () => {
  const world = stage(['a']);
  world.reconciler.trigger('start');
  const stopped = world.reconciler.stop();
  await world.pass(600_000);
  await stopped;
  expect(world.attempts()).toBe(0);
});

test('stopped while a step is at work it looks at nothing any more, and reports nothing', async () => {
  const world = stage(['a']);
  const stopped: Promise<void>[] = [];
  world.onApply = () => {
    stopped.push(world.reconciler.stop());
  };
  world.reconciler.trigger('start');
  await world.pass(1000);
  await Promise.all(stopped);
  expect(world.attempts()).toBe(1);
  expect(world.looks()).toBe(1);
  expect(world.reports).toEqual([]);
});

/** How often it is looked in four seconds in which something is heard every few milliseconds. */
async function looksOf(hear: (world: ReturnType<typeof stage>) => void): Promise<number> {
  const world = stage([]);
  for (let at = 0; at < 4000; at += 5) {
    hear(world);
    await world.pass(5);
  }
  return world.looks();
}

test('whoever has something heard all the time gets four looks a second, the last one after the last word', async () => {
  const world = stage([]);
  expect(
    await looksOf(({ reconciler }) => {
      reconciler.trigger('bundle');
    }),
  ).toBeLessThanOrEqual(17);
  world.reconciler.trigger('bundle');
  await world.pass(100);
  world.reconciler.trigger('bundle');
  await world.pass(100);
  expect(world.looks()).toBe(1);
  await world.pass(200);
  expect(world.looks()).toBe(2);
});

test.each<[string, (reconciler: Reconciler) => void]>([
  [
    'asks',
    (reconciler) => {
      reconciler.trigger('a person asked', { retry: 'asked' });
    },
  ],
  ['waits', (reconciler) => void reconciler.settled('a person asked')],
])('a person who %s does not wait for what others made heard', async (_what, ask) => {
  const world = stage([]);
  world.reconciler.trigger('bundle');
  await world.pass(60);
  world.reconciler.trigger('bundle');
  ask(world.reconciler);
  await world.pass(60);
  expect(world.looks()).toBe(2);
});

describe('while an engine does not answer', () => {
  const guest: Step = {
    kind: 'prepare-guest',
    key: 'guest s 0',
    why: 'new',
    session: 's',
    engineVersion: '28.5.2',
    nic: '02:74:75:6e:74:61',
    vmAddress: '10.0.75.2',
    prefix: 30,
    mtu: 1500,
    macAddress: '10.0.75.1',
    generation: 0,
  };
  const release: Step = {
    kind: 'release-guest',
    key: 'release s',
    why: 'down',
    session: 's',
    hasNic: true,
    nic: '02:74:75:6e:74:61',
    vmAddress: '10.0.75.2',
    prefix: 30,
  };
  const unaddress: Step = {
    kind: 'unaddress-tap',
    key: 'unaddress tap1',
    why: 'down',
    interface: 'tap1',
    macAddress: '10.0.75.1',
  };
  const deletion = (subnet: string): Step =>
    ({
      ...step(subnet),
      kind: 'delete-route',
      key: `delete ${subnet}`,
    }) as Step;

  /** A Mac with a route and an address whose engine hangs until it is given up, and a VPN that claims the route. */
  function hung({ addingTakes = 0 } = {}) {
    const mac = { routes: ['a'], addressed: true };
    /** Routes that are being added, and how many looks saw a table that lacked some of them. */
    const adding = { now: 0, looks: 0 };
    const wish = { down: false, claimed: [] as string[], networks: ['a'], key: 0 };
    const given: string[] = [];
    const reports: Failure[][] = [];
    const reconciler = createReconciler<typeof mac>({
      observe: () => {
        if (adding.now > 0) adding.looks += 1;
        return Promise.resolve({ ...mac, routes: [...mac.routes] });
      },
      plan: ({ routes, addressed }) =>
        wish.down
          ? [...routes.map(deletion), release, ...(addressed ? [unaddress] : [])]
          : [
              ...routes.filter((route) => wish.claimed.includes(route)).map(deletion),
              { ...guest, key: `guest s ${wish.key}` },
              ...wish.networks
                .filter((subnet) => !routes.includes(subnet) && !wish.claimed.includes(subnet))
                .map(step),
            ],
      apply: async (asked, signal) => {
        if (asked.kind === 'delete-route') mac.routes = mac.routes.filter((route) => route !== asked.subnet);
        else if (asked.kind === 'add-route') {
          adding.now += 1;
          if (addingTakes > 0) await new Promise((resolve) => setTimeout(resolve, addingTakes));
          mac.routes.push(asked.subnet);
          adding.now -= 1;
        } else if (asked.kind === 'unaddress-tap') mac.addressed = false;
        else
          await new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              given.push(asked.kind);
              reject(new Error('aborted'));
            });
          });
      },
      report: (_world, failures) => reports.push([...failures]),
      log: () => undefined,
      now: () => performance.now(),
      random: () => 0.5,
      pace: () => 60_000,
      setTimer: (callback, milliseconds) => {
        const timer = setTimeout(callback, milliseconds);
        return () => {
          clearTimeout(timer);
        };
      },
    });
    return { mac, adding, wish, given, reports, reconciler };
  }

  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('a VPN gets its range within two seconds, and a new network its route', async () => {
    const { mac, wish, given, reconciler } = hung();
    reconciler.trigger('start');
    await jest.advanceTimersByTimeAsync(5000);
    wish.claimed = ['a'];
    wish.networks = ['a', 'b'];
    reconciler.trigger('routing table');
    await jest.advanceTimersByTimeAsync(2000);
    expect(mac.routes).toEqual(['b']);
    expect(given).toEqual([]);
  });

  test('nothing is looked at while routes are added: of what is not there yet it would be thought that others took it', async () => {
    const { mac, adding, wish, reconciler } = hung({ addingTakes: 3000 });
    wish.networks = ['a', 'b', 'c'];
    reconciler.trigger('start');
    for (const pause of [100, 1000, 500, 1000, 2000]) {
      reconciler.trigger('routing table', pause < 1000 ? { retry: 'asked' } : {});
      await jest.advanceTimersByTimeAsync(pause);
    }
    expect(mac.routes).toEqual(['a', 'b', 'c']);
    expect(adding).toEqual({ now: 0, looks: 0 });
    // The engine still hangs, and what others do is seen.
    wish.claimed = ['b'];
    reconciler.trigger('routing table');
    await jest.advanceTimersByTimeAsync(2000);
    expect(mac.routes).toEqual(['a', 'c']);
  });

  test('another key of what is still wanted gives nothing up', async () => {
    const { wish, given, reconciler } = hung();
    reconciler.trigger('start');
    await jest.advanceTimersByTimeAsync(5000);
    wish.key = 1;
    reconciler.trigger('Docker');
    await jest.advanceTimersByTimeAsync(5000);
    expect(given).toEqual([]);
  });

  test('the link goes down at once when a person says so, though the VM cannot be released', async () => {
    const { mac, wish, given, reports, reconciler } = hung();
    reconciler.trigger('start');
    await jest.advanceTimersByTimeAsync(5000);
    wish.down = true;
    void reconciler.settled('a person asked');
    await jest.advanceTimersByTimeAsync(500);
    expect(mac).toEqual({ routes: [], addressed: false });
    expect(given).toEqual(['prepare-guest']);
    await jest.advanceTimersByTimeAsync(5000);
    // What is no longer wanted has not failed.
    expect(reports.at(-1)).toEqual([]);
  });
});
