import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { configSchema } from '../../../config/schema.js';
import { overlaps, parseAddress, parsePrefix } from '../../../daemon/lib/prefix.js';
import { matches } from '../../../daemon/core/routes/networks.js';
import {
  type DockerNetwork,
  type Observation,
  type Route,
  seen,
  unknown,
} from '../../../daemon/core/observation.js';
import { type RouteVerdict } from '../../../daemon/core/routes/verdicts.js';
import { config, lan, net, network, ownedRoutes, resolversAt, route, startedMac, up } from './worlds.js';
import { judgeConditions, judgeRoutes, linkCollision, plan } from './judged.js';

const row = (destination: string, gateway: string, name: string, flags: string): Route =>
  route({ destination, gateway, interface: name, flags });
const ours = row('172.18.0.0/16', '10.0.75.2', 'tap1', 'UGSc');

const verdictsFor = (
  networks: readonly DockerNetwork[],
  routes: readonly Route[] = [],
  settings: Record<string, unknown> = {},
  resolvers: readonly string[] = ['9.9.9.9'],
): readonly RouteVerdict[] =>
  judgeRoutes(
    configSchema.parse({ routes: settings }),
    { ...startedMac(networks, [...lan, ...routes]), resolvers: seen(resolversAt(...resolvers)) },
    up,
  );

