/** A user's engine may say what it likes: what root tells of it stays small enough to be read by whoever asks. */
import { afterEach, expect, test } from '@jest/globals';
import { type Status, statusSchema } from '../../../daemon/api/messages.js';
import { conditionTypes } from '../../../daemon/api/reasons/record.js';
import { connectEngine } from '../../../daemon/guest/engine-client.js';
import { listNetworks } from '../../../daemon/guest/networks.js';
import { type Container, type DockerNetwork, seen, unknown } from '../../../daemon/core/observation.js';
import { datedConditions, statusOf } from '../../../daemon/core/status.js';
import type { Step } from '../../../daemon/core/steps.js';
import { fakeEngine, type FakeEngine } from '../guest/fake-engine.js';
import { config, startedMac, subnetsOf, up } from './worlds.js';
import { judgeConditions, judgeRoutes, lookAt } from './judged.js';

const maxStatus = 1024 * 1024;
/** Three bytes each. */
const long = (length: number): string => '€'.repeat(length);

let engine: FakeEngine | null = null;
afterEach(async () => engine?.close());

async function listed(count: number, network: (index: number) => object): Promise<readonly DockerNetwork[]> {
  engine = await fakeEngine();
  engine.networks = Array.from({ length: count }, (_, index) => network(index));
  return listNetworks(await connectEngine(engine.dial), {});
}

function statusWith(networks: readonly DockerNetwork[], words = ''): Status {
  const base = startedMac(networks);
  const observation = words === '' ? base : { ...base, resolvers: unknown(words), bundles: unknown(words) };
  const step: Step = {
    kind: 'delete-route',
    key: '',
    why: '',
    subnet: '',
    gateway: '',
    interface: '',
  };
  const failures =
    words === ''
      ? []
      : [{ step, condition: 'Routes' as const, reason: 'Failed' as const, message: words, blocked: false }];
  const { phase, findings } = judgeConditions(config, observation, up, failures);
  return statusOf({
    pid: 1,
    since: 'now',
    phase,
    conditions: datedConditions(findings, [], 'now'),
    routes: judgeRoutes(config, observation, up),
    names: { state: 'off' },
    ...lookAt(config, observation),
  });
}

const subnetOf = (index: number): string => `10.${100 + (index >> 8)}.${index & 255}.0/24`;

test('1000 networks with names and labels of 10 KB are more than is read', async () => {
  const words = 'x'.repeat(10_240);
  await expect(
    listed(1000, (index) => ({ Id: `${index}`, Name: words, Driver: 'bridge', Labels: { [words]: words } })),
  ).rejects.toThrow('larger than');
});

test.each<[string, (index: number) => object]>([
  ['each overlap the one before', () => ({ IPAM: { Config: [{ Subnet: '10.99.0.0/24' }] } })],
  ['have a subnet each', (index) => ({ IPAM: { Config: [{ Subnet: subnetOf(index) }] } })],
  ['have a driver of nobody’s', () => ({ Driver: long(60), IPAM: { Config: [{ Subnet: long(60) }] } })],
  [
    'have ten subnets each',
    (index) => ({
      IPAM: {
        Config: Array.from({ length: 10 }, (_, which) => ({ Subnet: `${index}.${which}.${long(60)}` })),
      },
    }),
  ],
])('as many networks as are read, which %s, leave a status of less than 1 MiB', async (_what, more) => {
  const networks = await listed(3500, (index) => ({
    Id: `${index}`,
    Name: `${index}${long(90)}`,
    Driver: 'bridge',
    ...more(index),
  }));
  expect(networks).toHaveLength(3500);
  const status = statusWith(networks);
  expect(Buffer.byteLength(JSON.stringify(status))).toBeLessThan(maxStatus);
  expect(status.engine).toMatchObject({ networks: 3500 });
  expect(status.routes.at(-1)?.why).toMatch(/^and \d+ more/);
  expect(statusSchema.safeParse(status).success).toBe(true);
});

test('words of megabytes leave a status of less than 1 MiB', () => {
  const status = statusWith([], long(1_000_000));
  expect(Buffer.byteLength(JSON.stringify(status))).toBeLessThan(maxStatus);
});

const container = (
  name: string,
  labels: Container['labels'],
  endpoints: Container['endpoints'],
): Container => ({
  id: name,
  name,
  labels,
  paused: false,
  networkMode: 'bridge',
  endpoints,
  ports: [
    { port: 80, protocol: 'tcp', published: [] },
    { port: 53, protocol: 'udp', published: [] },
  ],
});
const end = (network: string, ipv4: string | null): Container['endpoints'][number] => ({
  id: network,
  networkId: network,
  network,
  ipv4,
  ipv6: null,
  aliases: null,
});
const withContainers = (containers: readonly Container[]): Status => {
  const { engine } = startedMac([]);
  if (!engine.known || !engine.value) throw new Error('there is an engine');
  const observation = { ...startedMac([]), engine: seen({ ...engine.value, containers: seen(containers) }) };
  return statusOf({
    pid: 1,
    since: 'now',
    phase: 'ready',
    conditions: [],
    routes: [],
    names: { state: 'off' },
    ...lookAt(config, observation),
  });
};

