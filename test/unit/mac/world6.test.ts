import { expect, test } from '@jest/globals';
import type { Run } from '../../../daemon/lib/command.js';
import { addRoutes, deleteRoutes, observeRoutes } from '../../../daemon/mac/routes.js';
import { observeTapInterface, parseInterface } from '../../../daemon/mac/tap-interface.js';
import { addressTap6, unaddressTap6 } from '../../../daemon/mac/tap-ipv6.js';
import { type FakeMac6, fakeMac6 } from './fake-mac6.js';

const own = 'fd3e:d10f:52ef:75::1';
const peer = 'fd3e:d10f:52ef:75::2';
const end = { interface: 'tap1', macAddress: own, prefix: 126, anew: false };
const target = { subnet: 'fd00:dead::/64', gateway: peer, interface: 'tap1' };

async function linked(): Promise<FakeMac6> {
  const mac = fakeMac6();
  await addressTap6(end, mac.run);
  return mac;
}
const to = (mac: FakeMac6, prefix: string): readonly string[] =>
  mac.rows.filter((row) => row.prefix === prefix).map((row) => `${row.gateway} ${row.interface}`);

test.each([
  ['prefixlen 126 tentative ', 'tentative'],
  ['prefixlen 126', 'usable'],
  ['prefixlen 126 autoconf secured ', 'usable'],
  ['prefixlen 126 deprecated dynamic ', 'usable'],
  ['prefixlen 126 duplicated secured', 'duplicated'],
  ['prefixlen 126 detached deprecated ', 'detached'],
  ['--> fd3e:d10f:52ef:75::2 prefixlen 128 ', 'usable'],
])('an address with “%s” is %s', (words, state) => {
  const text = `tap1: flags=8843<UP,RUNNING> mtu 1500\n\tinet6 fe80::1%tap1 prefixlen 64 optimistic scopeid 0x14 \n\tinet6 ${own} ${words}\n\tnd6 options=201<PERFORMNUD,DAD>\n`;
  const found = parseInterface(text);
  expect(found?.ipv6).toMatchObject([{ address: own, state }]);
  expect(found?.isIpv6Disabled).toBeUndefined();
});

test.each([
  ['nd6 options=209<PERFORMNUD,IFDISABLED,DAD>', true],
  ['nd6 options=8<IFDISABLED>', true],
  ['nd6 options=1<PERFORMNUD>', undefined],
])('%s: disabled %s', (words, isDisabled) => {
  expect(parseInterface(`tap1: flags=8843<UP> mtu 1500\n\t${words}\n`)?.isIpv6Disabled).toBe(isDisabled);
});

test('the tap gets the address; once more does not begin to ask for it again', async () => {
  const mac = fakeMac6();
  mac.up = false;
  await addressTap6(end, mac.run);
  expect(mac.addresses).toEqual([{ address: own, prefix: 126, flags: '' }]);
  expect(to(mac, 'fd3e:d10f:52ef:75::/126')).toEqual(['link#20 tap1']);
  mac.up = true;
  await addressTap6(end, mac.run);
  expect(mac.addresses).toEqual([{ address: own, prefix: 126, flags: '' }]);
});

test('one with another length is taken away before', async () => {
  const mac = fakeMac6();
  await addressTap6({ ...end, prefix: 64 }, mac.run);
  await addressTap6(end, mac.run);
  expect(mac.addresses).toMatchObject([{ address: own, prefix: 126 }]);
});

test('a row of the link that somebody took is back once it is set anew', async () => {
  const mac = await linked();
  mac.rows = mac.rows.filter(({ interface: name }) => name !== 'tap1');
  await addressTap6({ ...end, anew: true }, mac.run);
  expect(to(mac, 'fd3e:d10f:52ef:75::/126')).toEqual(['link#20 tap1']);
});

test('what ifconfig refuses, what does not stay and a tap that is gone are told apart', async () => {
  const mac = fakeMac6();
  const refuses: Run = (file, args) =>
    args.length > 1
      ? Promise.resolve({
          stdout: '',
          stderr: 'ifconfig: ioctl (SIOCAIFADDR): Invalid argument\n',
          exitCode: 1,
        })
      : mac.run(file, args);
  await expect(addressTap6(end, refuses)).rejects.toMatchObject({
    why: { condition: 'Ipv6', reason: 'AddressRefused' },
    message: expect.stringContaining('Invalid argument') as unknown,
  });
  const forgets: Run = (file, args) =>
    args.length > 1 ? Promise.resolve({ stdout: '', stderr: '', exitCode: 0 }) : mac.run(file, args);
  await expect(addressTap6(end, forgets)).rejects.toMatchObject({ why: { reason: 'AddressNotSet' } });
  mac.isThere = false;
  await expect(addressTap6(end, mac.run)).rejects.toMatchObject({ why: { reason: 'TapGone' } });
});