describe('the route guard', () => {
  test.each([
    ['172.18.0.0/16', 'pending', /not in the routing table yet/],
    ['8.8.8.0/24', 'refused', /outside of routes\.allow/],
    ['100.64.0.0/24', 'refused', /outside of routes\.allow/],
    ['0.0.0.0/0', 'refused', /outside of routes\.allow/],
    ['172.0.0.0/8', 'refused', /outside of routes\.allow/],
    ['10.0.0.0/8', 'refused', /larger than \/12 \(routes\.minPrefix\)/],
    ['10.0.75.0/24', 'refused', /tuntapd’s own link 10\.0\.75\.0\/30: set tap\.address and tap\.peer/],
    ['192.168.0.0/16', 'foreign', /contains 192\.168\.1\.1, the gateway of the default route on en0/],
    ['172.30.0.0/16', 'foreign', /contains 172\.30\.5\.3, a DNS resolver of this Mac/],
    ['192.168.1.128/25', 'foreign', /has 192\.168\.1\.0\/24, the network of en0: ours would win/],
    ['10.09.0.0/16', 'refused', /not an IPv4 network/],
    ['10.1.0.0/33', 'refused', /not an IPv4 network/],
    ['', 'refused', /not an IPv4 network/],
    ['fd00:1::/64', 'waiting', /IPv6 is looked at in a moment/],
    ['fd00:1::/129', 'refused', /not an IPv6 network/],
    ['\u001b[2J', 'refused', /not an IPv4 network/],
  ])('%j is %s', (subnet, state, why) => {
    const [verdict, ...more] = verdictsFor([network('app', subnet)], [], {}, ['172.30.5.3', 'fd00::1']);
    expect(verdict).toMatchObject({ state, why: expect.stringMatching(why) as unknown });
    expect(verdict?.subnet).not.toMatch(/\p{Cc}/u);
    expect(more).toEqual([]);
  });

  test('a gateway cannot be forced away; a resolver can, since it may be a container', () => {
    const subnets = ['192.168.1.0/25', '172.30.0.0/16'];
    const statesWith = (force: readonly string[]) =>
      verdictsFor([network('app', ...subnets)], [], { force }, ['172.30.5.3']).map(({ state }) => state);
    expect(statesWith([])).toEqual(['foreign', 'foreign']);
    expect(statesWith(subnets)).toEqual(['foreign', 'pending']);
  });

  test('a gateway that is the resolver too, as at home or on a telephone’s hotspot, is a gateway', () => {
    const subnets = ['192.168.1.0/24', '192.168.1.0/25'];
    for (const force of [[], subnets])
      for (const verdict of verdictsFor([network('app', ...subnets)], [], { force }, ['192.168.1.1']))
        expect(verdict).toMatchObject({
          state: 'foreign',
          why: expect.stringMatching(
            /192\.168\.1\.1, the gateway of the default route on en0, which is never .* Give the Docker network another/,
          ),
        });
  });

  // An iPhone's hotspot (macOS 14), and ZeroTier in the range of Docker's default bridge, one row of it bound to en0.
  const hotspot = [
    row('0.0.0.0/0', '172.20.10.1', 'en0', 'UGScg'),
    row('172.20.10.0/28', 'link#15', 'en0', 'UCS'),
    row('172.20.10.1/32', 'link#15', 'en0', 'UCS'),
    row('172.20.10.1/32', 'a:0:de:70:5:64', 'en0', 'UHLWIir'),
  ];
  const zerotier = [
    row('172.17.2.0/24', 'link#24', 'feth4913', 'UC'),
    row('192.168.9.20/32', '172.17.2.2', 'feth4913', 'UGSc'),
    row('192.168.10.11/32', '172.17.2.2', 'en0', 'UGSc'),
  ];
  const scoped = [
    row('0.0.0.0/0', '172.20.10.1', 'en5', 'UGScIg'),
    row('172.20.10.0/28', 'link#9', 'en5', 'UCSI'),
  ];
  const bare = [row('0.0.0.0/0', '172.20.10.1', 'en0', 'UGSc')];
  const neighbour = [...bare, row('172.20.10.1/32', 'a:0:de:70:5:64', 'en0', 'UHLWI')];
  const blackholed = [...bare, row('172.20.10.0/28', 'link#15', 'en0', 'UCSB')];
  const elsewhere = [...bare, row('172.20.10.0/28', 'link#9', 'en5', 'UCSI')];
  test.each<[string, readonly Route[], string, string]>([
    ['a hotspot’s, around it', hotspot, '172.20.0.0/16', 'pending'],
    ['a hotspot’s, of which a row of its own is left', hotspot, '172.20.10.0/29', 'pending'],
    ['ZeroTier’s', zerotier, '172.17.0.0/16', 'pending'],
    ['ZeroTier’s, the same prefix', zerotier, '172.17.2.0/24', 'foreign'],
    ['one of an interface’s own table', scoped, '172.20.0.0/16', 'pending'],
    ['one without any row', bare, '172.20.0.0/16', 'foreign'],
    ['one that only a neighbour’s row leads to', neighbour, '172.20.0.0/16', 'foreign'],
    ['one whose row swallows', blackholed, '172.20.0.0/16', 'foreign'],
    ['one whose row serves another interface alone', elsewhere, '172.20.0.0/16', 'foreign'],
  ])('a gateway that stays reached by a longer row can be forced: %s', (_name, rows, subnet, state) => {
    const resolvers = ['172.20.10.1'];
    expect(verdictsFor([network('app', subnet)], rows, {}, resolvers)).toMatchObject([{ state: 'foreign' }]);
    const [forced] = verdictsFor([network('app', subnet)], rows, { force: [subnet] }, resolvers);
    expect(forced?.state).toBe(state);
  });

  test('a gateway that would stay reached says by what, and that routes.force overrules it', () => {
    const [verdict] = verdictsFor([network('app', '172.20.0.0/16')], hotspot);
    expect(verdict?.why).toMatch(/172\.20\.10\.1, .* stay reached by 172\.20\.10\.1\/32\. .*routes\.force/);
  });

  test.each([['192.168.65.0/28'], ['192.168.65.0/24'], ['192.168.64.0/20']])(
    '%s, where Docker Desktop’s VM has its own gateway, is refused with that word, unless forced',
    (subnet) => {
      expect(verdictsFor([network('app', subnet)])).toMatchObject([
        {
          state: 'refused',
          why: expect.stringMatching(/192\.168\.65\.0\/24.*Docker Desktop’s VM/) as unknown,
        },
      ]);
      expect(verdictsFor([network('app', subnet)], [], { force: [subnet] })).toMatchObject([
        { state: 'pending' },
      ]);
    },
  );

  test('somebody’s own row through the tap stays, is told, and holds nothing up once it is gone', () => {
    const theirs = row('172.18.0.0/16', 'tap1', 'tap1', 'USc');
    const networks = [network('app', '172.18.0.0/16')];
    expect(verdictsFor(networks, [theirs])).toMatchObject([
      { state: 'foreign', why: expect.stringMatching(/172\.18\.0\.0\/16 on tap1.*take that route away/) },
    ]);
    expect(plan(config, startedMac(networks, [...lan, theirs]), up).map(({ key }) => key)).not.toContain(
      'route 172.18.0.0/16',
    );
    expect(verdictsFor(networks)).toMatchObject([{ state: 'pending' }]);
  });

  test('the Mac’s own address on a row is no gateway: whoever needs the subnet can force it', () => {
    const alias = row('10.254.254.254/32', '10.254.254.254', 'lo0', 'UH');
    const [verdict] = verdictsFor([network('app', '10.254.0.0/16')], [alias]);
    expect(verdict).toMatchObject({
      state: 'foreign',
      why: expect.stringContaining('list the subnet in routes.force'),
    });
    const [forced] = verdictsFor([network('app', '10.254.0.0/16')], [alias], { force: ['10.254.0.0/16'] });
    expect(forced?.state).toBe('pending');
  });

  test('an engine that tells of more subnets than anybody has gets two thousand of them, and of as many a reason', () => {
    const networks = Array.from({ length: 40_000 }, (_, index) =>
      network(`n${index}`, `10.${index >> 8}.${index & 255}.0/24`),
    );
    const began = performance.now();
    const verdicts = verdictsFor(networks);
    expect(performance.now() - began).toBeLessThan(5000);
    expect(verdicts).toHaveLength(4001);
    expect(verdicts.filter(({ state }) => state === 'pending').length).toBeLessThanOrEqual(2000);
    expect(verdicts.at(-2)).toMatchObject({ state: 'refused', why: 'more than 2000 subnets are not routed' });
    expect(verdicts.at(-1)).toMatchObject({ state: 'refused', why: 'and 36000 more that are not routed' });
  });

  test('resolvers that are not known are not none: nothing new is added, nothing is taken away', () => {
    const seenRoutes = [...lan, ours];
    const observation = {
      ...startedMac([network('a', '172.18.0.0/16'), network('b', '172.19.0.0/16')], seenRoutes),
      resolvers: unknown('scutil --dns: took longer than 10 s'),
    };
    const memory = { ...up, ownedRoutes: ownedRoutes('172.18.0.0/16') };
    expect(judgeRoutes(config, observation, memory).map(({ state }) => state)).toEqual(['routed', 'waiting']);
    expect(plan(config, observation, memory).filter(({ kind }) => kind.endsWith('route'))).toEqual([]);
    const { findings } = judgeConditions(config, observation, memory, []);
    expect(findings).toContainEqual(expect.objectContaining({ type: 'Routes', reason: 'ResolversUnknown' }));
  });
});