test('of IPv6 the addresses that are reached are told, and both ends of the link', () => {
  const { engine } = startedMac([]);
  if (!engine.known || !engine.value) throw new Error('there is an engine');
  const both = { ...end('app', '172.18.0.2'), ipv6: 'fd00:dead::2' };
  const elsewhere = { ...end('lan', '172.19.0.2'), ipv6: '2001:db8::2' };
  const containers = [
    container('web', {}, [both, elsewhere]),
    container('only6', {}, [{ ...both, ipv4: null }]),
  ];
  const observation = { ...startedMac([]), engine: seen({ ...engine.value, containers: seen(containers) }) };
  const look = lookAt(config, { ...observation, ipv6: { routes: seen([]) } });
  const status = statusOf({
    ...{ pid: 1, since: 'now', phase: 'ready', conditions: [], names: { state: 'off' } },
    routes: [
      { subnet: 'fd00:dead::/64', network: 'app', state: 'routed', why: '' },
      { subnet: '2001:db8::/64', network: 'lan', state: 'refused', why: '' },
    ],
    ...look,
    link6: look.link6 ?? null,
  });
  expect(statusSchema.parse(status).containers?.map(({ name, endpoints }) => [name, endpoints])).toEqual([
    [
      'web',
      [
        { network: 'app', address: '172.18.0.2' },
        { network: 'app', address: 'fd00:dead::2' },
        { network: 'lan', address: '172.19.0.2' },
      ],
    ],
    ['only6', [{ network: 'app', address: 'fd00:dead::2' }]],
  ]);
  expect(status.link?.ipv6).toEqual({
    address: 'fd3e:d10f:52ef:75::1',
    peer: 'fd3e:d10f:52ef:75::2',
    network: 'fd3e:d10f:52ef:75::/126',
    state: 'present',
  });
  expect(withContainers([]).link).not.toHaveProperty('ipv6');
});

test('containers are told with compose’s labels, and with the addresses that they have', () => {
  const labels = { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'db\u202e' };
  const status = withContainers([
    container('db', labels, [end('shop_default', '172.18.0.2'), end('none', null)]),
    container('host', {}, []),
  ]);
  const endpoints = [{ network: 'shop_default', address: '172.18.0.2' }];
  expect(status).not.toHaveProperty('moreContainers');
  expect(status.containers).toEqual([
    { id: 'db', name: 'db', project: 'shop', service: 'db', endpoints, ports: [80] },
    { id: 'host', name: 'host', project: null, service: null, endpoints: [], ports: [80] },
  ]);
  expect(statusSchema.safeParse(status).success).toBe(true);
});

test('containers that are not known are left out, not told to be none', () => {
  const { engine } = startedMac([]);
  if (!engine.known || !engine.value) throw new Error('there is an engine');
  const observation = {
    ...startedMac([]),
    engine: seen({ ...engine.value, containers: unknown('not asked') }),
  };
  const parts = {
    pid: 1,
    since: 'now',
    phase: 'ready' as const,
    conditions: [],
    routes: [],
    names: { state: 'off' as const },
  };
  expect(statusOf({ ...parts, ...lookAt(config, observation) }).containers).toBeUndefined();
});

test('thousands of containers leave a status of less than 1 MiB', () => {
  const labels = { 'com.docker.compose.project': long(5000) };
  const status = withContainers(
    Array.from({ length: 5000 }, (_, index) =>
      container(`${index}${long(90)}`, labels, [end(long(90), '172.18.0.2')]),
    ),
  );
  expect(Buffer.byteLength(JSON.stringify(status))).toBeLessThan(maxStatus);
  const told = status.containers?.length ?? 0;
  expect(told).toBeGreaterThan(100);
  expect(told + (status.moreContainers ?? 0)).toBe(5000);
});

test('nor do networks, containers and names together, each as many as are told', () => {
  const wide = '\u{1f30a}'.repeat(40);
  const { engine } = startedMac([]);
  if (!engine.known || !engine.value) throw new Error('there is an engine');
  const names = Array.from({ length: 20_000 }, (_, index) => ({
    name: `${'x'.repeat(60)}.${index}`,
    addresses: ['172.18.0.2'],
    of: `container ${wide}`,
  }));
  const problems = Array.from({ length: 50 }, () => 'x'.repeat(700));
  const routes = Array.from({ length: 20_000 }, (_, index) => ({
    network: `${wide}${index}`,
    subnet: subnetOf(index % 5000),
    state: 'refused' as const,
    why: wide,
  }));
  const containers = Array.from({ length: 5000 }, (_, index) =>
    container(`${index}${long(90)}`, {}, [end(long(90), '172.18.0.2')]),
  );
  const conditions = conditionTypes.map((type) => ({
    type,
    status: 'False' as const,
    reason: 'Failed',
    message: '\u6f22'.repeat(10_000),
    since: 'now',
  }));
  const observation = { ...startedMac([]), engine: seen({ ...engine.value, containers: seen(containers) }) };
  const status = statusOf({
    pid: 1,
    since: 'now',
    phase: 'ready',
    conditions,
    routes,
    names: { state: 'known', zone: { zone: 'docker', names, problems } },
    ...lookAt(config, observation),
  });
  expect(Buffer.byteLength(JSON.stringify(status))).toBeLessThan(maxStatus);
  expect(status.names?.names.length).toBeGreaterThan(500);
  expect(status.names?.more).toBe(20_000 - (status.names?.names.length ?? 0));
});

test('hundreds of networks are told of one by one', () => {
  const networks = Array.from({ length: 800 }, (_, index): DockerNetwork => ({
    id: `${index}`,
    name: `project-${index}_default`,
    driver: 'bridge',
    scope: 'local',
    internal: false,
    labels: {},
    options: {},
    subnets: subnetsOf(subnetOf(index)),
  }));
  expect(statusWith(networks).routes).toHaveLength(800);
});
