import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { configSchema } from '../../../config/schema.js';
import { parseConfig } from '../../../config/parse.js';
import { type DockerNetwork, type Route, seen } from '../../../daemon/core/observation.js';
import { type RouteVerdict } from '../../../daemon/core/routes/verdicts.js';
import { applied, lan, network, resolversAt, route, startedMac, up, type World } from './worlds.js';
import { judgeRoutes, plan } from './judged.js';
import { lan6, with6 } from './worlds6.js';

const settled = (world: World, settings: Record<string, unknown>): World => {
  const config = configSchema.parse({ routes: settings });
  let now = world;
  for (let round = 0; round < 8; round += 1)
    for (const step of plan(config, now.observation, now.memory)) now = applied(now, step);
  expect(plan(config, now.observation, now.memory)).toEqual([]);
  return now;
};

const routedIn = ({ observation: { routes } }: World): string[] =>
  (routes.known ? routes.value : [])
    .filter(({ gateway }) => gateway === '10.0.75.2')
    .map(({ destination }) => destination.text);

const startedWith = (networks: readonly DockerNetwork[], rows: readonly Route[] = []): World => ({
  observation: startedMac(networks, [...lan, ...rows]),
  memory: up,
});

const verdictsFor = (
  settings: Record<string, unknown>,
  networks: readonly DockerNetwork[] = [],
  rows: readonly Route[] = [],
  resolvers: readonly string[] = ['9.9.9.9'],
): readonly RouteVerdict[] =>
  judgeRoutes(
    configSchema.parse({ routes: settings }),
    { ...startedMac(networks, [...lan, ...rows]), resolvers: seen(resolversAt(...resolvers)) },
    up,
  );

test('what routes.extra lists is routed beside Docker’s, and no longer when it lists it no longer', () => {
  const docker = [network('bridge', '172.17.0.0/16')];
  const extra = ['10.96.0.0/12', '10.1.0.0/16'];
  const routed = settled(startedWith(docker), { extra });
  expect(routedIn(routed)).toEqual(['172.17.0.0/16', ...extra]);
  expect(routedIn(settled(routed, { extra: ['10.1.0.0/16'] }))).toEqual(['172.17.0.0/16', '10.1.0.0/16']);
  expect(routedIn(settled(routed, {}))).toEqual(['172.17.0.0/16']);
  expect(routedIn(settled(routed, { extra, manage: false }))).toEqual([]);
});

const vpn = route({
  destination: '10.0.0.0/8',
  gateway: '10.8.0.1',
  interface: 'utun3',
  flags: 'UGSc',
});
test.each<[string, string, string, RegExp]>([
  ['outside of routes.allow', '100.64.0.0/10', 'refused', /routes\.allow.*routes\.minPrefix/],
  ['too large', '10.0.0.0/8', 'refused', /routes\.minPrefix/],
  ['over the link', '10.0.64.0/18', 'refused', /own link/],
  ['in a VPN’s range', '10.96.0.0/12', 'foreign', /utun3.*Take the subnet out of routes\.extra, or list/],
  ['over a resolver', '172.30.0.0/16', 'foreign', /172\.30\.5\.3, a DNS resolver.*Take the subnet out of/],
  ['over the gateway', '192.168.1.0/24', 'foreign', /gateway of the default route.*Take the subnet out of/],
])('one that lies %s is refused as a Docker network’s would be', (_what, subnet, state, why) => {
  expect(verdictsFor({ extra: [subnet] }, [], [vpn], ['172.30.5.3'])).toMatchObject([
    { subnet, network: 'routes.extra', state, why: expect.stringMatching(why) as unknown },
  ]);
});

test.each<[string, string, RegExp]>([
  ['outside of ipv6.allow', '2001:db8::/64', /ipv6\.allow/],
  ['too large', 'fd00::/16', /ipv6\.minPrefix/],
])('one of IPv6 that lies %s is refused as a Docker network’s would be', (_what, subnet, why) => {
  const judge = (ipv6: object) =>
    judgeRoutes(
      configSchema.parse({ routes: { extra: [subnet] }, ipv6 }),
      with6(startedMac([]), [...lan6]),
      up,
    );
  expect(judge({})).toMatchObject([
    { subnet, network: 'routes.extra', state: 'refused', why: expect.stringMatching(why) as unknown },
  ]);
  expect(judge({ manage: false })).toMatchObject([
    { subnet, network: 'routes.extra', state: 'refused', why: expect.stringContaining('ipv6.manage') },
  ]);
});

test('routes.force has it in spite of a VPN; routes.include and routes.exclude do not count', () => {
  const extra = ['10.96.0.0/12'];
  expect(verdictsFor({ extra, force: extra }, [], [vpn])).toMatchObject([{ state: 'pending' }]);
  expect(verdictsFor({ extra, include: [], exclude: ['*'] })).toMatchObject([{ state: 'pending' }]);
});

test('a Docker network within it, around it or the same stays routed, and goes without taking it along', () => {
  const extra = ['10.96.0.0/12', '10.96.4.9/24', '10.96.4.0/24'];
  const docker = [
    network('within', '10.100.0.0/16'),
    network('same', '10.96.4.0/24'),
    network('else', '172.18.0.0/16'),
  ];
  const routed = settled(startedWith(docker), { extra });
  const all = ['10.100.0.0/16', '10.96.0.0/12', '10.96.4.0/24', '172.18.0.0/16'];
  expect(routedIn(routed).toSorted()).toEqual(all);
  const { observation } = routed;
  const { engine } = observation;
  if (!engine.known || !engine.value) throw new Error('no engine');
  const alone = { ...observation, engine: seen({ ...engine.value, networks: [] }) };
  expect(routedIn(settled({ ...routed, observation: alone }, { extra })).toSorted()).toEqual([
    '10.96.0.0/12',
    '10.96.4.0/24',
  ]);
});

test('it changes nothing of what becomes of any Docker network', () => {
  const subnet = fc
    .tuple(fc.constantFrom('10.96', '10.100', '172.17', '192.168', '8.8'), fc.constantFrom(8, 12, 16, 24))
    .map(([begin, prefix]) => `${begin}.0.0/${prefix}`);
  fc.assert(
    fc.property(fc.array(subnet, { maxLength: 5 }), fc.array(subnet, { maxLength: 4 }), (subnets, extra) => {
      const docker = subnets.map((text, index) => network(`n${index}`, text));
      const verdicts = verdictsFor({ extra }, docker);
      expect(verdicts.filter(({ network: name }) => name !== 'routes.extra')).toEqual(
        verdictsFor({}, docker),
      );
      const wanted = verdicts.filter(({ state }) => state === 'pending').map(({ subnet: each }) => each);
      expect(new Set(wanted).size).toBe(wanted.length);
    }),
  );
});

test('one that is no network is told by key and line', () => {
  expect(() => parseConfig('[routes]\nextra = ["pods"]\n', 'config.toml')).toThrow(
    /line 2: routes\.extra\[0\] = "pods" is not allowed; it must be a network, like/,
  );
});