describe('conflicts, by the longest prefix', () => {
  const vpn = (destination: string, flags = 'UGSc') => row(destination, '10.80.0.1', 'utun4', flags);
  test.each([
    [
      'the same prefix',
      vpn('172.18.0.0/16'),
      'foreign',
      /172\.18\.0\.0\/16 via 10\.80\.0\.1 on utun4.*cannot be forced/,
    ],
    ['less specific', vpn('172.16.0.0/12'), 'foreign', /ours would win and cut the subnet out of theirs/],
    ['more specific', vpn('172.18.5.0/24'), 'foreign', /ours would claim the addresses around it/],
    ['a host within', vpn('172.18.5.9/32', 'UGHS'), 'foreign', /172\.18\.5\.9\/32/],
    [
      'through an interface',
      row('172.16.0.0/12', 'utun4', 'utun4', 'USc'),
      'foreign',
      /172\.16\.0\.0\/12 on utun4:/,
    ],
    ['half of a full tunnel', vpn('128.0.0.0/1'), 'pending', /not in/],
    ['a share of a full tunnel', vpn('160.0.0.0/3'), 'pending', /not in/],
    ['beside it', vpn('172.19.0.0/16'), 'pending', /not in/],
    ['a neighbour’s row', row('172.18.0.9/32', '0:1:2:3:4:5', 'en5', 'UHLWI'), 'pending', /not in/],
    ['a gateway row scoped to an interface', vpn('172.18.0.0/16', 'UGScI'), 'pending', /not in/],
    [
      'a scoped network of an interface',
      row('172.18.5.0/24', 'link#9', 'en5', 'UCSI'),
      'foreign',
      /the network of en5/,
    ],
    [
      'a virtual machine’s bridge',
      row('172.18.64.0/24', 'link#20', 'bridge1', 'UC'),
      'foreign',
      /the network of bridge1/,
    ],
    ['made by hand through our peer', ours, 'routed', /not tuntapd’s and stays/],
    ['wider, by hand through our peer', { ...ours, destination: net('172.16.0.0/12') }, 'pending', /not in/],
  ])('%s', (_name, other, state, why) => {
    const [verdict] = verdictsFor([network('app', '172.18.0.0/16')], [other]);
    expect(verdict).toMatchObject({ state, why: expect.stringMatching(why) as unknown });
  });

  test.each([
    ['172.16.0.0/12', 'pending'],
    ['172.18.5.0/24', 'pending'],
    // The kernel keeps one route of a prefix (`File exists`), and a foreign one is never deleted.
    ['172.18.0.0/16', 'foreign'],
  ])('routes.force over %s: %s', (claim, state) => {
    const force = { force: ['172.18.0.0/16'] };
    const [verdict] = verdictsFor([network('app', '172.18.0.0/16')], [vpn(claim)], force);
    expect(verdict?.state).toBe(state);
  });

  test('Tailscale’s 100.64/10 is foreign, also when allowed', () => {
    const allow = { allow: ['100.64.0.0/10'] };
    const tailscale = row('100.64.0.0/10', 'link#22', 'utun5', 'UCS');
    const [verdict] = verdictsFor([network('app', '100.100.0.0/16')], [tailscale], allow);
    expect(verdict).toMatchObject({ state: 'foreign', why: expect.stringContaining('utun5') as unknown });
  });

  test('a claim that comes later withdraws our route, and leaves its own alone', () => {
    const observation = startedMac([network('app', '172.18.0.0/16')], [...lan, ours, vpn('172.16.0.0/12')]);
    const memory = { ...up, ownedRoutes: ownedRoutes('172.18.0.0/16') };
    const steps = plan(config, observation, memory).filter(({ kind }) => kind.endsWith('route'));
    expect(steps).toEqual([
      expect.objectContaining({
        kind: 'delete-route',
        subnet: '172.18.0.0/16',
        why: expect.stringContaining('utun4') as unknown,
      }),
    ]);
  });

  test.each([
    ['gateway', { ...ours, gateway: '10.80.0.1' }],
    ['interface and gateway', { ...ours, gateway: 'utun4', interface: 'utun4' }],
  ])('a route of ours whose %s somebody changed is theirs from then on', (_name, theirs) => {
    const memory = { ...up, ownedRoutes: ownedRoutes('172.18.0.0/16') };
    expect(
      plan(config, startedMac([], [...lan, theirs]), memory).filter(({ kind }) => kind.endsWith('route')),
    ).toEqual([]);
  });
});

