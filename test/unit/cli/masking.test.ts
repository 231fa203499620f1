import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { maskedRoutes, masker } from '../../../cli/masking.js';

const nobody = { names: [], homes: [], docker: [], hosts: [] };

test.each([
  ['open /Users/ada/.docker/run/docker.sock', 'open /Users/user-1/.docker/run/docker.sock'],
  ['/Users/Shared/Docker.app', '/Users/Shared/Docker.app'],
  [
    '/Volumes/Payroll/Docker.app and /Volumes/Ada’s Disk/x',
    '/Volumes/volume-1/Docker.app and /Volumes/volume-2/x',
  ],
  ['"/Volumes/Payroll"', '"/Volumes/volume-1"'],
  [
    '/Volumes/Docker/Docker.app, /Volumes/Macintosh HD/x',
    '/Volumes/Docker/Docker.app, /Volumes/Macintosh HD/x',
  ],
  ['ether a4:83:e7:01:02:03', 'ether mac-1'],
  ['0:1c:42:0:0:18 and a4.83.e7.1.2.3', 'mac-1 and mac-2'],
  ['via 8.8.8.8, again 8.8.8.8:53, then 9.9.9.9', 'via ipv4-1, again ipv4-1:53, then ipv4-2'],
  [
    '10.0.75.2 172.18.0.2/16 192.168.1.1 100.64.1.1 127.0.0.1',
    '10.0.75.2 172.18.0.2/16 192.168.1.1 100.64.1.1 127.0.0.1',
  ],
  ['inet6 2001:db8::1%en0 and ::1', 'inet6 ipv6-1 and ::1'],
  [
    'Docker 28.5.2, at 2026-11-27T13:20:00.000Z (13:20:00)',
    'Docker 28.5.2, at 2026-11-27T13:20:00.000Z (13:20:00)',
  ],
  ['sha256:0123456789abcdef', 'sha256:0123456789abcdef'],
  ['leads to (ssh://ada@build.acme.example:22)', 'leads to (ssh://host-1)'],
  ['"https://acme.example/a?b=c" tcp://acme.example', '"https://host-1" tcp://host-2'],
  [
    'unix:///var/run/docker.sock tcp://192.168.5.2:2375',
    'unix:///var/run/docker.sock tcp://192.168.5.2:2375',
  ],
  ['{"message":"of ada@acme.example, twice"}', '{"message":"of mail-1, twice"}'],
  ['nginx@sha256:0123456789abcdef', 'nginx@sha256:0123456789abcdef'],
  [
    '  search domain[0] : corp.example\n  domain   : acme\n  domain   : local\n  domain   : 254.169.in-addr.arpa\n',
    '  search domain[0] : host-1\n  domain   : host-2\n  domain   : local\n  domain   : 254.169.in-addr.arpa\n',
  ],
])('%s', (text, masked) => {
  expect(masker(nobody)(text)).toBe(masked);
});

test('names are masked wherever they stand as words, the longer ones first, and ordinary ones stay', () => {
  const mask = masker({
    ...nobody,
    names: ['ada', 'adas-mac.local'],
    docker: ['shop', 'shop_default', 'bridge'],
  });
  expect(mask('Ada on adas-mac.local: shop_default of shop, bridge, adagio')).toBe(
    'user-1 on user-2: name-1 of name-2, bridge, adagio',
  );
  expect(mask('shop')).toBe('name-2');
});

test('of a name that holds more than a name should its words are masked', () => {
  const mask = masker({ ...nobody, docker: ['zeus (of "olymp")', ' hera ', 'ares/mars:1'] });
  expect(mask('zeus (of "olymp"), of hera, ares/mars:1')).toBe(
    'name-1 (of "name-2"), of name-3, name-4/name-5:1',
  );
});

test('the hosts of a domain are masked wherever they stand', () => {
  const mask = masker({ ...nobody, hosts: ['corp.example'] });
  expect(mask('vpn.corp.example, again VPN.corp.example, of corp.example')).toBe(
    'host-1, again host-1, of host-2',
  );
});

test('homes that are known are masked wherever they lie, whatever is in their names', () => {
  const mask = masker({
    ...nobody,
    names: ['Ada Lovelace', "o'brien"],
    homes: ['/Users/Ada Lovelace', '/Volumes/Big/ada'],
  });
  expect(mask('/Users/Ada Lovelace/x, /Users/Ada Lovelace')).toBe('/Users/user-1/x, /Users/user-1');
  expect(mask('/Volumes/Big/ada/.docker of Ada Lovelace')).toBe('/Volumes/volume-1/user-2/.docker of user-1');
  expect(mask("'/Users/o'\\''brien/x' of o'brien")).toMatch(/^'\/Users\/user-\d\/x' of user-\d$/);
});