test('only our address is taken away; one that is gone already is no fault', async () => {
  const mac = await linked();
  mac.addresses.push({ address: 'fd99::1', prefix: 64, flags: '' });
  await unaddressTap6(end, mac.run);
  expect(mac.addresses).toEqual([{ address: 'fd99::1', prefix: 64, flags: '' }]);
  await unaddressTap6(end, mac.run);
  mac.isThere = false;
  await unaddressTap6(end, mac.run);
  const keeps: Run = (file, args) =>
    args.length > 1 ? Promise.resolve({ stdout: '', stderr: 'no', exitCode: 1 }) : linkedMac.run(file, args);
  const linkedMac = await linked();
  await expect(unaddressTap6(end, keeps)).rejects.toMatchObject({ why: { reason: 'AddressNotRemoved' } });
});

test('the table is read, our address and its neighbours among it', async () => {
  const mac = await linked();
  const table = await observeRoutes(mac.run, 6);
  expect(table).toMatchObject({ known: true });
  expect(await observeTapInterface('tap1', mac.run)).toMatchObject({
    value: { up: true, ipv6: [{ address: own, prefix: 126, state: 'tentative' }] },
  });
  const silent: Run = () => Promise.resolve({ stdout: '', stderr: 'netstat: no', exitCode: 1 });
  expect(await observeRoutes(silent, 6)).toMatchObject({ known: false });
});

test('routes are added and taken back again, and others’ stay', async () => {
  const mac = await linked();
  const before = [...mac.rows];
  const host = { ...target, subnet: 'fd00:beef::5/128' };
  expect(await addRoutes([target, host], mac.run)).toEqual([null, null]);
  expect(to(mac, target.subnet)).toEqual([`${peer} tap1`]);
  expect(to(mac, host.subnet)).toEqual([`${peer} tap1`]);
  expect(await addRoutes([target], mac.run)).toEqual([null]);
  expect(await deleteRoutes([target, host], mac.run)).toEqual([null, null]);
  expect(await deleteRoutes([target], mac.run)).toEqual([null]);
  expect(mac.rows).toEqual(before);
});

test('a route of the same prefix that is not ours is neither replaced nor deleted, though route ends with 0', async () => {
  const mac = await linked();
  mac.rows.push({ prefix: target.subnet, gateway: 'utun4', interface: 'utun4', flags: 'USc' });
  const before = [...mac.rows];
  const [error] = await addRoutes([target], mac.run);
  expect(error).toMatchObject({ why: { condition: 'Ipv6', reason: 'ForeignRoute' }, blocked: true });
  expect(await deleteRoutes([target], mac.run)).toEqual([null]);
  expect(mac.rows).toEqual(before);
});

test('a route that lands on en0, since the link has lost its address, is taken back', async () => {
  const mac = fakeMac6();
  const before = [...mac.rows];
  const [error] = await addRoutes([target], mac.run);
  expect(error).toMatchObject({
    why: { condition: 'Ipv6', reason: 'RouteMisbound' },
    message: expect.stringContaining('en0') as unknown,
  });
  expect(mac.rows).toEqual(before);
});

test('without any default route the kernel’s refusal is told', async () => {
  const mac = fakeMac6();
  mac.rows = [];
  const [error] = await addRoutes([target], mac.run);
  expect(error).toMatchObject({
    why: { condition: 'Ipv6', reason: 'RouteRefused' },
    message: expect.stringContaining('Network is unreachable') as unknown,
  });
});

test('a route that a VPN has replaced in the meantime is the VPN’s', async () => {
  const mac = await linked();
  await addRoutes([target], mac.run);
  mac.rows = mac.rows.map((row) =>
    row.prefix === target.subnet ? { ...row, gateway: 'fe80::9%utun4', interface: 'utun4' } : row,
  );
  const before = [...mac.rows];
  expect(await deleteRoutes([target], mac.run)).toEqual([null]);
  expect(mac.rows).toEqual(before);
});