test('Docker networks that overlap: the one that is routed stays, then the first by id; the other is told which', () => {
  const networks = [
    network('a', '172.18.0.0/16'),
    network('b', '172.18.0.0/16', '172.18.4.0/24', '172.19.0.0/16'),
  ];
  expect(verdictsFor(networks)).toEqual([
    expect.objectContaining({ network: 'a', state: 'pending' }),
    expect.objectContaining({
      subnet: '172.18.0.0/16',
      state: 'refused',
      why: 'Docker network a already has it',
    }),
    expect.objectContaining({
      subnet: '172.18.4.0/24',
      state: 'refused',
      why: 'Docker network a has 172.18.0.0/16, which overlaps it',
    }),
    expect.objectContaining({ subnet: '172.19.0.0/16', state: 'pending' }),
  ]);
});

describe('which networks', () => {
  const like = (change: Partial<DockerNetwork>) => ({ ...network('app_web', '172.18.0.0/16'), ...change });
  test.each<[Partial<DockerNetwork>, RegExp]>([
    [{ driver: 'host' }, /VM’s own addresses/],
    [{ driver: 'null' }, /no network/],
    [{ driver: 'macvlan' }, /outer network/],
    [{ driver: 'ipvlan', options: { ipvlan_mode: 'l3' } }, /ipvlan \(l3\)/],
    [{ driver: 'overlay', scope: 'swarm' }, /swarm/],
    [{ scope: 'swarm' }, /swarm/],
    [{ internal: true }, /internal/],
    [{ driver: 'weave' }, /weave is not known/],
    [{ options: { 'com.docker.network.bridge.inhibit_ipv4': 'true' } }, /no address in the VM.*inhibit_ipv4/],
    [{ options: { 'com.docker.network.bridge.inhibit_ipv4': '1' } }, /no address in the VM/],
    [
      { options: { 'com.docker.network.bridge.gateway_mode_ipv4': 'isolated' } },
      /no address in the VM.*isolated/,
    ],
  ])('%j is refused with the reason', (change, why) => {
    expect(verdictsFor([like(change)])).toEqual([
      expect.objectContaining({ state: 'refused', why: expect.stringMatching(why) as unknown }),
    ]);
  });

  test.each<[string, string]>([
    ['com.docker.network.bridge.inhibit_ipv4', 'false'],
    ['com.docker.network.bridge.gateway_mode_ipv4', 'routed'],
    ['com.docker.network.bridge.name', 'br0'],
  ])('with %s=%s the VM has the subnet on its bridge, and it is routed', (option, value) => {
    expect(verdictsFor([like({ options: { [option]: value } })])).toMatchObject([{ state: 'pending' }]);
  });

  test('the two of every engine that have no subnet are told as well, with their own reason', () => {
    const without = [
      like({ driver: 'host', subnets: [] }),
      like({ driver: 'null', name: 'none', subnets: [] }),
    ];
    expect(verdictsFor(without)).toEqual([
      expect.objectContaining({ subnet: '-', why: 'its containers use the VM’s own addresses' }),
      expect.objectContaining({ subnet: '-', why: 'its containers have no network' }),
    ]);
  });

  test.each<[string, string]>([
    ['app_*', 'refused'],
    ['app_web', 'refused'],
    ['*', 'refused'],
    ['driver=bridge', 'refused'],
    ['label=private', 'refused'],
    ['label=private=yes', 'refused'],
    ['label=private=no', 'pending'],
    ['label=toString', 'pending'],
    ['driver=macvlan', 'pending'],
    ['app', 'pending'],
    ['APP_*', 'pending'],
  ])('routes.exclude = [%j]: %s', (entry, state) => {
    const [verdict] = verdictsFor([like({ labels: { private: 'yes' } })], [], { exclude: [entry] });
    expect(verdict?.state).toBe(state);
  });

  test('routes.include alone decides what is left, and exclude has the last word', () => {
    const networks = [network('minikube', '192.168.49.0/24'), network('other', '172.18.0.0/16')];
    const states = (settings: Record<string, unknown>) =>
      verdictsFor(networks, [], settings).map(({ state }) => state);
    expect(states({ include: ['mini*'] })).toEqual(['pending', 'refused']);
    expect(states({ include: ['mini*'], exclude: ['driver=bridge'] })).toEqual(['refused', 'refused']);
  });

  test('every IPAM subnet is judged, and a network without one is named', () => {
    expect(
      verdictsFor([network('two', '172.18.0.0/16', 'fd00::/64', '172.19.1.7/16'), network('none')]),
    ).toEqual([
      expect.objectContaining({ subnet: '172.18.0.0/16', state: 'pending' }),
      expect.objectContaining({ subnet: 'fd00::/64', state: 'waiting' }),
      expect.objectContaining({ subnet: '172.19.0.0/16', state: 'pending' }),
      expect.objectContaining({ subnet: '-', network: 'none', state: 'refused' }),
    ]);
  });

  test('a pattern means what a regular expression with .* for * means', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
    fc.assert(
      fc.property(word, word, (pattern, text) => {
        expect(matches(pattern, text)).toBe(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(text));
      }),
    );
  });
});

