import { SocketAddress } from 'node:net';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { contains, isHost, overlaps, parseAddress, parsePrefix } from '../../daemon/lib/prefix.js';

test.each([
  ['fd00:dead::/64', 'fd00:dead::/64'],
  ['FD00:DEAD:0:0:1:2:3:4/64', 'fd00:dead::/64'],
  ['fd3e:d10f:52ef:75::1/126', 'fd3e:d10f:52ef:75::/126'],
  ['::/0', '::/0'],
  ['::/1', '::/1'],
  ['8000::/1', '8000::/1'],
  ['2001:db8::1/128', '2001:db8::1/128'],
  ['1:0:0:2:0:0:0:3/128', '1:0:0:2::3/128'],
  ['1:0:0:2:0:0:3:4/128', '1::2:0:0:3:4/128'],
  ['1:0:2:3:4:5:6:7/128', '1:0:2:3:4:5:6:7/128'],
  ['::ffff:10.1.2.3/128', '::ffff:a01:203/128'],
  ['172.17.9.1/16', '172.17.0.0/16'],
  ['0.0.0.0/0', '0.0.0.0/0'],
])('%s is %s', (text, expected) => {
  expect(parsePrefix(text)?.text).toBe(expected);
});

test.each([
  ...['', '::', 'fd00::', 'fd00::/129', 'fd00::/', 'fd00::/064', 'fd00:::1/64', ':fd00::/64', 'fd00::1::/64'],
  ...[
    'fe80::1%en0/64',
    '1:2:3:4:5:6:7/128',
    '1:2:3:4:5:6:7:8:9/128',
    '1:2:3:4:5:6:7:8::/128',
    'g::/8',
    '12345::/16',
  ],
  ...[
    '10.1.2.3::/96',
    '::10.1.2/96',
    '::10.1.2.256/128',
    '10.0.0.0/33',
    '010.0.0.0/8',
    '10.0.0/8',
    '0:0:5e:0:53:1/8',
  ],
])('%j is no network', (text) => {
  expect(parsePrefix(text)).toBeNull();
});

test('an address is read whatever its form, written in one, and read back', () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const prefix = parseAddress(text);
      expect(prefix).toMatchObject({ family: 6 });
      if (!prefix) return;
      expect(isHost(prefix)).toBe(true);
      expect(parsePrefix(prefix.text)).toEqual(prefix);
      const node = new SocketAddress({ address: text, family: 'ipv6' }).address;
      // Node writes an IPv4 part as such (RFC 5952, 5); here all of it is hexadecimal.
      if (!node.includes('.')) expect(prefix.text).toBe(`${node}/128`);
      else expect(parseAddress(node)).toEqual(prefix);
    }),
  );
});

test('the two families have nothing in common', () => {
  const all = [parsePrefix('0.0.0.0/0'), parsePrefix('::/0')];
  const [v4, v6] = all;
  if (!v4 || !v6) throw new Error('no networks');
  expect(overlaps(v4, v6) || overlaps(v6, v4) || contains(v4, v6) || contains(v6, v4)).toBe(false);
});
