/** What a person is told who asks for the link, for its end, or for the end of tuntapd: what is so, and nothing else. */
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { actionTimeout } from '../../../daemon/api/messages.js';
import type { ControlHandlers } from '../../../daemon/control/server.js';
import { type Observation, seen, unknown } from '../../../daemon/core/observation.js';
import { createReconciler } from '../../../daemon/runtime/reconciler.js';
import { createReporter } from '../../../daemon/runtime/reporter.js';
import { createHandlers } from '../../../daemon/runtime/requests.js';
import { type Step, StepError } from '../../../daemon/core/steps.js';
import { tap } from '../../../daemon/core/link/tap.js';
import {
  applied,
  bundle,
  bundlesOf,
  config,
  hyperkit,
  network,
  quietMac,
  route,
  startedMac,
  up,
  withTap,
} from './worlds.js';
import type { Memory } from '../../../daemon/core/memory.js';
import { judged, plan } from './judged.js';

const bridge = network('bridge', '172.17.0.0/16');

interface Stage extends ControlHandlers {
  readonly memory: () => Memory;
  readonly world: () => Observation;
  /** What was wanted, in turn. */
  readonly wishes: readonly string[];
  readonly stop: () => Promise<void>;
}

/** A Mac that changes as the steps say, but for those that `refuse` knows an error for. */
function stage(
  start: Observation,
  options: {
    refuse?: (step: Step) => Error | null;
    look?: () => void;
    memory?: Memory;
    forgetContext?: () => void;
  } = {},
): Stage {
  const { refuse = () => null, look = () => undefined } = options;
  let world = { observation: start, memory: options.memory ?? up };
  const reporter = createReporter({
    maker: tap,
    pid: 1,
    log: () => undefined,
    now: () => performance.now(),
  });
  const wishes: string[] = [];
  const reconciler = createReconciler<Observation>({
    observe: () => {
      look();
      const session = world.memory.guest?.session ?? null;
      const dataPath = { session, state: 'alive', detail: '172.17.0.2 answered', generation: 0 } as const;
      return Promise.resolve({ ...world.observation, dataPath });
    },
    plan: (observation) => plan(config, observation, world.memory),
    apply: (step) => {
      const error = refuse(step);
      if (error) return Promise.reject(error);
      world = applied(world, step);
      return Promise.resolve();
    },
    report: (observation, left, pass) => {
      reporter.report(judged(config, observation, world.memory), left, pass);
    },
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
  const remember = (part: Partial<Memory>): Promise<void> => {
    world = { ...world, memory: { ...world.memory, ...part } };
    return Promise.resolve();
  };
  const handlers = createHandlers({
    memory: {
      now: () => world.memory,
      wish: (part) => {
        if (part.wanted !== undefined) wishes.push(part.wanted);
        return remember(part);
      },
      record: remember,
      learn: remember,
    },
    configuration: () => world.observation.configuration,
    routes: { forget: () => Promise.resolve() },
    engine: { startOver: () => undefined },
    reconciler,
    status: reporter.status,
    follow: () => () => undefined,
    metrics: () => '',
    failures: reporter.failures,
    bundles: { lookAnew: () => undefined },
    contexts: { lookAnew: options.forgetContext ?? (() => undefined) },
    names: { lookAnew: () => undefined },
    pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  });
  return {
    ...handlers,
    memory: () => world.memory,
    world: () => world.observation,
    wishes,
    stop: reconciler.stop,
  };
}

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** What is answered, however long it takes by the clock. */
async function told<T>(answer: Promise<T> | T): Promise<T> {
  await jest.advanceTimersByTimeAsync(150_000);
  return answer;
}

test('a Mac that can be as it was asked to be: done', async () => {
  const mac = stage(startedMac([bridge]));
  expect(await told(mac.up())).toEqual({ done: true, problems: [] });
  expect(await told(mac.down())).toEqual({ done: true, problems: [] });
  expect(mac.world().tap.interface).toMatchObject({ value: { addresses: [] } });
  expect(await told(mac.restart())).toEqual({ done: true, problems: [] });
  expect(mac.world().tap.interface).toMatchObject({ value: { addresses: [{ address: '10.0.75.1' }] } });
});

test('up has docker’s context read anew, and down does not', async () => {
  const start = startedMac([bridge]);
  const now = { read: 'nothing', there: 'colima' };
  const mac = stage(start, { forgetContext: () => void (now.read = now.there) });
  await told(mac.down());
  expect(now.read).toBe('nothing');
  await told(mac.up());
  expect(now.read).toBe('colima');
});

test('up has the VM’s NIC looked for anew', async () => {
  const nics = { vm: '900@then', generation: 0, bridges: [], nics: [], neighbours: [] };
  const mac = stage(startedMac([bridge]), { memory: { ...up, nics } });
  await told(mac.up());
  expect(mac.memory().nics).toBeNull();
});

test.each(['up', 'down', 'restart', 'restore'] as const)(
  '%s with a configuration that was never in force: not done, and why; the wish is not kept',
  async (action) => {
    const problem = '/etc/tuntapd/config.toml: line 2: no such key';
    const mac = stage({ ...startedMac([bridge]), configuration: { problem, inForce: false } });
    const { done, problems } = await told(mac[action]());
    expect(done).toBe(false);
    expect(problems.join()).toContain(problem);
    expect(mac.wishes).toEqual([]);
  },
);

test('up without a tap kext: not done, with what to install', async () => {
  const mac = stage(withTap(quietMac, { device: seen(null), kext: seen({ state: 'absent', bundles: [] }) }));
  expect(await told(mac.up())).toEqual({
    done: false,
    problems: [expect.stringContaining('Install tuntaposx')],
  });
});

test('up while the VM is only starting: done, with what is waited for', async () => {
  const why = 'Docker Engine has not answered yet';
  const mac = stage({ ...startedMac([]), engine: unknown(why) });
  expect(await told(mac.up())).toEqual({ done: true, problems: [why] });
});

test('up where one network is somebody else’s: the link is up, and that network is named', async () => {
  const vpn = route({
    destination: '172.17.0.0/16',
    gateway: '10.80.0.1',
    flags: 'UGSc',
    interface: 'utun4',
  });
  const mac = stage(
    startedMac(
      [bridge, network('app', '172.18.0.0/16')],
      [...(quietMac.routes.known ? quietMac.routes.value : []), vpn],
    ),
  );
  expect(await told(mac.up())).toEqual({
    done: true,
    problems: [expect.stringContaining('172.17.0.0/16 (bridge): this Mac already has')],
  });
});

test('a restart whose lowering fails brings the link up again all the same, and nothing else is ever wanted', async () => {
  const refuse = (step: Step): Error | null =>
    step.kind === 'release-guest'
      ? new StepError('the engine refuses it', { condition: 'Guest', reason: 'AgentRefused', blocked: true })
      : null;
  const mac = stage(startedMac([bridge]), { refuse });
  await told(mac.up());
  expect(await told(mac.restart())).toEqual({ done: false, problems: ['the engine refuses it'] });
  expect(mac.wishes).toEqual(['up', 'up']);
  expect(mac.world().tap.interface).toMatchObject({ value: { addresses: [{ address: '10.0.75.1' }] } });
});

test('a restart whose lowering fails again and again answers in time', async () => {
  const refuse = (step: Step): Error | null => (step.kind === 'release-guest' ? new Error('busy') : null);
  const mac = stage(startedMac([bridge]), { refuse });
  await told(mac.up());
  let answer: object | null = null;
  void Promise.resolve(mac.restart()).then((outcome) => {
    answer = outcome;
  });
  await jest.advanceTimersByTimeAsync(actionTimeout);
  expect(answer).toEqual({ done: false, problems: ['busy'] });
  expect(mac.world().tap.interface).toMatchObject({ value: { addresses: [{ address: '10.0.75.1' }] } });
});

test.each([
  ['down', 'down'],
  ['leave', 'removed'],
  ['restore', 'restored'],
] as const)(
  '%s in the middle of a restart is what is wanted in the end, and is done',
  async (action, wanted) => {
    let isBusy = true;
    const refuse = (step: Step): Error | null =>
      step.kind === 'release-guest' && isBusy ? new Error('busy') : null;
    const mac = stage(startedMac([bridge]), { refuse });
    await told(mac.up());
    const restarted = mac.restart();
    await jest.advanceTimersByTimeAsync(2000);
    const asked = mac[action]();
    isBusy = false;
    expect(await told(asked)).toEqual({ done: true, problems: [] });
    expect(await restarted).toEqual({ done: false, problems: ['something else was asked for meanwhile'] });
    expect(mac.memory()).toMatchObject({ wanted, lowered: false });
    expect(mac.world().tap.interface).toMatchObject({ value: { addresses: [] } });
    expect(mac.world().bundles).toMatchObject({
      value: { withHyperkit: [{ target: { kind: wanted === 'down' ? 'shim' : 'mach-o' } }] },
    });
  },
);

test('up beside a file that is wrong, while the configuration before it is in force: done, and that is told', async () => {
  const problem = '/etc/tuntapd/config.toml: line 2: no such key';
  const mac = stage({ ...startedMac([bridge]), configuration: { problem, inForce: true } });
  expect(await told(mac.up())).toEqual({ done: true, problems: [expect.stringContaining(problem)] });
});

test('of a daemon that is ending nothing more is expected', async () => {
  const mac = stage(quietMac);
  await mac.stop();
  expect(await mac.up()).toEqual({
    done: false,
    problems: ['tuntapd is ending or starting anew: ask again'],
  });
});

test('a Mac that cannot be looked at is no Mac on which all is done', async () => {
  const look = (): void => {
    throw new Error('EMFILE: too many open files');
  };
  for (const action of ['up', 'down', 'leave'] as const) {
    const mac = stage(quietMac, { look });
    expect(await told(mac[action]())).toEqual({
      done: false,
      problems: ['this Mac could not be looked at: `tuntapctl logs` says why'],
    });
  }
});

test('up forgets the pauses of what failed once: while it waits, that is tried ever more rarely', async () => {
  let tries = 0;
  const refuse = (step: Step): Error | null => {
    if (step.kind !== 'prepare-guest') return null;
    tries += 1;
    return new Error('busy');
  };
  const mac = stage(startedMac([bridge]), { refuse });
  await told(mac.up());
  const before = tries;
  const asked = mac.up();
  await jest.advanceTimersByTimeAsync(500);
  expect(tries).toBe(before + 1);
  expect((await told(asked)).done).toBe(false);
  expect(tries - before).toBeLessThan(15);
});

test('up that is overtaken by down is not done', async () => {
  const refuse = (step: Step): Error | null => (step.kind === 'prepare-guest' ? new Error('busy') : null);
  const mac = stage(startedMac([bridge]), { refuse });
  const upped = mac.up();
  await jest.advanceTimersByTimeAsync(3000);
  const downed = mac.down();
  expect((await told(downed)).done).toBe(true);
  expect(await upped).toEqual({ done: false, problems: ['something else was asked for meanwhile'] });
});

test('to leave is done when hyperkit is given back, whatever else fails', async () => {
  const refuse = (step: Step): Error | null =>
    step.kind === 'release-guest' ? new Error('the VM is going') : null;
  expect(await told(stage(startedMac([bridge]), { refuse }).leave())).toEqual({
    done: true,
    problems: ['the VM is going'],
  });
});

test.each(['leave', 'restore'] as const)(
  '%s while hyperkit cannot be reached: not done, whether its bundle is refused or moved aside',
  async (action) => {
    const bundles = bundlesOf([], { outOfReach: [hyperkit] });
    const why = 'Docker.app is a symbolic link, which root does not follow';
    const mac = stage(
      { ...quietMac, bundles: seen(bundles) },
      { refuse: (step) => (step.kind === 'restore-hyperkit' ? new Error(why) : null) },
    );
    expect(await told(mac[action]())).toEqual({ done: false, problems: [why] });
  },
);

test('hyperkit as Docker shipped it is told only when it is', async () => {
  const refuse = (step: Step): Error | null =>
    step.kind === 'restore-hyperkit'
      ? new StepError('operation not permitted', {
          condition: 'Shim',
          reason: 'AppManagement',
          blocked: true,
        })
      : null;
  const mac = stage(quietMac, { refuse });
  expect(await told(mac.restore())).toEqual({ done: false, problems: ['operation not permitted'] });
  expect(mac.status()).toMatchObject({ phase: 'blocked' });
  const other = stage({
    ...quietMac,
    bundles: seen(bundlesOf([bundle('mach-o', 'missing')])),
  });
  expect(await told(other.restore())).toEqual({ done: true, problems: [] });
  expect(other.status()).toMatchObject({ phase: 'down' });
});
