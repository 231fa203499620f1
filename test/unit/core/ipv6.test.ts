/** The way by IPv6 beside that by IPv4: the same rules, by what is seen of each alone. */
import { describe, expect, test } from '@jest/globals';
import { type Config, configSchema } from '../../../config/schema.js';
import type { Failure, Finding } from '../../../daemon/core/condition.js';
import { needsIpv6 } from '../../../daemon/core/ipv6-need.js';
import { withoutWayBack } from '../../../daemon/core/ipv6.js';
import type { Memory } from '../../../daemon/core/memory.js';
import {
  type Container,
  type DockerNetwork,
  type Engine,
  type Ipv6Address,
  type Observation,
  type Route,
  seen,
  unknown,
  valueOf,
} from '../../../daemon/core/observation.js';
import { isAboutIpv6, type Step } from '../../../daemon/core/steps.js';
import { judgeConditions, judged, judgeRoutes, learn, plan } from './judged.js';
import { applied, config, network, resolversAt, route, startedMac, up, type World } from './worlds.js';
import { lan6, later, looked, tableOf6, with6 } from './worlds6.js';
import { chosenLink } from '../../../daemon/core/link/choice.js';
import { judge, type Judgement } from '../../../daemon/core/judgement.js';
import { changed, engineOf, nic, outside, settled as settledVmnet, sharedMac } from './vmnet-worlds.js';
import { judgeConditions as conditionsOf } from '../../../daemon/core/conditions.js';
import { plan as planOf } from '../../../daemon/core/plan.js';
import { toldRoutes } from '../../../daemon/core/routes/routes.js';

const dual = network('app', '172.18.0.0/16', 'fd00:dead::/64');
const own = 'fd3e:d10f:52ef:75::1';
const peer = 'fd3e:d10f:52ef:75::2';

const row6 = (destination: string, gateway: string, name: string, flags: string): Route =>
  route({ destination, gateway, interface: name, flags });

interface Settled {
  readonly world: World;
  readonly done: readonly Step[];
}

/** Looks, plans and applies until nothing is left to do, with the seconds in between that addresses take. */
function settle(start: World, by: Config = config): Settled {
  let { observation, memory } = start;
  const done: Step[] = [];
  for (let round = 0; round < 12; round += 1) {
    const seenNow = looked(by, observation, memory);
    memory = { ...memory, ...learn(by, seenNow, memory) };
    const steps = plan(by, seenNow, memory);
    for (const step of steps) {
      ({ observation, memory } = applied({ observation, memory }, step));
      done.push(step);
    }
    const next = later(observation);
    if (steps.length === 0 && JSON.stringify(next) === JSON.stringify(observation))
      return { world: { observation: looked(by, observation, memory), memory }, done };
    observation = next;
  }
  throw new Error(`no end: ${done.map(({ key }) => key).join(', ')}`);
}

const macWith = (networks: readonly DockerNetwork[] = [dual], more: readonly Route[] = []): World => ({
  observation: with6(startedMac(networks), [...lan6, ...more]),
  memory: up,
});

const ours = ({ observation }: World): readonly string[] =>
  tableOf6(observation)
    .filter(({ gateway }) => gateway === peer)
    .map(({ destination, interface: name }) => `${destination.text} ${name}`);

const tapOf = ({ observation }: World) => valueOf(observation.tap.interface);

const findingOf = (
  { observation, memory }: World,
  type: Finding['type'],
  by: Config = config,
  failures: readonly Failure[] = [],
): Finding | undefined =>
  judgeConditions(by, observation, memory, failures).findings.find((finding) => finding.type === type);

const reason = (world: World, by: Config = config): string | undefined =>
  findingOf(world, 'Ipv6', by)?.reason;

const tellsOf = (
  networks: readonly DockerNetwork[],
  more: readonly Route[],
  settings = {},
  resolvers = ['9.9.9.9'],
) =>
  judgeRoutes(
    configSchema.parse(settings),
    { ...macWith(networks, more).observation, resolvers: seen(resolversAt(...resolvers)) },
    up,
  ).filter(({ subnet }) => subnet.includes(':'));

