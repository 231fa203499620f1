import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeZone, type NamedContainer, type Zone, zoneOf } from '../../../daemon/core/names/zone.js';
import type { RouteVerdict } from '../../../daemon/core/routes/verdicts.js';
import { contains, parseAddress, parsePrefix } from '../../../daemon/lib/prefix.js';

const routed = (network: string, subnet: string, state: RouteVerdict['state'] = 'routed'): RouteVerdict => ({
  network,
  subnet,
  state,
  why: '',
});

const routes = [
  routed('bridge', '172.17.0.0/16'),
  routed('shop_default', '172.18.0.0/16'),
  routed('back', '172.19.0.0/16'),
  routed('internal', '172.20.0.0/16', 'refused'),
];

const on = (network: string, ipv4: string, ...aliases: string[]): NamedContainer['endpoints'][number] => ({
  network,
  ipv4,
  ipv6: null,
  aliases,
});

let count = 0;
const container = (
  name: string,
  endpoints: NamedContainer['endpoints'],
  labels: Record<string, string> = {},
): NamedContainer => ({
  id: (count += 1).toString(16).padStart(64, '0'),
  name,
  labels,
  networkMode: endpoints[0]?.network ?? 'none',
  endpoints,
});

const compose = (project: string, service: string, number: number): Record<string, string> => ({
  'com.docker.compose.project': project,
  'com.docker.compose.service': service,
  'com.docker.compose.container-number': String(number),
});

const namesOf = (...containers: NamedContainer[]): Zone => zoneOf('docker', containers, routes, parsePrefix);
const told = ({ names }: Zone): Record<string, string> =>
  Object.fromEntries(names.map(({ name, addresses }) => [name, addresses.join(' ')]));

test('a container that is reached by both has addresses of both, and of IPv6 only those that are routed', () => {
  const both = { ...on('app', '172.21.0.2'), ipv6: 'FD00:DEAD:0:0::2' };
  const ways = [routed('app', '172.21.0.0/16'), routed('app', 'fd00:dead::/64')];
  const namesBy = (by: readonly RouteVerdict[]): Record<string, string> =>
    told(
      zoneOf(
        'docker',
        [container('web', [both]), container('six', [{ ...both, ipv4: null }])],
        by,
        parsePrefix,
      ),
    );
  expect(namesBy(ways)).toEqual({ six: 'fd00:dead::2', web: '172.21.0.2 fd00:dead::2' });
  expect(namesBy([routed('app', '172.21.0.0/16'), routed('app', 'fd00:dead::/64', 'foreign')])).toEqual({
    web: '172.21.0.2',
  });
});

describe('the names of a container', () => {
  test('its own, in lower case and with hyphens', () => {
    expect(told(namesOf(container('My_App', [on('bridge', '172.17.0.2')])))).toEqual({
      'my-app': '172.17.0.2',
    });
  });

  test('of a service, and of each of its containers', () => {
    const web = (number: number): NamedContainer =>
      container(
        `shop-web-${number}`,
        [on('shop_default', `172.18.0.${number + 9}`)],
        compose('shop', 'web', number),
      );
    expect(told(namesOf(web(2), web(1)))).toEqual({
      'shop-web-1': '172.18.0.10',
      'shop-web-2': '172.18.0.11',
      'web.shop': '172.18.0.10 172.18.0.11',
      '1.web.shop': '172.18.0.10',
      '2.web.shop': '172.18.0.11',
    });
  });

  test('a one-off container is none of its service', () => {
    const labels = { ...compose('shop', 'web', 1), 'com.docker.compose.oneoff': 'True' };
    expect(told(namesOf(container('shop-web-run-1', [on('shop_default', '172.18.0.2')], labels)))).toEqual({
      'shop-web-run-1': '172.18.0.2',
    });
  });

  test('aliases, each with the address on its own network; the id is none', () => {
    const db = container('db', [
      on('shop_default', '172.18.0.5', 'database'),
      on('back', '172.19.0.5', 'store'),
    ]);
    const zone = namesOf({
      ...db,
      endpoints: db.endpoints.map((each) => ({
        ...each,
        aliases: [...(each.aliases ?? []), db.id.slice(0, 12)],
      })),
    });
    expect(told(zone)).toEqual({
      db: '172.18.0.5 172.19.0.5',
      'database.shop-default': '172.18.0.5',
      'store.back': '172.19.0.5',
    });
  });

  test('what its label says, with the zone or without; several containers share them', () => {
    const labels = { 'tuntapd.names': 'api, www.api.docker' };
    const zone = namesOf(
      container('a', [on('bridge', '172.17.0.3')], labels),
      container('b', [on('bridge', '172.17.0.2')], labels),
    );
    expect(told(zone)).toMatchObject({
      api: '172.17.0.2 172.17.0.3',
      'www.api': '172.17.0.2 172.17.0.3',
    });
    expect(zone.problems).toEqual([]);
  });

  test('an alias that the id happens to begin with is one all the same', () => {
    const { id, ...rest } = container('x', [on('back', '172.19.0.5', 'db')]);
    expect(told(namesOf({ ...rest, id: `db${id.slice(2)}` }))).toMatchObject({ 'db.back': '172.19.0.5' });
  });

  test.each(['id', 'name'] as const)(
    'one that shares the network of another, by its %s, has its addresses',
    (by) => {
      const app = container('app', [on('back', '172.19.0.7', 'main')]);
      const sidecar = { ...container('sidecar', []), networkMode: `container:${app[by]}` };
      expect(told(namesOf(app, sidecar))).toEqual({
        app: '172.19.0.7',
        sidecar: '172.19.0.7',
        'main.back': '172.19.0.7',
      });
      expect(namesOf(sidecar).names).toEqual([]);
    },
  );

  test('none outside of a routed network', () => {
    const zone = namesOf(
      container('hidden', [on('internal', '172.20.0.2', 'x')]),
      container('liar', [on('bridge', '8.8.8.8')]),
      container('elsewhere', [on('back', '172.17.0.9')]),
      container('unknown', [on('nowhere', '172.17.0.9')]),
      container('nothing', [{ ...on('bridge', ''), ipv6: 'junk' }]),
      container('unlisted', [{ ...on('bridge', '172.17.0.256'), ipv4: null, aliases: null }]),
    );
    expect(zone.names).toEqual([]);
  });
});

