import { expect, test } from '@jest/globals';
import { parseInterface } from '../../../daemon/mac/tap-interface.js';
import { parseConsoleUser } from '../../../daemon/mac/console-user.js';
import { parseAttribute } from '../../../daemon/mac/directory.js';

test('an interface that is up, with a trailing blank here and there', () => {
  const text =
    'tap1: flags=8943<UP,BROADCAST,RUNNING,PROMISC,SIMPLEX,MULTICAST> mtu 1500\n\tether 3e:11:22:33:44:55 \n\tinet6 fe80::1%tap1 prefixlen 64 scopeid 0x9 \n\tinet 10.0.75.1 netmask 0xfffffffc broadcast 10.0.75.3\n\tinet 10.9.0.1 netmask 0xffffff00 broadcast 10.9.0.255\n\tmedia: autoselect\n\tstatus: active\n\topen (pid 731)\n';
  expect(parseInterface(text)).toEqual({
    name: 'tap1',
    up: true,
    mtu: 1500,
    addresses: [
      { address: '10.0.75.1', prefix: 30 },
      { address: '10.9.0.1', prefix: 24 },
    ],
    holder: 731,
  });
});

test('an interface just opened is not up and has no address', () => {
  expect(
    parseInterface(
      'tap1: flags=8842<BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n\tether 3e:11:22:33:44:55\n\tmedia: autoselect\n\tstatus: active\n\topen (pid 9)\n',
    ),
  ).toMatchObject({ up: false, addresses: [], holder: 9 });
});

test('a mask with holes is no network of the tap’s', () => {
  expect(
    parseInterface(
      'tap1: flags=8943<UP,BROADCAST,RUNNING> mtu 1500\n\tinet 10.0.75.1 netmask 0xff00ff00 broadcast 10.0.75.3\n\topen (pid 731)\n',
    ),
  ).toMatchObject({ up: true, addresses: [], holder: 731 });
});

test('what is no interface is none', () => {
  expect(parseInterface('')).toBeNull();
});

test.each([
  ['<dictionary> {\n  GID : 20\n  Name : person\n  UID : 501\n}\n', { name: 'person', uid: 501 }],
  ['  No such key\n', null],
  ['<dictionary> {\n  Name : loginwindow\n  UID : 0\n}\n', null],
  ['<dictionary> {\n  Name : _mbsetupuser\n  UID : 248\n}\n', null],
])('the console user in %j', (text, expected) => {
  expect(parseConsoleUser(text)).toEqual(expected);
});

test.each([
  ['NFSHomeDirectory: /Users/person\n', '/Users/person'],
  ['NFSHomeDirectory:\n /Volumes/Big Disk/person\n', '/Volumes/Big Disk/person'],
  ['No such key: NFSHomeDirectory\n', null],
])('the home in %j', (text, expected) => {
  expect(parseAttribute(text, 'NFSHomeDirectory')).toBe(expected);
});
