/** VPNs that take the link's network because it has an address: what is done, how often, and what is told. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Observation, type Route, seen, unknown } from '../../../daemon/core/observation.js';
import { followTable, forgive, noTableHistory } from '../../../daemon/runtime/route-keeper.js';
import { toldRoutes } from '../../../daemon/core/routes/routes.js';
import { isRowOf } from '../../../daemon/core/routes/table.js';
import { applied, config, lan, network, route, startedMac, up, withTap, type World } from './worlds.js';
import type { Memory } from '../../../daemon/core/memory.js';
import { judgeConditions, judgeRoutes, judged, linkKind, lookAt, plan, probeTargetOf } from './judged.js';

const linkNetwork = '10.0.75.0/30';
const bridge = network('bridge', '172.17.0.0/16');
const row = (destination: string, gateway: string, name: string, flags: string): Route =>
  route({ destination, gateway, interface: name, flags });
const taken = row(linkNetwork, 'link#24', 'utun6', 'UCS');
const quad100 = row('100.100.100.100/32', 'link#24', 'utun6', 'UCS');

/** A Mac on which everything is set up. */
function settled(): World {
  let world: World = { observation: startedMac([bridge]), memory: up };
  for (let round = 0; round < 4; round += 1)
    for (const step of plan(config, world.observation, world.memory)) world = applied(world, step);
  expect(plan(config, world.observation, world.memory)).toEqual([]);
  return world;
}

const tableOf = ({ routes }: Observation): readonly Route[] => (routes.known ? routes.value : []);
const withTable = (observation: Observation, table: readonly Route[]): Observation => ({
  ...observation,
  routes: seen(table),
});
const withoutLink = (observation: Observation): readonly Route[] =>
  tableOf(observation).filter((each) => !isRowOf(linkNetwork, each));
const kindsOf = (observation: Observation, memory: Memory): string[] =>
  plan(config, observation, memory).map(({ kind }) => kind);
const told = (observation: Observation, memory: Memory, type = 'TapAddress') =>
  judgeConditions(config, observation, memory, []).findings.find((each) => each.type === type);

describe('the link is up with both facts only', () => {
  const world = settled();
  const { observation, memory } = world;
  const without = withoutLink(observation);

  test.each<[string, Observation, string]>([
    ['address and row', observation, 'up'],
    ['the address, and its row nowhere', withTable(observation, without), 'lacks row'],
    ['the address, and its row a VPN’s', withTable(observation, [...without, taken]), 'lacks network'],
    [
      'the address, and the row through a router',
      withTable(observation, [...without, row(linkNetwork, '192.168.1.1', 'en0', 'UGSc')]),
      'lacks network',
    ],
    [
      'a scoped row alone',
      withTable(observation, [...without, row(linkNetwork, 'link#14', 'tap1', 'UCSI')]),
      'lacks row',
    ],
    [
      'a row that was given back by hand',
      withTable(observation, [...without, row(linkNetwork, 'tap1', 'tap1', 'USc')]),
      'up',
    ],
    ['the address, and the table unknown', { ...observation, routes: unknown('netstat hangs') }, 'unknown'],
    ['the tap unknown', withTap(observation, { interface: unknown('ifconfig hangs') }), 'unknown'],
    ['the row, and the tap bare', startedMac([bridge]), 'lacks address'],
    ['no tap', withTap(observation, { interface: seen(null) }), 'absent'],
  ])('%s', (_name, seenNow, kind) => {
    expect(linkKind(config, seenNow)).toBe(kind);
    expect(told(seenNow, memory)?.status).toBe(
      kind === 'up' ? 'True' : kind === 'unknown' ? 'Unknown' : 'False',
    );
    expect(probeTargetOf(config, seenNow, memory) !== null).toBe(kind === 'up');
    if (kind !== 'up') expect(kindsOf(seenNow, memory)).not.toContain('add-route');
  });

  test('a row that is lost is put back, and no route is bound elsewhere meanwhile', () => {
    const bare = without.filter(({ interface: name }) => name !== 'tap1');
    let lost: World = {
      observation: withTable(observation, bare),
      memory: { ...memory, ownedRoutes: [] },
    };
    expect(kindsOf(lost.observation, lost.memory)).toEqual(['address-tap']);
    for (let round = 0; round < 3; round += 1)
      for (const step of plan(config, lost.observation, lost.memory)) lost = applied(lost, step);
    expect(linkKind(config, lost.observation)).toBe('up');
    expect(
      tableOf(lost.observation).find(({ destination }) => destination.text === '172.17.0.0/16'),
    ).toMatchObject({
      interface: 'tap1',
    });
  });

  test('nothing is undone, and nobody accused, while the table cannot be read', () => {
    const blind = { ...observation, routes: unknown('netstat hangs') };
    expect(kindsOf(blind, memory)).toEqual([]);
    expect(told(blind, memory, 'DataPath')).toMatchObject({ status: 'Unknown' });
    expect(followTable(noTableHistory, { ...lookAt(config, blind), memory, now: 5 })).toBeNull();
  });
});

