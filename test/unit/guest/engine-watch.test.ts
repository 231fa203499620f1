import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { type EngineWatch, watchEngine } from '../../../daemon/guest/engine-watch.js';
import type { Engine } from '../../../daemon/core/observation.js';
import { DialError } from '../../../daemon/guest/engine-socket.js';
import { listContainers } from '../../../daemon/guest/containers.js';
import { addressesOf } from '../../../daemon/core/probe.js';
import { connectEngine } from '../../../daemon/guest/engine-client.js';
import { fakeEngine, type FakeEngine, type FakeOptions } from './fake-engine.js';

const vm = {
  id: '9@then',
  pid: 9,
  uid: 501,
  startedAt: 'then',
  startedWithTap: true,
  tapIsForeign: false,
  executable: null,
};
let engine: FakeEngine;
let watch: EngineWatch;

afterEach(async () => {
  watch.stop();
  await engine.close();
});

async function until(holds: (engine: Engine) => boolean): Promise<Engine> {
  for (const end = Date.now() + 10_000; Date.now() < end;) {
    const snapshot = watch.snapshot();
    const value = snapshot.known ? snapshot.value : null;
    if (value && holds(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`not seen: ${JSON.stringify(watch.snapshot())}`);
}

let changes = 0;

function follow(find: Parameters<typeof watchEngine>[0]['find']): void {
  changes = 0;
  watch = watchEngine({
    find,
    vm,
    onChange: () => {
      changes += 1;
    },
    log: () => undefined,
  });
}

async function start(options: FakeOptions = {}): Promise<Engine> {
  engine = await fakeEngine(options);
  follow(() => Promise.resolve(engine.dial));
  return until(() => true);
}

const network = (Name: string, Subnet: string) => ({
  Id: Name,
  Name,
  Driver: 'bridge',
  IPAM: { Config: [{ Subnet }] },
});
const after = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

const event = (Type: string, Action: string, Attributes: object = {}, ID?: string): string =>
  `${JSON.stringify({ Type, Action, Actor: { ID, Attributes } })}\n`;

test('images that come and go, our own among them, are not heard of', async () => {
  const { session, listed } = await start();
  const before = engine.asked.length;
  engine.emit(event('image', 'load') + event('image', 'pull') + event('image', 'delete'));
  await after(200);
  expect(await until(() => true)).toMatchObject({ session, listed });
  expect(engine.asked.slice(before)).toEqual([]);
});

describe('containers', () => {
  test.each(['start', 'die'])('may be others when one says %s; no network is asked for', async (action) => {
    const { listed, session, networks } = await start();
    const before = engine.asked.length;
    engine.emit(event('container', action, { name: 'web', image: 'nginx' }, 'c9'));
    expect(await until((now) => now.listed > listed)).toMatchObject({ session, networks });
    expect(engine.asked.slice(before)).toEqual([]);
  });

  test.each([
    ['that is our own helper', event('container', 'start', { 'io.github.tuntapd': 'helper' })],
    ['that is only looked into', event('container', 'exec_create: sh', { name: 'web' })],
    ['that is healthy', event('container', 'health_status: healthy', { name: 'web' })],
  ])('one %s tells nothing', async (_, said) => {
    const { listed } = await start();
    engine.emit(said);
    await after(200);
    expect((await until(() => true)).listed).toBe(listed);
  });
});

test('a line that makes no sense ends nothing', async () => {
  const { session, listed } = await start();
  engine.emit('<html>\n{"Type":7}\n' + event('container', 'start', { name: 'web' }, 'c9'));
  expect((await until((now) => now.listed > listed)).session).toBe(session);
});

test('a daemon that reloads its settings begins a new session, since its rules are new', async () => {
  const { session } = await start();
  engine.emit(event('daemon', 'reload'));
  await until((now) => now.session !== session);
});

describe('networks', () => {
  test.each(['create', 'connect', 'disconnect', 'destroy', 'update', 'remove', 'prune'])(
    'are listed anew when one says %s',
    async (action) => {
      await start();
      engine.networks = [network('later', '172.28.0.0/16')];
      engine.emit(event('network', action, { name: 'later', type: 'bridge' }));
      expect((await until(({ networks }) => networks.length === 1)).networks[0]?.name).toBe('later');
    },
  );

  test('are all listed anew when an overlay is used: of docker_gwbridge, which comes with it, nothing is told', async () => {
    await start();
    const overlay = { ...network('stack', '10.0.1.0/24'), Driver: 'overlay', Scope: 'swarm' };
    engine.networks = [overlay, network('docker_gwbridge', '172.18.0.0/16')];
    engine.emit(event('network', 'connect', { type: 'overlay' }, 'stack'));
    expect((await until(({ networks }) => networks.length > 0)).networks.map(({ name }) => name)).toEqual([
      'stack',
      'docker_gwbridge',
    ]);
  });

  test('are not when our helper, or anybody, joins the VM’s own network', async () => {
    const { listed } = await start();
    engine.emit(
      event('network', 'connect', { type: 'host' }) + event('network', 'disconnect', { type: 'null' }),
    );
    await after(200);
    expect((await until(() => true)).listed).toBe(listed);
  });

  test('among hundreds are asked for one by one when they come, change or go', async () => {
    const others = Array.from({ length: 500 }, (_, index) =>
      network(`n${index}`, `10.${index >> 8}.${index & 255}.0/24`),
    );
    engine = await fakeEngine();
    engine.networks = others;
    follow(() => Promise.resolve(engine.dial));
    await until(({ networks }) => networks.length === 500);
    const before = engine.asked.length;
    const tell = (action: string): void => {
      engine.emit(event('network', action, { type: 'bridge' }, 'later'));
    };
    engine.networks = [...others, network('later', '172.28.0.0/16')];
    tell('create');
    await until(({ networks }) => networks.length === 501);
    engine.networks = [...others, network('later', '172.29.0.0/16')];
    tell('update');
    expect(
      (await until(({ networks }) => networks[500]?.subnets[0]?.text !== '172.28.0.0/16')).networks[500]
        ?.subnets,
    ).toMatchObject([{ text: '172.29.0.0/16' }]);
    // Another one’s name begins with the id of the one that is gone.
    engine.networks = [...others, network('later-on', '172.28.0.0/16')];
    tell('destroy');
    expect((await until(({ networks }) => networks.length === 500)).networks.map(({ name }) => name)).toEqual(
      others.map(({ Name }) => Name),
    );
    expect(engine.asked.slice(before)).toEqual(Array.from({ length: 3 }, () => 'GET /v1.51/networks/later'));
  });

  test('that make no sense count against nobody else', async () => {
    const odd = {
      labels: { ...network('labels', '10.1.0.0/24'), Labels: { x: 1 } },
      inside: { ...network('inside', '10.2.0.0/24'), Internal: 'no' },
      addresses: { ...network('addresses', '10.3.0.0/24'), IPAM: { Config: 'all' } },
    };
    engine = await fakeEngine();
    engine.networks = [...Object.values(odd), { Id: 5 }, 'x' as never, network('good', '172.28.0.0/16')];
    follow(() => Promise.resolve(engine.dial));
    const { networks } = await until((now) => now.networks.length > 0);
    expect(networks).toMatchObject([
      { name: 'labels', labels: {}, subnets: [{ text: '10.1.0.0/24' }] },
      { name: 'inside', internal: true },
      { name: 'addresses', subnets: [] },
      { name: 'good', subnets: [{ text: '172.28.0.0/16' }] },
    ]);
  });

  test('that many things happened to at once are listed', async () => {
    await start({ slowness: () => 20 });
    engine.networks = Array.from({ length: 40 }, (_, index) => network(`n${index}`, `10.0.${index}.0/24`));
    const before = engine.asked.length;
    for (let index = 0; index < 40; index += 1) engine.emit(event('network', 'create', {}, `n${index}`));
    await until(({ networks }) => networks.length === 40);
    expect(engine.asked.slice(before)).toContain('GET /v1.51/networks');
    expect(engine.asked.length - before).toBeLessThan(20);
  });

  test('of a thousand events are listed a few times, the last of them after the last event', async () => {
    await start({ slowness: () => 20 });
    const before = engine.asked.length;
    for (let index = 0; index < 1000; index += 1) {
      engine.networks = [...engine.networks, network(`n${index}`, `10.${index >> 8}.${index & 255}.0/24`)];
      engine.emit(event('network', 'create', { type: 'bridge' }));
      if (index % 100 === 0) await after(5);
    }
    await until(({ networks }) => networks.length === 1000);
    expect(engine.asked.length - before).toBeLessThan(20);
  });

  test('that were asked for earlier never replace those asked for later', async () => {
    const waits = [0, 300, 0];
    await start({ slowness: () => waits.shift() ?? 0 });
    engine.networks = [network('old', '172.20.0.0/16')];
    engine.emit(event('network', 'create'));
    await after(100);
    engine.networks = [network('new', '172.21.0.0/16')];
    engine.emit(event('network', 'create'));
    await after(800);
    expect((await until(() => true)).networks.map(({ name }) => name)).toEqual(['new']);
  });
});

describe('a network that is not listed', () => {
  const both = [network('bridge', '172.17.0.0/16'), network('app', '172.28.0.0/16')];
  const [bridge] = both;
  const startWith = async (options: FakeOptions = {}): Promise<void> => {
    engine = await fakeEngine(options);
    engine.networks = both;
    follow(() => Promise.resolve(engine.dial));
    await until(({ networks }) => networks.length === 2);
  };
  const isSure = ({ isProvisional }: Engine): boolean => isProvisional !== true;
  const lists = (): number => engine.asked.filter((said) => said.endsWith('/networks')).length;

  test('by the first list of a session may be there all the same, until a second one has been heard', async () => {
    await startWith();
    const { listed, isProvisional } = await until(() => true);
    expect(isProvisional).toBe(true);
    const settled = await until(isSure);
    // The same list tells of no other containers, and after it nobody asks any more.
    expect(settled.listed).toBe(listed);
    await after(4000);
    expect(lists()).toBe(2);
  });

  test('is looked for again, and what starts while the engine is slow is heard of all the same', async () => {
    const waits = [0, 1500, 0];
    await startWith({ slowness: () => waits.shift() ?? 0 });
    const { listed } = await until(() => true);
    await after(2000);
    engine.emit(event('network', 'create'));
    await after(1200);
    engine.emit(event('container', 'start', { name: 'web' }, 'c9'));
    expect((await until(isSure)).listed).toBe(listed + 2);
  });

  test('of whose end an event tells is gone at once', async () => {
    await startWith();
    await until(isSure);
    engine.networks = [bridge ?? {}];
    engine.emit(event('network', 'destroy', { type: 'bridge' }, 'app'));
    expect(isSure(await until(({ networks }) => networks.length === 1))).toBe(true);
    const before = engine.asked.length;
    await after(4000);
    expect(engine.asked).toHaveLength(before);
  });

  test.each([
    ['a 404 that makes none of it true', 'connect'],
    ['a list that is old', 'prune'],
  ])('because of %s is doubted, and back with the second look', async (_what, action) => {
    await startWith();
    await until(isSure);
    engine.networks = [bridge ?? {}];
    engine.emit(event('network', action, { type: 'bridge' }, action === 'prune' ? '' : 'app'));
    expect(isSure(await until(({ networks }) => networks.length === 1))).toBe(false);
    engine.networks = both;
    await until(({ networks }) => networks.length === 2);
    expect(isSure(await until(() => true))).toBe(true);
  });

  test('twice in a row is gone', async () => {
    await startWith();
    await until(isSure);
    engine.networks = [bridge ?? {}];
    engine.emit(event('network', 'prune'));
    expect(isSure(await until(({ networks }) => networks.length === 1))).toBe(false);
    expect(await until(isSure)).toMatchObject({ networks: [{ name: 'bridge' }] });
  });

  test('does not become certain by a look at another one', async () => {
    await startWith();
    await until(isSure);
    engine.networks = [];
    engine.emit(event('network', 'prune'));
    await until(({ networks }) => networks.length === 0);
    engine.networks = [network('new', '172.29.0.0/16')];
    engine.emit(event('network', 'create', { type: 'bridge' }, 'new'));
    expect(isSure(await until(({ networks }) => networks.length === 1))).toBe(false);
  });
});

test.each([
  ['nothing of which is a network', '[{"message":"still starting"},7]'],
  ['that is no list', '{}'],
  ['of nothing', ''],
])('an engine that answers with a list %s just after its start is unknown', async (_what, text) => {
  engine = await fakeEngine({ says: { 'GET /networks': text } });
  follow(() => Promise.resolve(engine.dial));
  await after(500);
  expect(watch.snapshot().known).toBe(false);
});

test('millions of entries that make no sense are refused at once, and hold nothing up', async () => {
  const many = `[${'1,'.repeat(4_000_000)}1]`;
  engine = await fakeEngine({ says: { 'GET /containers/json': many } });
  follow(() => Promise.resolve(engine.dial));
  await until(() => true);
  const began = performance.now();
  await expect(listContainers(await connectEngine(engine.dial))).rejects.toThrow(/makes no sense/);
  expect(performance.now() - began).toBeLessThan(10_000);
});

test('a container that makes no sense hides none of the others', async () => {
  const sane = {
    Id: 'c1',
    NetworkSettings: { Networks: { bridge: { IPAddress: '172.17.0.2' }, none: null } },
  };
  engine = await fakeEngine({ says: { 'GET /containers/json': JSON.stringify([1, {}, sane, null]) } });
  follow(() => Promise.resolve(engine.dial));
  expect(addressesOf(await listContainers(await connectEngine(engine.dial)))).toEqual(['172.17.0.2']);
});

test('a network that was made while the stream was opened is known, also when the Mac just woke', async () => {
  await start({ opening: 500 });
  engine.hangUp();
  await after(5300);
  watch.startOver();
  await after(100);
  engine.networks = [network('meanwhile', '172.20.0.0/16')];
  expect((await until(({ networks }) => networks.length === 1)).networks[0]?.name).toBe('meanwhile');
});

test('a stream that has gone deaf is opened anew when somebody asks, and what was known stays known', async () => {
  const { session, listed } = await start();
  engine.networks = [network('unheard', '172.20.0.0/16')];
  await after(100);
  watch.startOver();
  expect(watch.snapshot().known).toBe(true);
  const now = await until(({ networks }) => networks.length > 0);
  expect(now).toMatchObject({ session, networks: [{ name: 'unheard' }] });
  expect(now.listed).toBeGreaterThan(listed);
  engine.networks = [];
  engine.emit(event('network', 'destroy', { type: 'bridge' }, 'unheard'));
  await until(({ networks }) => networks.length === 0);
});

test('an engine that is gone when somebody asks is not known any more', async () => {
  await start();
  await engine.close();
  watch.startOver();
  for (const end = Date.now() + 10_000; watch.snapshot().known && Date.now() < end;) await after(20);
  expect(watch.snapshot().known).toBe(false);
  engine = await fakeEngine();
});

test('an engine that has been silent for long is dialled as soon as somebody asks', async () => {
  engine = await fakeEngine();
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  try {
    let dials = 0;
    follow(() => {
      dials += 1;
      return Promise.reject(new DialError('/x is left over', 'SocketStale'));
    });
    await jest.advanceTimersByTimeAsync(600_000);
    const before = dials;
    watch.startOver();
    await jest.advanceTimersByTimeAsync(1000);
    expect(dials).toBeGreaterThan(before);
  } finally {
    jest.useRealTimers();
  }
});

test('the event stream’s end is no error: the next session begins, but nobody knocks at a VM that is just going', async () => {
  const { session } = await start();
  const before = engine.asked.length;
  engine.hangUp();
  await after(500);
  // Also when something else would have it look at once.
  watch.startOver();
  await after(3500);
  expect(engine.asked).toHaveLength(before);
  expect((await until((now) => now.session !== session)).networks).toEqual([]);
});

describe('an engine that cannot be dialled', () => {
  const failing = async (error: Error, minutes: number): Promise<{ dials: number[]; said: object }> => {
    engine = await fakeEngine();
    const dials: number[] = [];
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    try {
      follow(() => {
        dials.push(Date.now());
        return Promise.reject(error);
      });
      await jest.advanceTimersByTimeAsync(minutes * 60_000);
      return { dials, said: watch.snapshot() };
    } finally {
      jest.useRealTimers();
    }
  };

  test('is dialled ten times a second while it may be starting, and then ever more rarely', async () => {
    const { dials } = await failing(new DialError('/x is left over', 'SocketStale'), 11);
    const [first = 0] = dials;
    expect(dials.filter((at) => at - first < 10_000)).toHaveLength(100);
    expect(dials.filter((at) => at - first > 300_000).length).toBeLessThan(15);
  });

  test.each([
    ['SocketMissing', 0.5, undefined],
    ['SocketMissing', 2, 'SocketMissing'],
    ['SocketStale', 2, 'SocketStale'],
    ['SocketForeign', 0.1, 'SocketForeign'],
  ] as const)('%s, after %f minutes: %s', async (reason, minutes, told) => {
    const { said } = await failing(new DialError('what was found', reason), minutes);
    expect(said).toMatchObject({ known: false, why: expect.stringContaining('what was found') });
    expect((said as { reason?: string }).reason).toBe(told);
    expect(changes).toBeLessThan(3);
  });
});

test('an engine that answers but does not tell its networks is told in its own words', async () => {
  engine = await fakeEngine({ says: { 'GET /networks': '{"message":"disk full"}' } });
  follow(() => Promise.resolve(engine.dial));
  const why = (): string => (watch.snapshot() as { why?: string }).why ?? '';
  for (const end = Date.now() + 10_000; !why().includes('makes no sense') && Date.now() < end;)
    await after(20);
  expect(why()).toContain('GET /networks makes no sense');
});

test('a proxy that hangs up at once, as Docker’s does while the VM starts, is dialled again', async () => {
  engine = await fakeEngine();
  const closed = async (): ReturnType<FakeEngine['dial']> => {
    const socket = await engine.dial();
    socket.on('error', () => undefined);
    socket.destroy();
    return socket;
  };
  let dials = 0;
  follow(() => {
    dials += 1;
    return Promise.resolve(dials < 3 ? closed : engine.dial);
  });
  await until(() => true);
});

describe('a hostile answer', () => {
  test.each([
    ['nested without end', '['.repeat(4_000_000)],
    ['of another shape', JSON.stringify(Array.from({ length: 100_000 }, () => ({ NetworkSettings: 7 })))],
    ['larger than 8 MiB', `["${'x'.repeat(9 * 1024 * 1024)}"]`],
    ['no JSON', '<html>\u202e'],
  ])('that is %s is refused in few words', async (_what, text) => {
    engine = await fakeEngine({ says: { 'GET /containers/json': text } });
    follow(() => Promise.reject(new Error('nobody looks for it')));
    const failure = await listContainers(await connectEngine(engine.dial)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    expect((failure as Error).message.length).toBeLessThan(500);
  });
});

test('containers’ addresses are taken from every network of theirs', async () => {
  const of = (...addresses: (string | undefined)[]) => ({
    Id: 'c1',
    NetworkSettings: {
      Networks: Object.fromEntries(addresses.map((IPAddress, index) => [index, { IPAddress }])),
    },
  });
  const text = JSON.stringify([
    of('172.17.0.2', '172.18.0.2'),
    of(undefined),
    { Id: 'c2', NetworkSettings: null },
  ]);
  engine = await fakeEngine({ says: { 'GET /containers/json': text } });
  expect(addressesOf(await listContainers(await connectEngine(engine.dial)))).toEqual([
    '172.17.0.2',
    '172.18.0.2',
  ]);
});