describe('a subnet of IPv6 in routes.extra', () => {
  const by = configSchema.parse({ routes: { extra: ['fd00:96::/108', '10.96.0.0/12'] } });

  test('brings the link’s other end and its route, though no network has IPv6, and takes them with it', () => {
    const start = macWith([network('app', '172.18.0.0/16')]);
    const { world, done } = settle(start, by);
    expect(done.map(({ key }) => key)).toEqual(
      expect.arrayContaining(['address tap1 IPv6', 'route fd00:96::/108', 'route 10.96.0.0/12']),
    );
    expect(ours(world)).toEqual(['fd00:96::/108 tap1']);
    expect(reason(world, by)).toBe(reason(settle(macWith()).world));
    expect(ours(settle(world, config).world)).toEqual([]);
  });
});

describe('a Mac whose networks have both', () => {
  test('is reached by both, with its address set before the interface is up', () => {
    const { world, done } = settle(macWith());
    expect(done.map(({ kind, key }) => `${kind}: ${key}`)).toEqual([
      'address-tap: address tap1 IPv6',
      'address-tap: address tap1',
      'prepare-guest: guest 900@then#1',
      'add-route: route 172.18.0.0/16',
      'add-route: route fd00:dead::/64',
    ]);
    expect(ours(world)).toEqual(['fd00:dead::/64 tap1']);
    expect(tapOf(world)?.ipv6).toEqual([{ address: own, prefix: 126, state: 'usable' }]);
    expect(findingOf(world, 'Ipv6')).toMatchObject({
      status: 'True',
      reason: 'Set',
      message: 'fd00:dead::/64',
    });
    // One conversation in the VM is enough.
    expect(done.find((step) => step.kind === 'prepare-guest')).toMatchObject({
      ...{ nic: config.tap.mac, mtu: 1500 },
      ipv6: { key: 'guest 900@then#1 IPv6', vmAddress: peer, macAddress: own, prefix: 126 },
    });
  });

  test('has the very steps by IPv4 that it had without, in their order', () => {
    const { done } = settle(macWith());
    const { done: alone } = settle({
      observation: startedMac([network('app', '172.18.0.0/16')]),
      memory: up,
    });
    const byIpv4 = done
      .filter((step) => !isAboutIpv6(step))
      .map((step) => Object.fromEntries(Object.entries(step).filter(([key]) => key !== 'ipv6')));
    expect(byIpv4).toEqual(alone);
  });

  test('waits while its address is asked for, and sets it but once', () => {
    const world = macWith();
    const [, address4] = plan(config, world.observation, up);
    const upFirst = applied(world, address4 as Step);
    const [address6] = plan(config, upFirst.observation, upFirst.memory).filter(isAboutIpv6);
    const asked = applied(upFirst, address6 as Step);
    expect(tapOf(asked)?.ipv6?.[0]?.state).toBe('tentative');
    expect(plan(config, asked.observation, asked.memory).filter(isAboutIpv6)).toEqual([]);
    expect(reason(asked)).toBe('NotSet');
    expect(ours(settle(asked).world)).toEqual(['fd00:dead::/64 tap1']);
  });

  test.each<[string, Partial<Ipv6Address>, boolean, RegExp]>([
    ['somebody else has its address', { state: 'duplicated' }, false, /somebody else on tap1 has .*::1 too/],
    ['its address is detached', { state: 'detached' }, false, /detached/],
    ['macOS has switched IPv6 off there', {}, true, /IFDISABLED/],
  ])('says that %s, and adds no route', (_name, address, isIpv6Disabled, why) => {
    const { world } = settle(macWith());
    const { observation, memory } = world;
    const tap = tapOf(world);
    if (!tap) throw new Error('no tap');
    const broken: World = {
      memory: { ...memory, ownedRoutes: memory.ownedRoutes.filter(({ subnet }) => !subnet.includes(':')) },
      observation: with6(
        {
          ...observation,
          tap: {
            ...observation.tap,
            interface: seen({
              ...tap,
              isIpv6Disabled,
              ipv6: [{ address: own, prefix: 126, state: 'usable', ...address }],
            }),
          },
        },
        tableOf6(observation).filter(({ gateway }) => gateway !== peer),
      ),
    };
    expect(plan(config, broken.observation, broken.memory)).toEqual([]);
    expect(findingOf(broken, 'Ipv6')).toMatchObject({
      status: 'False',
      reason: 'AddressUnusable',
      message: expect.stringMatching(why) as unknown,
    });
    expect(judgeConditions(config, broken.observation, broken.memory, []).findings).toContainEqual(
      expect.objectContaining({ type: 'Routes', reason: 'Set', message: '172.18.0.0/16' }),
    );
  });

  test('gets a row back that somebody took', () => {
    const { world } = settle(macWith());
    const { observation, memory } = world;
    const rows = tableOf6(observation).filter(({ gateway }) => !gateway.startsWith('link#14'));
    const steps = plan(config, with6(observation, rows), memory);
    expect(steps).toMatchObject([{ kind: 'address-tap', macAddress: own, anew: true }]);
  });

  test('does not believe a table that it cannot read to be empty', () => {
    const { world } = settle(macWith());
    const observation: Observation = { ...world.observation, ipv6: { routes: unknown('netstat hangs') } };
    expect(plan(config, observation, world.memory)).toEqual([]);
    expect(reason({ ...world, observation })).toBe('NotSeen');
    const down = plan(config, observation, { ...world.memory, wanted: 'down' }).filter(isAboutIpv6);
    expect(down.map(({ kind }) => kind)).toEqual(['release-guest', 'unaddress-tap']);
  });

  test.each<[string, Partial<Memory>]>([
    ['down', { wanted: 'down' }],
    ['removed', { wanted: 'removed' }],
    ['lowered for a moment', { lowered: true }],
  ])('leaves nothing behind when it is %s', (_name, wish) => {
    const { world } = settle(macWith());
    const { world: after, done } = settle({ ...world, memory: { ...world.memory, ...wish } });
    expect(done.filter(isAboutIpv6).map(({ kind }) => kind)).toEqual([
      'delete-route',
      'release-guest',
      'unaddress-tap',
    ]);
    expect(ours(after)).toEqual([]);
    expect(tapOf(after)?.ipv6).toBeUndefined();
    expect(after.memory).toMatchObject({ ownedRoutes: [], ipv6: { guest: null } });
  });

  test('and one whose daemon was killed: the journal has the routes, and the address says the rest', () => {
    const { world } = settle(macWith());
    const reborn = { ...up, wanted: 'down' as const, ownedRoutes: world.memory.ownedRoutes };
    const { world: after, done } = settle({ ...world, memory: reborn });
    expect(done.filter(isAboutIpv6).map(({ kind }) => kind)).toEqual([
      'delete-route',
      'release-guest',
      'unaddress-tap',
    ]);
    expect(tableOf6(after.observation)).toEqual(lan6);
  });

  test('gives everything back when IPv6 is no longer wanted, and nothing of IPv4', () => {
    const { world } = settle(macWith());
    const off = configSchema.parse({ ipv6: { manage: false } });
    const { world: after, done } = settle(world, off);
    expect(done.every(isAboutIpv6)).toBe(true);
    expect(ours(after)).toEqual([]);
    expect(tapOf(after)?.ipv6).toBeUndefined();
    expect(tapOf(after)?.addresses).toHaveLength(1);
    expect(reason(after, off)).toBe('NotManaged');
    expect(tellsOf([dual], [], { ipv6: { manage: false } })).toMatchObject([
      { state: 'refused', why: 'IPv4 only: ipv6.manage is false' },
    ]);
  });

  test('loses the route of a network that is gone, and keeps the others', () => {
    const other = network('other', '172.19.0.0/16', 'fd00:beef::/64');
    const { world } = settle(macWith([dual, other]));
    expect(ours(world)).toEqual(['fd00:dead::/64 tap1', 'fd00:beef::/64 tap1']);
    const engine = valueOf(world.observation.engine) as Engine;
    const observation = { ...world.observation, engine: seen({ ...engine, networks: [other] }) };
    const { world: after } = settle({ ...world, observation });
    expect(ours(after)).toEqual(['fd00:beef::/64 tap1']);
  });

  test('knows before the next VM’s engine answers that its address is needed', () => {
    const { world } = settle(macWith());
    const { memory } = world;
    expect(memory.ipv6.isNeeded).toBe(true);
    const fresh = { ...startedMac([dual]), engine: unknown('it starts') };
    expect(needsIpv6(config, fresh.engine, memory)).toBe(true);
    const [first] = plan(config, with6(fresh, lan6), { ...up, ipv6: { ...up.ipv6, isNeeded: true } });
    expect(first).toMatchObject({ kind: 'address-tap', macAddress: own });
  });
});

