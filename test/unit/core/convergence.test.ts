/**
 * A Mac that lives: VMs, networks, VPNs, people and kills in any order. Whatever happens, no step touches a route that
 * is not ours, nothing of anybody's is shadowed, and when it is quiet again the plan comes to its end.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Config, configSchema } from '../../../config/schema.js';
import { isIpv6, overlaps, parsePrefix } from '../../../daemon/lib/prefix.js';
import { isAboutIpv6 } from '../../../daemon/core/steps.js';
import {
  type DockerNetwork,
  type Observation,
  type Route,
  seen,
  unknown,
  valueOf,
} from '../../../daemon/core/observation.js';
import {
  followTable,
  forgive,
  noTableHistory,
  type TableHistory,
} from '../../../daemon/runtime/route-keeper.js';
import { isRowOf } from '../../../daemon/core/routes/table.js';
import {
  applied,
  config as defaults,
  lan,
  net,
  network,
  quietMac,
  resolversAt,
  route,
  startedMac,
  subnetsOf,
  up,
  withTap,
  type World,
} from './worlds.js';
import type { Memory } from '../../../daemon/core/memory.js';
import { isUp, judged, learn, linkCollision, linkKind, lookAt, plan } from './judged.js';
import { lan6, later, looked as lookedBy, tableOf6, with6 } from './worlds6.js';

interface Life {
  config: Config;
  observation: Observation;
  memory: Memory;
  history: TableHistory;
  now: number;
  vms: number;
  networks: readonly DockerNetwork[];
  /** Every row that others entered. */
  readonly theirs: Set<Route>;
  /** The same of the table of IPv6, which is there whether or not anybody looks. */
  readonly theirs6: Set<Route>;
  /** What a VPN does about the link's own network while it runs. */
  follower: Follower;
  /** How often the address was set. */
  attempts: number;
}

/**
 * \`take\`: as long as the tap has an address, a VPN has the connected row of its network, and gives it back after;
 * \`claim\`: the same with a network around it; \`remove\`: it removes that row.
 */
type Follower = 'none' | 'take' | 'claim' | 'remove';

const tableOf = ({ observation }: Pick<Life, 'observation'>): readonly Route[] =>
  observation.routes.known ? observation.routes.value : [];

function setTable(life: Life, table: readonly Route[]): void {
  life.observation = { ...life.observation, routes: seen(table) };
}

const taken: Route = route({
  destination: '10.0.75.0/30',
  gateway: 'link#24',
  flags: 'UCS',
  interface: 'utun6',
});
const claimed: Route = { ...taken, destination: net('10.0.75.0/24') };
const isLinkRow = (row: Route): boolean => isRowOf(taken.destination.text, row);

const rowsOf6 = ({ observation }: Pick<Life, 'observation'>): readonly Route[] => tableOf6(observation);

const setTable6 = (life: Life, table: readonly Route[]): void => {
  life.observation = with6(life.observation, table);
};

/** The Mac as the daemon sees it now. */
const looked = ({ config, observation, memory }: Life): Observation => lookedBy(config, observation, memory);

/** The follower sees the Mac. */
function react(life: Life): void {
  const { follower } = life;
  const tap = life.observation.tap.interface.known ? life.observation.tap.interface.value : null;
  const isAddressed = tap !== null && tap.addresses.length > 0;
  const wanted = isAddressed && (follower === 'take' ? taken : follower === 'claim' ? claimed : null);
  const isTaken = follower === 'take' || follower === 'remove';
  for (const row of life.theirs)
    if ((row === taken || row === claimed || (isTaken && isAddressed && isLinkRow(row))) && row !== wanted)
      life.theirs.delete(row);
  const rest = tableOf(life).filter(
    (row) => row !== taken && row !== claimed && !(isTaken && isAddressed && isLinkRow(row)),
  );
  const isFree = wanted && !rest.some((row) => isRowOf(wanted.destination.text, row));
  if (isFree) life.theirs.add(wanted);
  setTable(life, isFree ? [...rest, wanted] : rest);
}