describe('what is told', () => {
  test('two containers of one name: the first by name has it', () => {
    const zone = namesOf(
      container('my_app', [on('bridge', '172.17.0.3')]),
      container('my-app', [on('bridge', '172.17.0.2')]),
    );
    expect(told(zone)).toEqual({ 'my-app': '172.17.0.2' });
    expect(zone.problems).toEqual([
      'my-app.docker is container my-app, and not container my_app, which asks for it too',
    ]);
  });

  test('a label goes before a container, and a container before a service', () => {
    const zone = namesOf(
      container('labelled', [on('bridge', '172.17.0.4')], { 'tuntapd.names': 'web.shop' }),
      container('web.shop', [on('bridge', '172.17.0.3')]),
      container('x', [on('shop_default', '172.18.0.2')], compose('shop', 'web', 1)),
    );
    expect(told(zone)).toMatchObject({ 'web.shop': '172.17.0.4' });
    expect(zone.problems).toEqual([
      'web.shop.docker is label tuntapd.names, and not container web.shop or service web of shop, which ask for it too',
    ]);
  });

  test('nothing where both mean the same', () => {
    const shop = [...routes, routed('shop', '172.21.0.0/16')];
    const web = container('w', [on('shop', '172.21.0.2', 'web')], compose('shop', 'web', 1));
    expect(zoneOf('docker', [web], shop, parsePrefix).problems).toEqual([]);
  });

  test.each([
    ['two dots', 'a..b', 'a part that is not made of'],
    ['a hyphen first', '-x', 'a part that is not made of'],
    ['a hyphen last', 'x_', 'a part that is not made of'],
    ['no ASCII', 'ä', 'a part that is not made of'],
    ['a slash', 'a/b', 'a part that is not made of'],
    ['a long part', 'x'.repeat(64), 'a part of more than 63 characters'],
    ['a long whole', Array(64).fill('abc').join('.'), 'longer than DNS’s 253 characters'],
  ])('%s makes no name', (_what, name, why) => {
    const zone = namesOf(container('ok', [on('bridge', '172.17.0.2')], { 'tuntapd.names': name }));
    expect(told(zone)).toEqual({ ok: '172.17.0.2' });
    expect(zone.problems).toEqual([expect.stringContaining(why)]);
  });
});

const word = fc.oneof(
  fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,20}$/),
  fc.string({ maxLength: 80, unit: 'grapheme' }),
  fc.constantFrom('web', 'web.docker', 'docker', '..', 'com', '__proto__', 'x'.repeat(300)),
);
const anyContainer = fc.record<NamedContainer>({
  id: fc.stringMatching(/^[0-9a-f]{64}$/),
  name: word,
  labels: fc.dictionary(
    fc.constantFrom(
      'tuntapd.names',
      'com.docker.compose.project',
      'com.docker.compose.service',
      'com.docker.compose.container-number',
    ),
    word,
  ),
  networkMode: fc.constantFrom('bridge', 'host', 'container:x'),
  endpoints: fc.array(
    fc.record({
      network: fc.oneof(fc.constantFrom('bridge', 'shop_default', 'back', 'internal'), word),
      ipv4: fc.option(fc.oneof(fc.ipV4(), fc.constantFrom('172.17.0.2', '172.18.0.2', '172.20.0.2'))),
      ipv6: fc.option(fc.ipV6()),
      aliases: fc.option(fc.array(word, { maxLength: 4 })),
    }),
    { maxLength: 3 },
  ),
});