describe('routes that wait for a link', () => {
  const { observation } = settled();
  const bare = (...rows: readonly Route[]): Observation => withTable(startedMac([bridge]), [...lan, ...rows]);
  const yielded: Memory = { ...up, link: { ...up.link, held: { state: 'yielded', losses: 4 } } };
  const isTaken: Memory = { ...up, link: { ...up.link, isTaken: true } };

  test.each<[string, Observation, Memory, RegExp]>([
    ['that is to come', bare(), up, /not in the routing table yet/],
    [
      'whose row a VPN has taken',
      withTable(observation, [...lan, taken]),
      up,
      /held back.*10\.0\.75\.0\/30.*somebody else’s/,
    ],
    ['that has given way to one', bare(taken), isTaken, /held back.*somebody else’s/],
    [
      'whose network another has',
      bare(row('10.0.75.0/24', 'link#24', 'utun6', 'UCS')),
      up,
      /somebody else’s/,
    ],
    ['that is taken away again and again', bare(), yielded, /held back.*keeps taking/],
  ])('%s are told as what they are', (_what, now, memory, why) => {
    expect(toldRoutes(judged(config, now, memory))).toEqual([
      {
        subnet: '172.17.0.0/16',
        network: 'bridge',
        state: 'pending',
        why: expect.stringMatching(why) as unknown,
      },
    ]);
    const isHeldBack = why.source !== 'not in the routing table yet';
    const { reason = '', message = '' } = told(now, memory, 'Routes') ?? {};
    expect(reason).toBe('Pending');
    expect(message.includes('not routed yet')).toBe(!isHeldBack);
    if (isHeldBack) expect(message).toMatch(why);
  });

  test('that leads there are told as ever', () => {
    const { memory } = settled();
    expect(toldRoutes(judged(config, observation, memory))).toEqual(judgeRoutes(config, observation, memory));
    expect(toldRoutes(judged(config, observation, memory))).toMatchObject([{ state: 'routed' }]);
  });
});

describe('a VPN that takes every local network', () => {
  const { observation, memory } = settled();
  const withRows = (...rows: readonly Route[]): Observation =>
    withTable(observation, [...withoutLink(observation), ...rows]);

  test('is told as that: neither the address goes nor is the pair to be moved; routes that lead nowhere go', () => {
    const now = withRows(taken);
    expect(kindsOf(now, memory)).toEqual(['delete-route']);
    const { phase } = judgeConditions(config, now, memory, []);
    expect(phase).toBe('blocked');
    const { reason, message } = told(now, memory) ?? {};
    expect(reason).toBe('LinkTaken');
    expect(message).toContain(
      'a VPN on this Mac takes every local network (exit node without LAN access): 10.0.75.0/30',
    );
    expect(message).toContain('utun6');
    expect(message).not.toContain('config set');
  });

  test.each<[string, readonly Route[], RegExp]>([
    [
      'Tailscale’s setting',
      [taken, quad100],
      /utun6 \(Tailscale\).*tailscale set --exit-node-allow-lan-access/,
    ],
    [
      'no setting of Tailscale’s where another VPN has taken it',
      [taken, { ...quad100, interface: 'utun3' }],
      /leads to utun6\. .* Allow access to local networks in its settings/,
    ],
    [
      'that Tailscale’s setting does not help where it is on',
      [row(linkNetwork, '192.168.1.1', 'en0', 'UGSc'), quad100],
      /192\.168\.1\.1 on en0.*is on.*use no exit node/,
    ],
    [
      'how a row is taken away that a VPN left behind',
      [row(linkNetwork, '192.168.1.1', 'en0', 'UGSc')],
      /sudo route -n delete -net 10\.0\.75\.0\/30/,
    ],
  ])('names %s', (_name, rows, words) => {
    expect(told(withRows(...rows), memory)?.message).toMatch(words);
  });

  test('has it still when a new VM comes: the pair is not to be moved then either', () => {
    const history = followTable(noTableHistory, {
      ...lookAt(config, withRows(taken)),
      memory,
      now: 1,
    });
    if (!history) throw new Error('not seen');
    const fresh = { ...startedMac([bridge]), routes: seen([...lan, taken]) };
    const next = followTable(forgive(history.history), { ...lookAt(config, fresh), memory, now: 2 });
    if (!next) throw new Error('not seen');
    const remembered = { ...memory, ...next.change };
    expect(told(fresh, remembered)).toMatchObject({ reason: 'LinkTaken' });
    expect(kindsOf(fresh, remembered)).not.toContain('address-tap');
    // A row that was there first is somebody's network: there moving helps.
    expect(told(fresh, up)).toMatchObject({ reason: 'LinkCollision' });
  });

  test('a larger network that somebody claims besides still makes the link give way', () => {
    const now = withRows(taken, row('10.0.0.0/16', '10.80.0.1', 'utun4', 'UGSc'));
    expect(kindsOf(now, memory)).toContain('unaddress-tap');
  });
});

/**
 * What a VPN does whenever it sees the tap: `take` its row while it has an address and give it back after; `claim` a
 * network around it as long; `remove` the row.
 */