describe('a Mac whose networks have IPv4 alone', () => {
  test.each<[string, readonly DockerNetwork[]]>([
    ['no network', []],
    ['one', [network('bridge', '172.17.0.0/16')]],
    ['internal ones with IPv6', [{ ...dual, internal: true }, network('bridge', '172.17.0.0/16')]],
    ['excluded ones with IPv6', [{ ...dual, driver: 'macvlan' }]],
  ])('is not looked at by IPv6 and has no step of it: %s', (_name, networks) => {
    const observation = startedMac(networks);
    expect(needsIpv6(config, observation.engine, up)).toBe(false);
    const { done } = settle({ observation, memory: up });
    const { done: without } = settle(
      { observation, memory: up },
      configSchema.parse({ ipv6: { manage: false } }),
    );
    expect(done.filter(isAboutIpv6)).toEqual([]);
    expect(done).toEqual(without);
    expect(judged(config, observation, up).ipv6).toBeNull();
    expect(reason({ observation, memory: up })).toBe('NotNeeded');
  });
});

describe('the route guard by IPv6', () => {
  test.each<[string, string, RegExp]>([
    ['fd00:1::/64', 'pending', /not in the routing table yet/],
    ['fc00:f853:ccd:e793::/64', 'pending', /not in the routing table yet/],
    ['2001:db8:3::/64', 'refused', /outside of ipv6\.allow \(fc00::\/7\)/],
    ['fd00::/40', 'refused', /larger than \/48 \(ipv6\.minPrefix\)/],
    ['::/0', 'refused', /no host’s/],
    ['fe80::/64', 'refused', /no host’s/],
    ['ff02::/64', 'refused', /no host’s/],
    ['::ffff:10.0.0.0/104', 'refused', /no host’s/],
    ['fd3e:d10f:52ef:75::/64', 'refused', /tuntapd’s own link .*::\/126: set ipv6\.address and ipv6\.peer/],
    ['fdc4:f303:9324::/64', 'refused', /Docker Desktop’s VM has its own gateway/],
    ['fd00:5::/64', 'foreign', /contains fd00:5::53, a DNS resolver of this Mac/],
    ['fd00:6::/64', 'foreign', /contains fd00:6::1, the gateway of the default route on utun4/],
    ['fd00:7::/64', 'foreign', /has fd00:7::\/64, the network of en0/],
    ['fd00:8:0:1::/64', 'foreign', /has fd00:8::\/48 via fe80::1%en0 on en0: ours would win/],
    ['fd00:9::/48', 'foreign', /has fd00:9:0:5::\/64 on utun5/],
    ['fd7a:115c:a1e0:5::/64', 'foreign', /fd7a:115c:a1e0::\/48 .*on utun6 \(Tailscale\)/],
  ])('%s is %s', (subnet, state, why) => {
    const rows = [
      row6('::/1', 'fe80::%utun4', 'utun4', 'UGSc'),
      row6('8000::/1', 'fe80::%utun4', 'utun4', 'UGSc'),
      row6('2000::/3', 'fe80::%utun4', 'utun4', 'UGSc'),
      row6('::/0', 'fd00:6::1', 'utun4', 'UGcIg'),
      row6('fd00:7::/64', 'link#4', 'en0', 'UC'),
      row6('fd00:8::/48', 'fe80::1%en0', 'en0', 'UGc'),
      row6('fd00:9:0:5::/64', 'utun5', 'utun5', 'USc'),
      row6('fd7a:115c:a1e0::/48', 'fe80::8a1:27ff:fe44:99%utun6', 'utun6', 'Uc'),
    ];
    const [verdict, ...more] = tellsOf([network('app', subnet)], rows, {}, ['fd00:5::53', '9.9.9.9']);
    expect(verdict).toMatchObject({ state, why: expect.stringMatching(why) as unknown });
    expect(more).toEqual([]);
  });

  test('what an operator allows and forces counts for it too', () => {
    const rows = [row6('fd00:8::/48', 'fe80::1%en0', 'en0', 'UGc')];
    const settings = {
      ipv6: { allow: ['fc00::/7', '2001:db8::/32'], minPrefix: 32 },
      routes: { force: ['fd00:8:0:1::/64'] },
    };
    expect(
      tellsOf([network('app', 'fd00:8:0:1::/64', '2001:db8:3::/64', 'fd00:a000::/36')], rows, settings).map(
        ({ state }) => state,
      ),
    ).toEqual(['pending', 'pending', 'pending']);
  });

  test('of subnets that overlap one is routed, and verdicts stand in the engine’s order', () => {
    const verdicts = judgeRoutes(
      config,
      macWith([dual, network('two', 'fd00:dead:0:0:1::/80', '172.19.0.0/16')]).observation,
      up,
    );
    expect(verdicts.map(({ subnet, state }) => `${subnet} ${state}`)).toEqual([
      '172.18.0.0/16 pending',
      'fd00:dead::/64 pending',
      'fd00:dead:0:0:1::/80 refused',
      '172.19.0.0/16 pending',
    ]);
  });
});