/** One look of the daemon: what main does between observing and planning. */
function notice(life: Life): void {
  const { config, memory, now } = life;
  const observation = looked(life);
  const followed = followTable(life.history, { ...lookAt(config, observation, memory), memory, now });
  if (followed) {
    life.history = followed.history;
    life.memory = { ...memory, ...followed.change };
  }
  const { ipv6 } = learn(config, observation, life.memory);
  if (ipv6) life.memory = { ...life.memory, ipv6 };
}

const isShare = ({ destination: { family, bits } }: Route): boolean => bits.length < (family === 4 ? 8 : 7);

/** Carries one step out, and checks what it must never do. */
function carryOut(life: Life, step: ReturnType<typeof plan>[number]): void {
  const before = [...tableOf(life), ...rowsOf6(life)];
  const isTheirs = (row: Route): boolean => life.theirs.has(row) || life.theirs6.has(row);
  if (step.kind === 'delete-route')
    for (const row of before.filter((each) => isRowOf(step.subnet, each)))
      if (isTheirs(row)) throw new Error(`${step.subnet} via ${row.gateway} is not ours`);
  const world: World = applied(life, step);
  life.observation = world.observation;
  life.memory = world.memory;
  if (step.kind === 'address-tap' && !isAboutIpv6(step)) life.attempts += 1;
  const after = new Set([...tableOf(life), ...rowsOf6(life)]);
  for (const row of [...life.theirs, ...life.theirs6])
    if (!after.has(row)) throw new Error(`${step.key} took ${row.destination.text}`);
  react(life);
  if (step.kind !== 'add-route') return;
  const subnet = parsePrefix(step.subnet);
  for (const row of [...life.theirs, ...life.theirs6]) {
    const range = row.destination;
    if (!subnet || isShare(row) || /[WI]/.test(row.flags) || row.interface === 'tap1') continue;
    const isForced = life.config.routes.force.includes(step.subnet);
    if (overlaps(range, subnet) && !isForced) throw new Error(`${step.subnet} overlaps ${range.text}`);
  }
}

/** The reconciler's pass; `kill` ends it after so many steps, as SIGKILL would. */
function pass(life: Life, kill = Infinity): void {
  let steps = 0;
  for (let round = 0; round < 8; round += 1) {
    notice(life);
    const planned = plan(life.config, looked(life), life.memory);
    if (planned.length === 0) return;
    for (const step of planned) {
      if (steps >= kill) return;
      carryOut(life, step);
      steps += 1;
    }
  }
  throw new Error('the plan does not come to an end');
}

const octet = fc.integer({ min: 0, max: 255 });
const subnet = fc.oneof(
  // A small set of prefixes, so that they meet.
  fc.constantFrom(
    ...['172.16.0.0/12', '172.17.0.0/16', '172.17.5.0/24', '172.18.0.0/16', '10.0.0.0/8', '10.0.75.0/24'],
    ...['192.168.1.0/24', '192.168.0.0/16', '10.33.0.0/16', '10.33.33.0/24', '10.0.75.0/30', '8.0.0.0/7'],
    ...['0.0.0.0/1', '128.0.0.0/1', '100.64.0.0/10', '192.168.1.1/32', '172.18.9.9/32'],
  ),
  fc
    .tuple(fc.constantFrom(10, 172, 192), octet, octet, fc.integer({ min: 0, max: 32 }))
    .map(([a, b, c, prefix]) => `${a}.${b}.${c}.0/${prefix}`),
);
const canonical = subnet.filter((text) => {
  const prefix = parsePrefix(text);
  return prefix !== null && prefix.bits !== '' && text === prefix.text;
});

