import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { bridgesIn, observeBridges } from '../../../daemon/mac/bridges.js';
import { seen } from '../../../daemon/core/observation.js';

const printed = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../../fixtures/ifconfig', `${name}.txt`), 'utf8');

test.each([
  ['docker-4.27.2-macos15', ['bridge100 192.168.64.1/24']],
  ['docker-preview-macos11', ['bridge100 192.168.64.1/24']],
  ['docker-without-dhcp-m1', ['bridge100 192.168.106.1/24']],
  ['colima-106', ['bridge100 192.168.106.1/24']],
  ['vz-nat-macos26', ['bridge100 192.168.64.1/24']],
  ['orbstack-two-bridges', ['bridge100 198.19.249.3/23', 'bridge101 10.8.10.0/24']],
  ['orbstack-private-member', ['bridge102 192.168.49.254/24']],
  // Its second one leads to the LAN, by the Mac's own card.
  ['utm-nat-and-bridged', ['bridge100 192.168.64.1/24']],
  ['no-vm', []],
])('bridges of VMs are told from all else: %s', (name, expected) => {
  const found = bridgesIn(printed(name));
  expect(found.map(({ name: bridge, address, prefix }) => `${bridge} ${address}/${prefix}`)).toEqual(
    expected,
  );
  for (const { mtu } of found) expect(mtu).toBe(1500);
});

test('a bridge of Internet Sharing is none, and one that it shares with a VM is', () => {
  const bridge =
    'bridge100: flags=8a63<UP,BROADCAST> mtu 1500\n\tinet 192.168.2.1 netmask 0xffffff00 broadcast 192.168.2.255\n' +
    '\tmember: en5 flags=3<LEARNING,DISCOVER>\n';
  expect(bridgesIn(bridge)).toEqual([]);
  const vm = '\tmember: vmenet0 flags=10803<LEARNING,DISCOVER,PRIVATE,CSUM>\n';
  expect(bridgesIn(bridge + vm)).toMatchObject([{ name: 'bridge100', address: '192.168.2.1' }]);
});

test('a mask with holes is no network', () => {
  expect(
    bridgesIn(
      printed('vz-nat-macos26').replace(
        'inet 192.168.64.1 netmask 0xffffff00',
        'inet 192.168.64.1 netmask 0xff00ff00',
      ),
    ),
  ).toEqual([]);
});

test('what could not be asked is not known, rather than empty', async () => {
  const says =
    (stdout: string, exitCode = 0) =>
    () =>
      Promise.resolve({ stdout, stderr: '', exitCode });
  expect(await observeBridges(says(printed('no-vm')))).toEqual({ bridges: seen([]) });
  expect(await observeBridges(says(''))).toMatchObject({ bridges: { known: false } });
  expect(await observeBridges(says(printed('no-vm'), 1))).toMatchObject({ bridges: { known: false } });
  expect(await observeBridges(() => Promise.reject(new Error('took too long')))).toEqual({
    bridges: { known: false, why: 'took too long' },
  });
});

test('their IPv6 addresses are told by a bridge’s name, the link-local ones left out', async () => {
  const observe = async (name: string) =>
    observeBridges(() => Promise.resolve({ stdout: printed(name), stderr: '', exitCode: 0 }));
  expect((await observe('docker-without-dhcp-m1')).ipv6).toEqual({
    bridge100: [{ address: 'fda5:8591:e3fe:291f:1ce8:3756:85a1:96ad', prefix: 64, state: 'usable' }],
  });
  expect(await observe('no-vm')).not.toHaveProperty('ipv6');
});