test('whatever containers are called, nothing lies outside of the zone or leads elsewhere than into a routed subnet', () => {
  const subnets = routes
    .filter(({ state }) => state === 'routed')
    .map(({ subnet }) => parsePrefix(subnet))
    .filter((prefix) => prefix !== null);
  fc.assert(
    fc.property(fc.array(anyContainer, { maxLength: 12 }), (containers) => {
      const { names } = zoneOf('docker', containers, routes, parsePrefix);
      for (const { name, addresses } of names) {
        const isName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name) && !name.includes('..');
        if (!isName || `${name}.docker`.length > 253 || addresses.length === 0) throw new Error(name);
        for (const text of addresses) {
          const address = parseAddress(text);
          if (!address || !subnets.some((subnet) => contains(subnet, address))) throw new Error(text);
        }
      }
      expect(new Set(names.map(({ name }) => name)).size).toBe(names.length);
    }),
    { numRuns: 300 },
  );
});

test('the order of containers and networks means nothing', () => {
  fc.assert(
    fc.property(
      fc
        .array(anyContainer, { maxLength: 8 })
        .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      ([one, other]) => {
        expect(zoneOf('docker', other, routes, parsePrefix)).toEqual(
          zoneOf('docker', one, routes, parsePrefix),
        );
      },
    ),
    { numRuns: 200 },
  );
});

test('the names of 5,000 containers are made in short steps', () => {
  const containers = Array.from({ length: 5000 }, (_, index) =>
    container(
      `shop-web-${index}`,
      [on('shop_default', `172.18.${index >> 8}.${index & 255}`, 'web', `alias-${index}`)],
      { ...compose(`shop${index % 250}`, 'web', index), 'tuntapd.names': 'all' },
    ),
  );
  const shortest: number[] = [];
  // Each step counts by the best of its runs: others use this processor too.
  for (let run = 0; run < 6; run += 1) {
    const work = makeZone('docker', containers, routes, parsePrefix);
    for (let step = 0, done: boolean | undefined = false; done !== true; step += 1) {
      const began = performance.now();
      ({ done } = work.next());
      shortest[step] = Math.min(shortest[step] ?? Infinity, performance.now() - began);
    }
  }
  expect(shortest.length).toBeGreaterThan(20_000);
  // A step takes less than 20 ms (make bench); what takes all of them at once takes seconds on a busy machine.
  expect(Math.max(...shortest)).toBeLessThan(300);
}, 60_000);

describe('a project with replicas and aliases', () => {
  const replica = (number: number): NamedContainer =>
    container(
      `shop-web-${number}`,
      [
        on('shop_default', `172.18.0.${number}`, 'web', 'www'),
        on('back', `172.19.0.${number}`, 'web', 'intern'),
      ],
      compose('shop', 'web', number),
    );

  test('each alias has the addresses of all replicas on its own network, the service those on both', () => {
    expect(told(namesOf(replica(2), replica(1)))).toEqual({
      'shop-web-1': '172.18.0.1 172.19.0.1',
      'shop-web-2': '172.18.0.2 172.19.0.2',
      'web.shop': '172.18.0.1 172.18.0.2 172.19.0.1 172.19.0.2',
      '1.web.shop': '172.18.0.1 172.19.0.1',
      '2.web.shop': '172.18.0.2 172.19.0.2',
      'web.shop-default': '172.18.0.1 172.18.0.2',
      'www.shop-default': '172.18.0.1 172.18.0.2',
      'web.back': '172.19.0.1 172.19.0.2',
      'intern.back': '172.19.0.1 172.19.0.2',
    });
  });

  test('one that ends takes its own names with it, and leaves the service’s to the others', () => {
    const names = told(namesOf(replica(2)));
    expect(names['web.shop']).toBe('172.18.0.2 172.19.0.2');
    expect(names['www.shop-default']).toBe('172.18.0.2');
    expect(Object.keys(names)).not.toContain('1.web.shop');
  });

  test('the same service in two projects is two names', () => {
    const other = container('lab-web-1', [on('bridge', '172.17.0.9')], compose('lab', 'web', 1));
    const zone = namesOf(replica(1), other);
    expect(told(zone)).toMatchObject({ 'web.lab': '172.17.0.9', 'web.shop': '172.18.0.1 172.19.0.1' });
    expect(zone.problems).toEqual([]);
  });
});