const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
const subnet6 = fc.oneof(
  fc.constantFrom(
    ...[
      'fd00:dead::/64',
      'fd00:dead::/48',
      'fd00:beef::/64',
      'fd00:dead:0:0:8000::/65',
      'fc00::/7',
      'fd00::/8',
    ],
    ...[
      'fd7a:115c:a1e0::/48',
      'fd7a:115c:a1e0:5::/64',
      'fd3e:d10f:52ef:75::/126',
      'fd3e:d10f:52ef::/48',
      '::/1',
    ],
    ...['8000::/1', '2001:db8:3::/64', 'fe80::/64', 'fd00:dead::1/128', 'fdc4:f303:9324::/64'],
  ),
  fc
    .tuple(fc.constantFrom('fd00', 'fd7a', '2001'), group, group, fc.integer({ min: 0, max: 128 }))
    .map(([a, b, c, prefix]) => `${a}:${b}:${c}::/${prefix}`),
);
const canonical6 = subnet6
  .map((text) => net(text))
  .filter(({ bits }) => bits !== '')
  .map(({ text }) => text);

const dockerNetworks = fc.uniqueArray(
  fc.record({
    id: fc.string({ minLength: 1, maxLength: 3 }),
    name: fc.constantFrom('bridge', 'app', 'app_db', 'odd\u202Ename'),
    driver: fc.constantFrom('bridge', 'bridge', 'bridge', 'bridge', 'macvlan', 'ipvlan', 'host'),
    scope: fc.constantFrom('local', 'local', 'local', 'swarm'),
    internal: fc.constantFrom(false, false, false, false, true),
    labels: fc.constantFrom<Record<string, string>>({}, { private: 'yes' }),
    options: fc.constant({}),
    subnets: fc
      .array(
        fc.oneof(
          { weight: 6, arbitrary: subnet },
          { weight: 4, arbitrary: subnet6 },
          fc.constantFrom('', 'fd00::/64', '0.0.0.0/0', '::/0'),
        ),
        { maxLength: 4 },
      )
      .map((texts) => subnetsOf(...texts)),
  }),
  { maxLength: 6, selector: ({ id }) => id },
);

const foreignRow = fc
  .tuple(
    canonical,
    fc.constantFrom(['10.80.0.1', 'utun4', 'UGSc'], ['utun3', 'utun3', 'USc'], ['link#9', 'bridge100', 'UC']),
    fc.constantFrom('', '', '', 'I', 'W'),
  )
  .map(([destination, [gateway = '', name = '', flags = ''], more]): Route =>
    route({ destination, gateway, interface: name, flags: flags + more }),
  );

const foreignRow6 = fc
  .tuple(
    canonical6,
    fc.constantFrom(
      ['fd00:8::1', 'utun4', 'UGSc'],
      ['fe80::1%en0', 'en0', 'UGc'],
      ['utun3', 'utun3', 'USc'],
      ['link#9', 'bridge100', 'UC'],
      ['::1', 'lo0', 'UGRSc'],
    ),
    fc.constantFrom('', '', '', 'I', 'W'),
  )
  .map(([destination, [gateway = '', name = '', flags = ''], more]): Route =>
    route({ destination, gateway, interface: name, flags: flags + more }),
  );

type Event = (life: Life) => void;

/** The VM starts, or starts anew: the tap is new, and whatever led through it is gone. */
const startVm: Event = (life) => {
  life.vms += 1;
  const id = `${900 + life.vms}@then`;
  for (const row of life.theirs) if (row.interface === 'tap1') life.theirs.delete(row);
  for (const row of life.theirs6) if (row.interface === 'tap1') life.theirs6.delete(row);
  const { resolvers } = life.observation;
  life.observation = {
    ...with6(
      startedMac(
        life.networks,
        tableOf(life).filter((row) => row.interface !== 'tap1'),
      ),
      rowsOf6(life).filter((row) => row.interface !== 'tap1'),
    ),
    resolvers,
    engine: seen({
      session: `${id}#1`,
      vm: id,
      version: '28.5.2',
      networks: life.networks,
      containers: seen([]),
      listed: life.vms,
    }),
  };
};

/** The same by IPv6. */
function enter6(life: Life, row: Route): void {
  if (rowsOf6(life).some((other) => isRowOf(row.destination.text, other))) return;
  life.theirs6.add(row);
  setTable6(life, [...rowsOf6(life), row]);
}

/** Somebody adds a route; one that is there already stays (`File exists`). */
function enter(life: Life, row: Route): void {
  if (tableOf(life).some((other) => isRowOf(row.destination.text, other))) return;
  life.theirs.add(row);
  setTable(life, [...tableOf(life), row]);
}