test.each(['/Users/Ada Lovelace/x', "/Users/o'brien/x", '/Users/Zoë/x'])(
  'a home of which nobody is told: %s',
  (text) => {
    expect(masker(nobody)(text)).toBe('/Users/user-1/x');
  },
);

test('an odd name of Docker’s mangles nothing of the product’s own', () => {
  const mask = masker({
    ...nobody,
    docker: [
      'app',
      'docker',
      'status',
      'routes',
      'network',
      'x',
      '"',
      ': ',
      '10.0.75.0',
      'phase',
      'shop',
      'name',
    ],
  });
  const text =
    '{"app":"/Applications/Docker.app","phase":"ready","state":"routed","network":"10.0.75.0/24","x":"shop phase"}';
  expect(JSON.parse(mask(text))).toEqual({
    app: '/Applications/Docker.app',
    phase: 'ready',
    state: 'routed',
    network: '10.0.75.0/24',
    x: 'name-1 name-2',
  });
});

test('a routing table loses its public networks, however short, and keeps its private ones', () => {
  const table =
    'Destination  Gateway\ndefault  192.168.1.1\n8.8.8/24  10.0.0.1\n17  10.0.0.1\n10  link#5\n172.16/12  10.0.75.2\n';
  expect(maskedRoutes(table)).toBe(
    'Destination  Gateway\ndefault  192.168.1.1\npublic/24  10.0.0.1\npublic  10.0.0.1\n10  link#5\n172.16/12  10.0.75.2\n',
  );
});

/** What stands around a secret: nothing of its own that could be one, and no letter or digit that would join it. */
const around = fc.constantFrom(
  ' ',
  '\n',
  '"',
  "'",
  '(',
  ')',
  ',',
  '; ',
  '=',
  '/',
  '[',
  ']',
  '<',
  '>',
  '\t',
  '$ ',
  '|',
  '. ',
);
const hex = (length: number) =>
  fc.string({
    unit: fc.constantFrom(...'0123456789abcdefABCDEF'.split('')),
    minLength: length,
    maxLength: length,
  });
const octet = fc.integer({ min: 0, max: 255 });
const secrets = {
  mac: fc
    .tuple(fc.constantFrom(':', '-'), fc.array(hex(2), { minLength: 6, maxLength: 6 }))
    .map(([by, parts]) => parts.join(by)),
  ipv4: fc.tuple(fc.integer({ min: 11, max: 99 }), octet, octet, octet).map((parts) => parts.join('.')),
  ipv6: fc
    .tuple(fc.constantFrom('2001', 'fe80', 'fd12'), fc.array(hex(4), { minLength: 7, maxLength: 7 }))
    .map(([head, rest]) => [head, ...rest].join(':')),
  home: fc.stringMatching(/^[a-z][a-z0-9._-]{2,12}[a-z]$/),
  name: fc.stringMatching(/^[a-z][a-z0-9]{3,12}q$/),
  container: fc.stringMatching(/^[a-z][a-z0-9_.-]{3,20}z$/),
  volume: fc.stringMatching(/^[A-Z][a-z0-9._-]{2,12}[a-z]$/),
  network: fc.tuple(
    fc.stringMatching(/^[a-z]{4,12}q$/),
    fc.constantFrom(' (', '/', ': ', '"', '@', '+'),
    fc.stringMatching(/^[a-z]{4,12}q$/),
  ),
};

test('no secret is found in what is masked, whatever stands around it', () => {
  fc.assert(
    fc.property(fc.record(secrets), fc.array(around, { minLength: 14, maxLength: 14 }), (secret, glue) => {
      const { home, name, container, mac, ipv4, ipv6, volume } = secret;
      const network = secret.network.join('');
      const between = (index: number): string => glue[index] ?? ' ';
      const text =
        `${between(0)}/Users/${home}/Library${between(1)}${mac}${between(2)}${ipv4}${between(3)}${ipv6}${between(4)}` +
        `${name}${between(5)}${container}${between(6)}${name.toUpperCase()}${between(7)}inet ${ipv4} netmask${between(8)}` +
        `/Volumes/${volume}/Docker.app${between(9)}${network}${between(10)}`;
      const masked = masker({ ...nobody, names: [name], docker: [container, network] })(text).toLowerCase();
      for (const each of [
        mac,
        ipv4,
        ipv6,
        `/${home}/`,
        `/${volume}/`,
        container,
        ...secret.network.filter((word) => word.length > 2),
      ])
        expect(masked).not.toContain(each.toLowerCase());
      expect(masked).not.toMatch(new RegExp(`(?<![a-z0-9])${name}(?![a-z0-9])`));
    }),
    { numRuns: 2000 },
  );
});