describe('the link itself', () => {
  const routesOf = (
    networks: readonly DockerNetwork[],
    routes: readonly Route[],
    settings = {},
    resolvers: readonly string[] = ['9.9.9.9'],
  ) => {
    const chosen = configSchema.parse({ routes: settings });
    const observation = {
      ...startedMac(networks, [...lan, ...routes]),
      resolvers: seen(resolversAt(...resolvers)),
    };
    const { phase, findings } = judgeConditions(chosen, observation, up, []);
    return {
      phase,
      address: findings.find(({ type }) => type === 'TapAddress'),
      kinds: plan(chosen, observation, up).map(({ kind }) => kind),
    };
  };

  test.each([
    [
      'a VPN’s 10/8',
      [],
      row('10.0.0.0/8', '10.8.0.1', 'utun3', 'UGSc'),
      /10\.0\.0\.0\/8 via 10\.8\.0\.1 on utun3/,
    ],
    [
      'another interface’s network',
      [],
      row('10.0.75.0/24', 'link#7', 'bridge10', 'UC'),
      /the network of bridge10/,
    ],
    [
      'a Docker network',
      [network('odd', '10.0.0.0/16')],
      ours,
      /in the VM by Docker network odd \(10\.0\.0\.0\/16\)/,
    ],
  ])(
    'is taken by %s: nothing is addressed, and a person is told what to do',
    (_name, networks, other, why) => {
      const { phase, address, kinds } = routesOf(networks, [other]);
      expect(kinds).toEqual([]);
      expect(phase).toBe('blocked');
      expect(address).toMatchObject({
        status: 'False',
        reason: 'LinkCollision',
        message: expect.stringMatching(why) as unknown,
      });
      expect(address?.message).toMatch(
        /sudo tuntapctl config set tap\.address (10|192\.168)\.\S+\.253 tap\.peer \S+\.254/,
      );
    },
  );

  test.each<[string, string[], string]>([
    ['10.0.75.0/24', [], '10.255.255.253'],
    ['10.0.0.0/8', [], '192.168.255.253'],
    ['10.0.0.0/8', ['192.168.240.0/20'], '172.31.255.253'],
    ['10.0.0.0/8', ['192.168.0.0/16', '172.16.0.0/12'], '198.19.255.253'],
  ])('of a VPN’s %s and Docker’s %j the pair that it is told has nothing', (theirs, dockers, free) => {
    const vpn = row(theirs, '10.8.0.1', 'utun3', 'UGSc');
    const networks = dockers.map((subnet) => network(subnet, subnet));
    expect(routesOf(networks, [vpn]).address?.message).toContain(
      `config set tap.address ${free} tap.peer ${free.replace(/3$/, '4')}`,
    );
    const moved = configSchema.parse({ tap: { address: free, peer: free.replace(/3$/, '4') } });
    expect(linkCollision(moved, { ...startedMac(networks, [...lan, vpn]) })).toBeNull();
  });

  test.each<[string, readonly Route[], readonly string[], RegExp]>([
    ['a resolver', [], ['10.0.75.2'], /10\.0\.75\.2, a DNS resolver of this Mac/],
    [
      'a gateway',
      [row('10.9.0.0/16', '10.0.75.1', 'utun4', 'UGSc')],
      [],
      /10\.0\.75\.1, the gateway of 10\.9\.0\.0\/16 on utun4/,
    ],
    [
      'the address that a VPN gave the Mac',
      [row('10.0.75.1/32', '10.0.75.1', 'utun4', 'UH')],
      [],
      /10\.0\.75\.1\/32 via 10\.0\.75\.1 on utun4/,
    ],
  ])('is not put over %s', (_name, rows, resolvers, why) => {
    const { kinds, address } = routesOf([], rows, {}, resolvers);
    expect(kinds).toEqual([]);
    expect(address).toMatchObject({
      reason: 'LinkCollision',
      message: expect.stringMatching(why) as unknown,
    });
  });

  test.each<[string, Route, boolean]>([
    ['what is around it', row('10.0.0.0/8', '10.8.0.1', 'utun3', 'UGSc'), true],
    [
      'the very same network, of which the kernel keeps one',
      row('10.0.75.0/30', 'link#7', 'utun3', 'UC'),
      false,
    ],
    ['one end', row('10.0.75.2/32', '10.0.75.1', 'utun3', 'UH'), false],
  ])('routes.force overrules %s: %s %s', (_name, theirs, works) => {
    const forced = routesOf([], [theirs], { force: ['10.0.75.0/30'] });
    expect(forced.kinds.includes('address-tap')).toBe(works);
    expect(routesOf([], [theirs]).address?.message.includes('routes.force')).toBe(works);
  });

  test('a Docker network around it cannot be overruled: the VM would lose a part of one of the two', () => {
    const forced = routesOf([network('odd', '10.0.0.0/16')], [], { force: ['10.0.75.0/30'] });
    expect(forced.kinds).not.toContain('address-tap');
    expect(forced.address?.message).toContain('or remove that network');
  });

  test('a resolver that is the VM itself can be told by routes.force', () => {
    expect(routesOf([], [], {}, ['10.0.75.2']).address?.message).toContain(
      'list 10.0.75.0/30 in routes.force',
    );
    expect(routesOf([], [], { force: ['10.0.75.0/30'] }, ['10.0.75.2']).kinds).toContain('address-tap');
  });

  test.each<[string, Partial<Observation>]>([
    ['routing table', { routes: unknown('netstat: took longer than 10 s') }],
    ['resolvers', { resolvers: unknown('scutil --dns: took longer than 10 s') }],
  ])('waits until the %s can be read, and says so', (_name, blind) => {
    const observation = { ...startedMac([]), ...blind };
    expect(plan(config, observation, up).map(({ kind }) => kind)).not.toContain('address-tap');
    expect(judgeConditions(config, observation, up, []).findings).toContainEqual({
      type: 'TapAddress',
      status: 'Unknown',
      reason: 'NotSeen',
      message: expect.stringContaining('took longer than 10 s') as unknown,
    });
  });

  test('without any such pair the keys are named', () => {
    const vpns = ['10.0.0.0/8', '192.168.0.0/16', '172.16.0.0/12', '198.18.0.0/15'].map((range) =>
      row(range, '10.8.0.1', 'utun3', 'UGSc'),
    );
    expect(routesOf([], vpns).address?.message).toContain('set tap.address and tap.peer to a pair');
  });

  test('it is not taken by its own rows, a full tunnel, or when routes.force has it', () => {
    const own = row('10.0.75.1/32', '10.0.75.1', 'lo0', 'UH');
    expect(routesOf([], [own, row('0.0.0.0/1', 'utun3', 'utun3', 'UScg')]).kinds).toContain('address-tap');
    const vpn = row('10.0.0.0/8', '10.8.0.1', 'utun3', 'UGSc');
    expect(routesOf([], [vpn], { force: ['10.0.75.0/30'] }).kinds).toContain('address-tap');
  });
});

test('a thousand networks and a full table are judged at once', () => {
  const networks = Array.from({ length: 1000 }, (_, index) =>
    network(`n${index}`, `10.${100 + (index >> 8)}.${index & 255}.0/24`),
  );
  const table = networks.map(({ subnets: [subnet] }) => ({ ...ours, destination: net(subnet?.text ?? '') }));
  const began = performance.now();
  expect(verdictsFor(networks, table).filter(({ state }) => state === 'routed')).toHaveLength(1000);
  expect(performance.now() - began).toBeLessThan(1000);
});

test('what CIDR text says is read as it is, and written back the same', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.integer({ min: 0, max: 32 }),
      (address, prefix) => {
        const quad = [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
        const network = net(`${quad}/${prefix}`);
        expect(parsePrefix(network.text)).toEqual(network);
        expect(network.bits).toHaveLength(prefix);
        expect(overlaps(network, parseAddress(quad) ?? net('0.0.0.0/32'))).toBe(true);
      },
    ),
  );
});