const isPlace = (row: Route): boolean => row.interface === 'en0';
const isOfMac = (row: Route): boolean => isPlace(row) || row.interface === 'lo0';

const wifi = (network: string, gateway: string): readonly Route[] => [
  route({ destination: '0.0.0.0/0', gateway, flags: 'UGSc', interface: 'en0' }),
  route({ destination: network, gateway: 'link#4', flags: 'UCS', interface: 'en0' }),
];

const places = [
  lan.filter(isPlace),
  wifi('10.33.33.0/24', '10.33.33.1'),
  wifi('172.17.0.0/16', '172.17.0.1'),
  wifi('172.18.9.0/24', '172.18.9.9'),
];

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(startVm) },
  fc.constant<Event>((life) => {
    const table = tableOf(life).filter((row) => row.interface !== 'tap1');
    for (const row of life.theirs) if (row.interface === 'tap1') life.theirs.delete(row);
    for (const row of life.theirs6) if (row.interface === 'tap1') life.theirs6.delete(row);
    const table6 = rowsOf6(life).filter((row) => row.interface !== 'tap1');
    life.observation = with6({ ...quietMac, routes: seen(table) }, table6);
  }),
  dockerNetworks.map((networks): Event => (life) => {
    life.networks = networks;
    const { engine } = life.observation;
    if (engine.known && engine.value)
      life.observation = { ...life.observation, engine: seen({ ...engine.value, networks }) };
  }),
  foreignRow.map((row): Event => (life) => {
    enter(life, row);
  }),
  // Somebody's own, through our peer.
  canonical.map((destination): Event => (life) => {
    if (isUp(life.config, life.observation))
      enter(life, route({ destination, gateway: '10.0.75.2', interface: 'tap1', flags: 'UGSc' }));
  }),
  // A VPN client that deletes what is in its way first, ours too.
  foreignRow.map((row): Event => (life) => {
    for (const other of life.theirs) if (isRowOf(row.destination.text, other)) life.theirs.delete(other);
    life.theirs.add(row);
    setTable(life, [...tableOf(life).filter((other) => !isRowOf(row.destination.text, other)), row]);
  }),
  fc.nat().map((pick): Event => (life) => {
    const row = [...life.theirs].filter((each) => !isOfMac(each))[pick % 3];
    if (!row) return;
    life.theirs.delete(row);
    setTable(
      life,
      tableOf(life).filter((each) => each !== row),
    );
  }),
  // `route flush`: every route through a gateway; the network's own come back at once.
  fc.constant<Event>((life) => {
    const isFlushed = (row: Route): boolean => row.flags.includes('G') && !isOfMac(row);
    for (const row of life.theirs) if (isFlushed(row)) life.theirs.delete(row);
    setTable(
      life,
      tableOf(life).filter((row) => !isFlushed(row)),
    );
  }),
  foreignRow6.map((row): Event => (life) => {
    enter6(life, row);
  }),
  // Somebody's own, through our peer by IPv6.
  canonical6.map((destination): Event => (life) => {
    if (judged(life.config, looked(life), life.memory).ipv6?.link.kind === 'up')
      enter6(life, route({ destination, gateway: 'fd3e:d10f:52ef:75::2', interface: 'tap1', flags: 'UGSc' }));
  }),
  // A VPN client that deletes what is in its way first by IPv6, the row of the link too.
  foreignRow6.map((row): Event => (life) => {
    for (const other of life.theirs6) if (isRowOf(row.destination.text, other)) life.theirs6.delete(other);
    life.theirs6.add(row);
    setTable6(life, [...rowsOf6(life).filter((other) => !isRowOf(row.destination.text, other)), row]);
  }),
  fc.nat().map((pick): Event => (life) => {
    const row = [...life.theirs6].filter((each) => !lan6.includes(each))[pick % 3];
    if (!row) return;
    life.theirs6.delete(row);
    setTable6(
      life,
      rowsOf6(life).filter((each) => each !== row),
    );
  }),
  // The row of the link's network goes, and nobody has it: by IPv6 no down and up of anybody's brings it back.
  fc.constant<Event>((life) => {
    setTable6(
      life,
      rowsOf6(life).filter(
        (row) => life.theirs6.has(row) || row.destination.text !== 'fd3e:d10f:52ef:75::/126',
      ),
    );
  }),
  // The table of IPv6 cannot be read for a while.
  fc.constant<Event>((life) => {
    const table = rowsOf6(life);
    life.observation = { ...life.observation, ipv6: { routes: unknown('it could not be asked') } };
    pass(life);
    setTable6(life, table);
  }),
  // Killed after some steps; the journal is what is left.
  fc.nat({ max: 4 }).map((steps): Event => (life) => {
    pass(life, steps);
    const { wanted, ownedRoutes } = life.memory;
    life.memory = { ...up, wanted, ownedRoutes };
    life.history = noTableHistory;
  }),
  fc.constantFrom<Memory['wanted']>('up', 'up', 'down').map((wanted): Event => (life) => {
    life.memory = { ...life.memory, wanted };
    if (wanted === 'up') life.history = forgive(life.history);
  }),
  fc.boolean().map((manage): Event => (life) => {
    life.config = { ...life.config, ipv6: { ...life.config.ipv6, manage } };
  }),
  fc
    .record({
      force: fc.subarray(['172.18.0.0/16', '10.33.0.0/16', '10.0.75.0/30', 'fd00:dead::/64']),
      exclude: fc.subarray(['app*', 'driver=bridge', 'label=private']),
      include: fc.constantFrom(['*'], ['*'], ['app*']),
      allow: fc.constantFrom(defaults.routes.allow, ['172.16.0.0/12', '100.64.0.0/10']),
      manage: fc.constantFrom(true, true, true, false),
      minPrefix: fc.constantFrom(8, 12, 24),
    })
    .map((routes): Event => (life) => {
      life.config = { ...configSchema.parse({ routes }), ipv6: life.config.ipv6 };
    }),
  fc.nat({ max: 90_000 }).map((time): Event => (life) => {
    life.now += time;
  }),
  fc.constantFrom(['192.168.1.1'], ['172.17.0.53', '10.33.33.1']).map((servers): Event => (life) => {
    life.observation = { ...life.observation, resolvers: seen(resolversAt(...servers)) };
  }),
  // A VPN with an exit node comes, or goes and leaves the link without its row.
  fc.constantFrom<Follower>('none', 'take', 'claim', 'remove').map((follower): Event => (life) => {
    life.follower = follower;
    react(life);
  }),
  // Another Wi-Fi: another network, gateway and default route.
  fc.constantFrom(...places).map((place): Event => (life) => {
    const away = [...life.theirs].filter((row) => isPlace(row));
    for (const row of away) life.theirs.delete(row);
    for (const row of place) life.theirs.add(row);
    const isTaken = (row: Route): boolean => place.some(({ destination }) => isRowOf(destination.text, row));
    for (const row of life.theirs) if (isTaken(row) && !place.includes(row)) life.theirs.delete(row);
    setTable(life, [...tableOf(life).filter((row) => !away.includes(row) && !isTaken(row)), ...place]);
  }),
  // Something cannot be seen for a while, in which a VPN comes.
  fc
    .tuple(
      fc.constantFrom('engine', 'tapInterface', 'vm', 'resolvers', 'consoleUser', 'tapDevice', 'bundles'),
      fc.option(foreignRow),
    )
    .map(([what, row]): Event => (life) => {
      const before = life.observation;
      const unseen = unknown('it could not be asked');
      life.observation =
        what === 'tapInterface'
          ? withTap(before, { interface: unseen })
          : what === 'tapDevice'
            ? withTap(before, { device: unseen })
            : { ...before, [what]: unseen };
      const stood = tableOf(life);
      if (row) enter(life, row);
      pass(life);
      const stands = new Set(tableOf(life));
      if (!row) expect(stood.filter((each) => !stands.has(each))).toEqual([]);
      const after = life.observation;
      life.observation =
        what === 'tapInterface'
          ? withTap(after, { interface: before.tap.interface })
          : what === 'tapDevice'
            ? withTap(after, { device: before.tap.device })
            : { ...after, [what]: before[what] };
    }),
);

