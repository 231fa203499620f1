import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { addressText, parsePrefix } from '../../../daemon/lib/prefix.js';
import { parseDestination6, readRoutingTable6 } from '../../../daemon/mac/netstat-inet6.js';

test.each([
  ['default', 'UGcg', '::/0'],
  ['::/1', 'UGRSc', '::/1'],
  ['8000::/1', 'UGRSc', '8000::/1'],
  ['2000::/3', 'UGSc', '2000::/3'],
  ['::1', 'UHL', '::1/128'],
  ['fd00:dead::/64', 'UGSc', 'fd00:dead::/64'],
  ['fd3e:d10f:52ef:75::4/126', 'UC', 'fd3e:d10f:52ef:75::4/126'],
  ['fd00:8a6c:1767:f351:a092:4f97:206c:1050', 'UHL', 'fd00:8a6c:1767:f351:a092:4f97:206c:1050/128'],
  ['fe80::%lo0/64', 'UcI', 'fe80::/64'],
  ['fe80::1%lo0', 'UHLI', 'fe80::1/128'],
  ['ff00::/8', 'UmCI', 'ff00::/8'],
  ['ff01::%en0/32', 'UmCI', 'ff01::/32'],
])('%s (%s) is %s', (text, flags, expected) => {
  expect(parseDestination6(text, flags)?.text).toBe(expected);
});

test.each([
  ['10.0.75/30', 'UC'],
  ['localhost', 'UHL'],
  // Without -n a column is cut, and nothing has a length.
  ['2001:db8:aab0:d401', 'UC'],
  ['fd00::1/64', 'UGSc'],
  ['fd00::/129', 'UGSc'],
  ['fd00:dead::', 'UGSc'],
  ['', 'U'],
])('%j (%s) is no destination of IPv6', (text, flags) => {
  expect(parseDestination6(text, flags)).toBeNull();
});

test('whatever the kernel prints is read back', () => {
  fc.assert(
    fc.property(fc.ipV6(), fc.integer({ min: 1, max: 128 }), (address, length) => {
      const prefix = parsePrefix(`${address}/${length}`);
      const printed =
        length === 128 ? addressText(prefix ?? { family: 6, bits: '', text: '/' }) : prefix?.text;
      expect(parseDestination6(printed ?? '', length === 128 ? 'UGHS' : 'UGSc')).toEqual(prefix);
    }),
  );
});

const tables = join(import.meta.dirname, '../../fixtures/netstat-inet6');

test.each(readdirSync(tables))('the table %s is read without loss', (name) => {
  const text = readFileSync(join(tables, name), 'utf8');
  const { routes, unread } = readRoutingTable6(text);
  expect(unread).toEqual([]);
  // Three lines come before the rows' header.
  expect(routes).toHaveLength(text.trimEnd().split('\n').length - 4);
});

const rowsOf = (name: string): readonly string[] =>
  readRoutingTable6(readFileSync(join(tables, name), 'utf8')).routes.map(
    ({ destination, gateway, flags, interface: netif }) => `${destination.text} ${gateway} ${flags} ${netif}`,
  );

test('our own rows, with a neighbour and a bridge’s MAC beside them', () => {
  expect(rowsOf('linked-11.txt')).toEqual(
    expect.arrayContaining([
      '::/0 fe80::%utun0 UGcIg utun0',
      'fd3e:d10f:52ef:75::/126 link#20 UC tap1',
      'fd3e:d10f:52ef:75::1/128 6a:1:2:3:4:5 UHL lo0',
      'fd3e:d10f:52ef:75::2/128 2:74:75:6e:74:61 UHLWIi tap1',
      'fd00:dead:0:1::/64 fd3e:d10f:52ef:75::2 UGSc tap1',
      'fe80::1b2d:85a0:814d:d17f/128 8a.1.27.44.0.9 UHLI lo0',
    ]),
  );
});

test('halves of a default, rows that expire, and a gateway that fills its column', () => {
  expect(rowsOf('half-defaults-14.txt')).toEqual(
    expect.arrayContaining([
      '::/1 link#18 UCSg utun4',
      '8000::/1 utun4 USc utun4',
      '2001:db8:8888::8888/128 link#18 UHW3Ig utun4',
      '2001:db8:9999:c104::2000/128 link#18 UHWIig utun4',
      'ff02::/32 fe80::30fe:52f1:103c:c66c%utun0 UmCI utun0',
    ]),
  );
});

test('a gateway is what it is, however it is written; one with a zone has no address', () => {
  const [row, zoned] = readRoutingTable6(
    'fd00:1::/64   FD3E:D10F:52EF:75:0:0:0:2   UGSc  tap1\nfd00:2::/64  fe80::2%tap1 UGSc tap1\n',
  ).routes;
  expect(row).toMatchObject({ gateway: 'fd3e:d10f:52ef:75::2', via: { text: 'fd3e:d10f:52ef:75::2/128' } });
  expect(zoned).toMatchObject({ gateway: 'fe80::2%tap1', via: null });
});

test('what is no row is told as it stands', () => {
  expect(readRoutingTable6('Routing tables\n\nInternet6:\nfd00:1::/64 what is this\n').unread).toEqual([
    'fd00:1::/64 what is this',
  ]);
});