describe('what others do by IPv6', () => {
  const vpn = row6('fd3e:d10f:52ef::/48', 'utun5', 'utun5', 'USc');

  test('a VPN that has the link’s network keeps IPv6 away, and IPv4 does not notice', () => {
    const { world, done } = settle(macWith([dual], [vpn]));
    expect(done.filter(isAboutIpv6)).toEqual([]);
    expect(findingOf(world, 'Ipv6')).toMatchObject({
      reason: 'LinkCollision',
      message: expect.stringMatching(
        /`sudo tuntapctl config set ipv6\.address fd[0-9a-f:]+::1 ipv6\.peer fd[0-9a-f:]+::2`/,
      ) as unknown,
    });
    expect(findingOf(world, 'TapAddress')).toMatchObject({ reason: 'Set' });
    expect(findingOf(world, 'Routes')).toMatchObject({ reason: 'Set' });
  });

  test('one that comes later has everything given back to it', () => {
    const { world } = settle(macWith());
    const observation = with6(world.observation, [...tableOf6(world.observation), vpn]);
    const { world: after } = settle({ ...world, observation });
    expect(ours(after)).toEqual([]);
    expect(tapOf(after)?.ipv6).toBeUndefined();
    expect(after.memory.ipv6.guest).toBeNull();
    expect(after.memory.ownedRoutes.map(({ subnet }) => subnet)).toEqual(['172.18.0.0/16']);
  });

  test('one that takes the very row of the link is told of, and our routes go', () => {
    const { world } = settle(macWith());
    const taken = row6('fd3e:d10f:52ef:75::/126', 'link#24', 'utun6', 'UCS');
    const rows = tableOf6(world.observation).filter(({ gateway }) => gateway !== 'link#14');
    const { world: after } = settle({ ...world, observation: with6(world.observation, [...rows, taken]) });
    expect(ours(after)).toEqual([]);
    expect(reason(after)).toBe('LinkTaken');
    expect(tableOf6(after.observation)).toContain(taken);
  });

  test('a claim around a routed subnet takes that alone away', () => {
    const other = network('other', '172.19.0.0/16', 'fd7a:115c:a1e0:5::/64');
    const { world } = settle(macWith([dual, other]));
    const claim = row6('fd7a:115c:a1e0::/48', 'fe80::9%utun4', 'utun4', 'Uc');
    const { world: after } = settle({
      ...world,
      observation: with6(world.observation, [...tableOf6(world.observation), claim]),
    });
    expect(ours(after)).toEqual(['fd00:dead::/64 tap1']);
    expect(reason(after)).toBe('Conflict');
    expect(findingOf(after, 'Routes')).toMatchObject({ reason: 'Set' });
  });

  test('a failure of IPv6 leaves the phase as it was', () => {
    const { world } = settle(macWith());
    const [step] = settle(macWith()).done.filter(isAboutIpv6);
    const failure: Failure = {
      step: step as Step,
      condition: 'Ipv6',
      reason: 'RouteRefused',
      message: 'route add fd00:dead::/64: no',
      blocked: true,
    };
    const { observation, memory } = world;
    const fine = judgeConditions(config, observation, memory, []);
    const failing = judgeConditions(config, observation, memory, [failure]);
    expect(failing.phase).toBe(fine.phase);
    const others = ({ type }: Finding): boolean => type !== 'Ipv6';
    expect(failing.findings.filter(others)).toEqual(fine.findings.filter(others));
    expect(findingOf(world, 'Ipv6', config, [failure])).toMatchObject({ reason: 'RouteRefused' });
    expect(judgeConditions(config, observation, { ...memory, wanted: 'down' }, [failure]).phase).toBe(
      'blocked',
    );
  });
});