const newLife = (): Life => ({
  config: defaults,
  observation: with6(quietMac, lan6),
  memory: up,
  history: noTableHistory,
  now: 1_000_000,
  vms: 0,
  networks: [network('bridge', '172.17.0.0/16'), network('both', '172.18.0.0/16', 'fd00:dead::/64')],
  theirs: new Set(lan),
  theirs6: new Set(lan6),
  follower: 'none',
  attempts: 0,
});

test('a thousand lives: nothing of anybody’s is touched, and when it is quiet everything that may be routed is', () => {
  let routed = 0;
  let refused = 0;
  let routed6 = 0;
  let refused6 = 0;
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 20 }), (events) => {
      const life = newLife();
      for (const happen of [startVm, ...events]) {
        happen(life);
        react(life);
        life.now += 500;
        const before = life.attempts;
        pass(life);
        // Set once, once more at once, and then only after pauses.
        expect(life.attempts - before).toBeLessThanOrEqual(2);
        expect(plan(life.config, looked(life), life.memory)).toEqual([]);
        // Two seconds are enough for an address, and a pass follows.
        life.observation = later(life.observation);
      }
      life.follower = 'none';
      react(life);
      // Quiet: the longest pause is five minutes.
      for (let look = 0; look < 3; look += 1) {
        life.now += 600_000;
        pass(life);
        life.observation = later(life.observation);
      }
      pass(life);
      expect(life.memory.heldRoutes).toEqual([]);
      expect(life.memory.link.held).toBeNull();
      const kind = linkKind(life.config, life.observation);
      const isFree = linkCollision(life.config, life.observation) === null;
      if (life.memory.wanted === 'up' && kind !== 'absent' && kind !== 'lacks network' && isFree)
        expect(kind).toBe('up');
      const judgement = judged(life.config, looked(life), life.memory);
      if (looked(life).ipv6) expect(life.memory.ipv6.link.held).toBeNull();
      const verdicts = judgement.routes.filter(({ subnet: each }) => !isIpv6(each));
      const verdicts6 = judgement.routes.filter(({ subnet: each }) => isIpv6(each));
      const isLinked = isUp(life.config, life.observation);
      if (life.memory.wanted === 'up' && life.config.routes.manage && isLinked)
        expect(verdicts.filter(({ state }) => !['routed', 'refused', 'foreign'].includes(state))).toEqual([]);
      if (life.memory.wanted === 'up' && life.config.routes.manage && judgement.ipv6?.link.kind === 'up')
        expect(verdicts6.filter(({ state }) => !['routed', 'refused', 'foreign'].includes(state))).toEqual(
          [],
        );
      if (life.memory.wanted === 'down') expect(life.memory.ownedRoutes).toEqual([]);
      if (life.memory.wanted === 'down' || !life.config.ipv6.manage)
        expect(valueOf(life.observation.tap.interface)?.ipv6).toBeUndefined();
      // What stands and is not theirs is known to be ours.
      const ours = tableOf(life).filter((row) => row.gateway === '10.0.75.2' && !life.theirs.has(row));
      const ours6 = rowsOf6(life).filter(
        (row) => row.gateway === 'fd3e:d10f:52ef:75::2' && !life.theirs6.has(row),
      );
      expect([...ours, ...ours6].map(({ destination }) => destination.text).toSorted()).toEqual(
        life.memory.ownedRoutes.map(({ subnet: each }) => each).toSorted(),
      );
      routed += ours.length;
      refused += verdicts.length - ours.length;
      routed6 += ours6.length;
      refused6 += verdicts6.length - ours6.length;
    }),
    { numRuns: 1000, endOnFailure: true },
  );
  // The lives are worth living: routes stood at the end of many, and many were refused.
  expect(routed).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
  expect(routed6).toBeGreaterThan(100);
  expect(refused6).toBeGreaterThan(100);
});