const follow = (habit: 'take' | 'claim' | 'remove', observation: Observation): Observation => {
  const tap = observation.tap.interface.known ? observation.tap.interface.value : null;
  const isAddressed = tap !== null && tap.addresses.length > 0;
  const around = row('10.0.75.0/24', 'link#24', 'utun6', 'UCS');
  const others = tableOf(observation).filter((each) => each.interface !== 'utun6');
  if (!isAddressed) return withTable(observation, others);
  if (habit === 'claim') return withTable(observation, [...others, around]);
  const rest = others.filter((each) => !isRowOf(linkNetwork, each));
  return withTable(observation, habit === 'take' ? [...rest, taken] : rest);
};

/** The VPN has ended: its rows are gone, and nobody has put the link's back. */
const ended = (observation: Observation): Observation =>
  withTable(
    observation,
    tableOf(observation).filter((each) => each.interface !== 'utun6'),
  );

/** A daemon that looks every so many ms, and at once when its steps changed something. */
function life(habit: 'take' | 'claim' | 'remove') {
  let world = settled();
  let history = noTableHistory;
  let now = 0;
  const done: string[] = [];
  let react: (observation: Observation) => Observation = (observation) => follow(habit, observation);
  const look = (): void => {
    for (let round = 0; round < 8; round += 1) {
      const followed = followTable(history, {
        ...lookAt(config, world.observation),
        memory: world.memory,
        now,
      });
      if (!followed) throw new Error('not seen');
      history = followed.history;
      world = { ...world, memory: { ...world.memory, ...followed.change } };
      const steps = plan(config, world.observation, world.memory);
      if (steps.length === 0) return;
      for (const step of steps) {
        world = applied(world, step);
        world = { ...world, observation: react(world.observation) };
        done.push(step.kind);
      }
    }
    throw new Error('the plan does not come to an end');
  };
  look();
  return {
    done,
    look,
    pass: (milliseconds: number, every: number): void => {
      for (const end = now + milliseconds; now < end; now += every) {
        world = { ...world, observation: react(world.observation) };
        look();
      }
    },
    end: (): void => {
      react = (observation) => observation;
      world = { ...world, observation: ended(world.observation) };
    },
    askForIt: (): void => {
      history = forgive(history);
      world = { ...world, memory: { ...world.memory, link: { ...world.memory.link, held: null } } };
      look();
    },
    state: () => linkKind(config, world.observation),
    told: () => told(world.observation, world.memory),
    routes: () => world.memory.ownedRoutes.length,
  };
}

const helpers = new Set(['prepare-guest', 'release-guest']);

/** Attempts that the pauses allow: five within 7 s, then 10 s, 20 s … to 5 min, and one each 5 min. */
const maxAttempts = (milliseconds: number): number => 5 + 6 + Math.ceil(milliseconds / 300_000);

test.each(['take', 'claim', 'remove'] as const)(
  'a VPN with the habit to %s costs an hour no more attempts than the pauses allow, and when it ends all is well',
  (habit) => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 30_000 }), (every) => {
        const mac = life(habit);
        mac.pass(3_600_000, every);
        expect(mac.state()).not.toBe('up');
        const attempts = mac.done.filter((kind) => kind === 'address-tap').length;
        expect(attempts).toBeLessThanOrEqual(maxAttempts(3_600_000));
        expect(mac.done.filter((kind) => helpers.has(kind)).length).toBeLessThanOrEqual(2 * attempts + 2);
        if (habit === 'take') expect(mac.done.filter((kind) => helpers.has(kind))).toEqual([]);
        expect(mac.told()?.reason).toMatch(/^Link/);
        mac.end();
        mac.pass(600_000, every);
        expect([mac.state(), mac.routes()]).toEqual(['up', 1]);
      }),
      { numRuns: 8 },
    );
  },
);

test('who asks for the link has it tried at once, however often it was taken away', () => {
  const mac = life('remove');
  mac.pass(600_000, 1000);
  expect(mac.told()).toMatchObject({ reason: 'LinkYielded' });
  mac.end();
  mac.look();
  expect(mac.state()).toBe('lacks row');
  mac.askForIt();
  expect([mac.state(), mac.routes()]).toEqual(['up', 1]);
});

test('a row that is lost once is back at the same look', () => {
  const mac = life('remove');
  mac.end();
  mac.look();
  expect(mac.state()).toBe('up');
});

test('docker-mac-net-connect is named where its routes are in the way, with what ends it', () => {
  const { observation, memory } = settled();
  const theirs = [
    row('10.33.33.2/32', '10.33.33.1', 'utun3', 'UH'),
    row('172.18.0.0/16', 'utun3', 'utun3', 'USc'),
  ];
  const engine = observation.engine.known ? observation.engine.value : null;
  if (!engine) throw new Error('no engine');
  const now = {
    ...withTable(observation, [...tableOf(observation), ...theirs]),
    engine: seen({ ...engine, networks: [bridge, network('app', '172.18.0.0/16')] }),
  };
  expect(told(now, memory, 'Routes')?.message).toMatch(
    /172\.18\.0\.0\/16 on utun3 \(docker-mac-net-connect\).*brew services stop docker-mac-net-connect/,
  );
});