describe('a link over a network of macOS’s', () => {
  const bridgeRow = row6('fd5a:9a11:1::/64', 'link#23', 'bridge100', 'UC');
  const address = (text: string, more: Partial<Ipv6Address> = {}): Ipv6Address => ({
    address: text,
    prefix: 64,
    state: 'usable',
    ...more,
  });

  /** Set up by IPv4; then what the Mac and the VM's NIC have by IPv6. */
  function sharedBy(
    onMac: readonly Ipv6Address[],
    inVm: readonly string[],
    table: readonly Route[] = [bridgeRow],
  ): { judgement: Judgement; memory: Memory; observation: Observation } {
    const ends = inVm.map((text) => ({ address: text, prefix: 64 }));
    const { world } = settledVmnet(sharedMac([dual], { nics: [outside, nic({ ipv6: ends })] }));
    const { memory } = world;
    const observation = with6(
      { ...world.observation, vmnet: { ...world.observation.vmnet, ipv6: { bridge100: onMac } } },
      [...lan6, ...table],
    );
    const link = chosenLink.state(config, observation, memory);
    const link6 = chosenLink.ipv6?.state(config, observation, memory, link) ?? null;
    return { judgement: judge(config, { observation, link, link6 }, memory), memory, observation };
  }
  const told = (judgement: Judgement): Finding | undefined =>
    conditionsOf(chosenLink, judgement, []).findings.find(({ type }) => type === 'Ipv6');

  test('macOS 11 cuts the bridge’s name in each table, and of IPv6 later', () => {
    const cut = (row: Route, length: number): Route => ({
      ...row,
      interface: row.interface.slice(0, length),
    });
    const start = sharedMac([dual], {
      nics: [outside, nic({ ipv6: [{ address: 'fd5a:9a11:1::7', prefix: 64 }] })],
    });
    const rows = start.observation.routes.known ? start.observation.routes.value : [];
    const { world } = settledVmnet(changed(start, { routes: seen(rows.map((row) => cut(row, 7))) }));
    // Another bridge of VMs is cut to the same name.
    const ipv6 = { bridge101: [address('fd5a:9a11:2::1')], bridge100: [address('fd5a:9a11:1::1')] };
    const observation = with6({ ...world.observation, vmnet: { ...world.observation.vmnet, ipv6 } }, [
      ...lan6,
      cut(bridgeRow, 8),
    ]);
    const link = chosenLink.state(config, observation, world.memory);
    expect(link.link?.interface).toBe('bridge1');
    const link6 = chosenLink.ipv6?.state(config, observation, world.memory, link);
    expect(link6).toMatchObject({ kind: 'up', link: { interface: 'bridge10' } });
  });

  test('leads to the address that the very NIC has, let in from the one that the Mac speaks with', () => {
    const mine = [
      address('fd5a:9a11:1::1'),
      address('fd5a:9a11:1::aaaa', { isTemporary: true, isDeprecated: true }),
      address('fd5a:9a11:1::bbbb', { isTemporary: true }),
    ];
    const ownRows = mine.map(({ address: text }) => row6(`${text}/128`, '6a:1:2:3:4:5', 'lo0', 'UHL'));
    const { judgement, observation, memory } = sharedBy(
      mine,
      ['2001:db8::7', 'fd5a:9a11:1::7'],
      [bridgeRow, ...ownRows],
    );
    const steps = planOf(chosenLink, judgement);
    expect(steps).toMatchObject([
      {
        ...{
          kind: 'prepare-guest',
          isGiven: true,
          vmAddress: 'fd5a:9a11:1::7',
          macAddress: 'fd5a:9a11:1::bbbb',
        },
        sources: ['fd5a:9a11:1::1', 'fd5a:9a11:1::aaaa', 'fd5a:9a11:1::bbbb'],
      },
    ]);
    expect(steps.every(isAboutIpv6)).toBe(true);
    expect(judgement.collision).toBeNull();
    expect(judgement.ipv6?.collision).toBeNull();
    // The very report of that step.
    const guest = { session: '700@then#1', interface: 'eth1', rules: [], observedGeneration: 0 };
    const prepared: Memory = {
      ...memory,
      ipv6: {
        ...memory.ipv6,
        guest: { ...guest, source: mine.map(({ address: text }) => text).join(' '), nic: nic().mac },
      },
    };
    const link = chosenLink.state(config, observation, prepared);
    const link6 = chosenLink.ipv6?.state(config, observation, prepared, link) ?? null;
    expect(planOf(chosenLink, judge(config, { observation, link, link6 }, prepared))).toMatchObject([
      { kind: 'add-route', subnet: 'fd00:dead::/64', gateway: 'fd5a:9a11:1::7', interface: 'bridge100' },
    ]);
  });

  test.each<[string, readonly Ipv6Address[], readonly string[]]>([
    ['macOS announces none there', [], []],
    ['the NIC took no address of it', [address('fd5a:9a11:1::1')], ['2001:db8::7']],
    ['the Mac’s is not usable yet', [address('fd5a:9a11:1::1', { state: 'tentative' })], ['fd5a:9a11:1::7']],
  ])('is one by IPv4 alone where %s, and says so of each subnet and once of all', (_name, onMac, inVm) => {
    const { judgement } = sharedBy(onMac, inVm);
    expect(planOf(chosenLink, judgement)).toEqual([]);
    expect(judgement.routes.filter(({ subnet }) => subnet.includes(':'))).toMatchObject([
      { state: 'refused', why: expect.stringMatching(/^IPv4 only: /) as unknown },
    ]);
    expect(told(judgement)).toMatchObject({ status: 'False', reason: 'NotByThisLink' });
  });

  test('has rules of ours taken back though its NIC is not known any more, and nothing else', () => {
    const { observation, memory } = sharedBy([address('fd5a:9a11:1::1')], ['fd5a:9a11:1::7']);
    const lost: Memory = {
      ...memory,
      wanted: 'down',
      nics: null,
      ipv6: { ...memory.ipv6, mayBeSetUp: valueOf(observation.vm)?.id ?? null },
    };
    const link = chosenLink.state(config, observation, lost);
    const link6 = chosenLink.ipv6?.state(config, observation, lost, link) ?? null;
    const steps = planOf(chosenLink, judge(config, { observation, link, link6 }, lost)).filter(isAboutIpv6);
    expect(steps).toMatchObject([{ kind: 'release-guest', isGiven: true, hasNic: true }]);
  });
});

test('a VM that cannot have its end gets no route, and each subnet says that IPv4 alone leads there', () => {
  const { observation, memory } = settle(macWith()).world;
  const world: World = {
    memory: {
      ...memory,
      ipv6: { ...memory.ipv6, guest: null },
      ownedRoutes: memory.ownedRoutes.filter(({ subnet }) => !subnet.includes(':')),
    },
    observation: with6(
      observation,
      tableOf6(observation).filter(({ gateway }) => gateway !== peer),
    ),
  };
  expect(plan(config, world.observation, world.memory).map(({ kind }) => kind)).toEqual(['prepare-guest']);
  const told = toldRoutes(judged(config, world.observation, world.memory));
  expect(told.map(({ subnet, why }) => [subnet, why])).toEqual([
    ['172.18.0.0/16', 'via 10.0.75.2 on tap1'],
    ['fd00:dead::/64', expect.stringMatching(/^IPv4 only until /) as unknown],
  ]);
});

test('what does not answer by IPv6 is told, and only there', () => {
  const { world } = settle(macWith());
  const { observation, memory } = world;
  const probe = judged(config, observation, memory).ipv6?.probe;
  expect(probe).toMatchObject({ macAddress: own, vmAddress: peer, subnets: ['fd00:dead::/64'] });
  expect(judged(config, observation, memory).probe).toMatchObject({ subnets: ['172.18.0.0/16'] });
  const silent: World = {
    memory,
    observation: {
      ...observation,
      ipv6: {
        routes: seen(tableOf6(observation)),
        dataPath: {
          session: probe?.session ?? '',
          state: 'silent',
          detail: 'fd00:dead::2: no answer',
          generation: 1,
        },
      },
    },
  };
  expect(findingOf(silent, 'Ipv6')).toMatchObject({ reason: 'NothingAnswers' });
  expect(findingOf(silent, 'DataPath')).toEqual(findingOf(world, 'DataPath'));
  expect(plan(config, silent.observation, memory)).toMatchObject([
    { kind: 'prepare-guest', vmAddress: peer, generation: 1 },
  ]);
});

test('up to Engine 27 a container that is also on a network without IPv6 is named', () => {
  const on = (name: string, ...ends: (readonly [string | null, string | null])[]): Container => ({
    id: name,
    name,
    labels: {},
    paused: false,
    networkMode: 'app',
    ports: [],
    endpoints: ends.map(([ipv4, ipv6], at) => ({
      id: `${name}${at}`,
      networkId: 'n',
      network: 'n',
      ipv4,
      ipv6,
      aliases: null,
    })),
  });
  const containers = [
    on('both', ['172.18.0.2', 'fd00:dead::2']),
    on('also', ['172.18.0.3', 'fd00:dead::3'], ['172.17.0.3', null]),
    on('elsewhere', ['172.18.0.4', 'fd00:beef::4'], ['172.17.0.4', null]),
  ];
  const routed = [{ subnet: 'fd00:dead::/64', network: 'app', state: 'routed', why: '' }] as const;
  const engine = (version: string): Engine => ({ ...engineOf([]), version, containers: seen(containers) });
  expect(withoutWayBack(engine('26.1.5'), routed)).toEqual(['also']);
  expect(withoutWayBack(engine('28.0.0'), routed)).toEqual([]);
  expect(withoutWayBack(engine('dev'), routed)).toEqual([]);
});
