/** The VM's end of the link by IPv6: set up beside that by IPv4, which does not notice. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { connectEngine } from '../../../daemon/guest/engine-client.js';
import { prepareGuest, releaseGuest } from '../../../daemon/guest/link-end.js';
import { prepared } from './prepared.js';
import { fakeEngine, type FakeEngine } from './fake-engine.js';
import { dockerd, fakeVm, type FakeVm } from './fake-vm.js';

const mac = '02:74:75:6e:74:61';
const end = { nic: mac, vmAddress: 'fd3e:d10f:52ef:75::2', prefix: 126 };
const own = { index: 3, address: 'fd3ed10f52ef00750000000000000002', prefix: 126 };
const ours = '-i eth1 -m comment --comment tuntapd -j ACCEPT';
const closed = '-i eth1 -o eth0 -m comment --comment tuntapd -j DROP';
const theirDrop = '-d fd00:dead::2/128 ! -i br-1 -j DROP';

let engine: FakeEngine;
let vm: FakeVm;

beforeEach(async () => {
  vm = fakeVm(mac);
  vm.sysctls.set('net/ipv6/conf/all/forwarding', '1\n');
  vm.processes.set(900, dockerd({ programs: ['/usr/sbin/iptables', '/usr/sbin/ip6tables'] }));
  vm.chains6.set('raw PREROUTING', [theirDrop]);
  vm.chains6.set('filter DOCKER-USER', []);
  vm.chains6.set('filter FORWARD', ['-j DOCKER-USER', '-j DOCKER-FORWARD']);
  engine = await fakeEngine({
    runs: (streams) => {
      vm.agent(streams);
    },
  });
});
afterEach(() => engine.close());

const prepare = async (engineVersion = '28.5.2') =>
  prepared(await connectEngine(engine.dial), {
    ...end,
    session: 's',
    mtu: 1500,
    macAddress: 'fd3e:d10f:52ef:75::1',
    engineVersion,
    generation: 2,
    timeout: 5000,
    log: () => undefined,
  });
const release = async () =>
  releaseGuest(await connectEngine(engine.dial), { ...end, hasNic: true, timeout: 5000 });

/** All that IPv4 has in the VM. */
const ipv4 = () => ({ addresses: vm.addresses, routes: vm.routes, chains: Object.fromEntries(vm.chains) });

test('has its address at once, and rules before anybody’s, twice as well as once', async () => {
  const before = structuredClone(ipv4());
  for (let times = 0; times < 2; times += 1) {
    expect(await prepare()).toEqual({
      session: 's',
      interface: 'eth1',
      rules: ['raw PREROUTING', 'filter DOCKER-USER'],
      observedGeneration: 2,
    });
    expect(vm.ipv6).toEqual([...fakeVm(mac).ipv6, own]);
    expect(Object.fromEntries(vm.chains6)).toEqual({
      'raw PREROUTING': [ours, theirDrop],
      'filter DOCKER-USER': [closed, ours],
      'filter FORWARD': ['-j DOCKER-USER', '-j DOCKER-FORWARD'],
    });
  }
  expect(vm.nics.find(({ name }) => name === 'eth1')).toMatchObject({ up: true, mtu: 1500 });
  expect(ipv4()).toEqual(before);
  // Nobody is asked by ARP.
  expect(vm.announced).toEqual([]);
});

test('goes without a trace, and leaves IPv4 and its NIC as they are', async () => {
  const before = structuredClone({ ...ipv4(), ipv6: vm.ipv6, chains6: Object.fromEntries(vm.chains6) });
  await prepare();
  await release();
  expect({ ...ipv4(), ipv6: vm.ipv6, chains6: Object.fromEntries(vm.chains6) }).toEqual(before);
  expect(vm.nics.find(({ name }) => name === 'eth1')?.up).toBe(true);
  await release();
});

test('has its rule in FORWARD where this engine has no chain of its user’s, and none in raw before 28', async () => {
  vm.chains6.delete('filter DOCKER-USER');
  vm.chains6.set('filter FORWARD', []);
  expect(await prepare('20.10.24')).toMatchObject({ rules: ['filter FORWARD'] });
  expect(Object.fromEntries(vm.chains6)).toEqual({
    'raw PREROUTING': [theirDrop],
    'filter FORWARD': [closed, ours],
  });
  await release();
  expect(vm.chains6.get('filter FORWARD')).toEqual([]);
});

test('of a network of macOS’s lets in each address of the Mac’s, and nobody else', async () => {
  const mine = ['fd5a:9a11:1::1', 'fd5a:9a11:1::bbbb'];
  const from = (source: string): string => `-s ${source}/128 ${ours}`;
  const given = { ...end, vmAddress: 'fd5a:9a11:1::7', prefix: 64, isGiven: true };
  const report = await prepared(await connectEngine(engine.dial), {
    ...given,
    ...{ session: 's', mtu: 1500, macAddress: 'fd5a:9a11:1::bbbb', sources: mine },
    ...{ engineVersion: '28.5.2', generation: 0, timeout: 5000, log: () => undefined },
  });
  expect(report).toMatchObject({ source: mine.join(' ') });
  expect(Object.fromEntries(vm.chains6)).toMatchObject({
    'raw PREROUTING': [...mine.map(from), theirDrop],
    'filter DOCKER-USER': [closed, ...mine.map(from)],
  });
  expect(vm.ipv6).toEqual(fakeVm(mac).ipv6);
  await releaseGuest(await connectEngine(engine.dial), { ...given, hasNic: true, timeout: 5000 });
  expect(vm.chains6.get('filter DOCKER-USER')).toEqual([]);
});

describe('beside that by IPv4, in one conversation', () => {
  const ends = {
    ...{ nic: mac, vmAddress: '10.0.75.2', prefix: 30, macAddress: '10.0.75.1', generation: 0 },
    ipv6: { key: 'guest s IPv6', ...end, macAddress: 'fd3e:d10f:52ef:75::1', generation: 2 },
    ...{ session: 's', mtu: 1500, engineVersion: '28.5.2', timeout: 5000, log: () => undefined },
  };
  let told: readonly (readonly [string, number])[];
  const prepareBoth = async () => {
    told = [];
    await prepareGuest(await connectEngine(engine.dial), ends, (report, { vmAddress }) => {
      told = [...told, [vmAddress, report.observedGeneration]];
      return Promise.resolve();
    });
  };
  const containers = () => engine.asked.filter((asked) => /POST .*\/containers\/[^/]*\/start/.test(asked));

  test('IPv4 first, and each is told once it is there', async () => {
    await prepareBoth();
    expect(told).toEqual([
      ['10.0.75.2', 0],
      [end.vmAddress, 2],
    ]);
    expect(vm.addresses).toContainEqual({ index: 3, address: '10.0.75.2', prefix: 30 });
    expect(vm.ipv6).toContainEqual(own);
    expect(vm.chains6.get('filter DOCKER-USER')).toEqual([closed, ours]);
    expect(containers()).toHaveLength(1);
  });

  test('what fails of IPv6 has its key, and leaves IPv4 as it was told', async () => {
    vm.sysctls.set('net/ipv6/conf/all/forwarding', '0\n');
    await expect(prepareBoth()).rejects.toMatchObject({
      ...{ key: 'guest s IPv6', blocked: true, why: { condition: 'Ipv6', reason: 'NotForwarding' } },
    });
    expect(told).toEqual([['10.0.75.2', 0]]);
    expect(vm.chains.get('filter DOCKER-USER')).toContain(ours);
    vm.sysctls.set('net/ipv6/conf/all/forwarding', '1\n');
    vm.nics.length = 0;
    // All of it is in the way.
    await expect(prepareBoth()).rejects.toMatchObject({ key: null, why: { condition: 'Guest' } });
    expect(told).toEqual([]);
  });
});

test('needs no rule where dockerd has no ip6tables: it keeps nobody out', async () => {
  vm.processes.set(900, dockerd({ programs: ['/usr/sbin/iptables'] }));
  expect(await prepare()).toMatchObject({ rules: [] });
  expect(vm.ipv6).toContainEqual(own);
  await release();
  expect(vm.ipv6).not.toContainEqual(own);
});

test.each([
  ['its kernel has no IPv6', undefined, 'NotInVm'],
  ['it does not forward', '0\n', 'NotForwarding'],
])('is not set up where %s, which is said once, and never switched on', async (_name, forwarding, reason) => {
  if (forwarding === undefined) vm.sysctls.clear();
  else vm.sysctls.set('net/ipv6/conf/all/forwarding', forwarding);
  const before = structuredClone({ ipv6: vm.ipv6, chains6: Object.fromEntries(vm.chains6) });
  await expect(prepare()).rejects.toMatchObject({ blocked: true, why: { condition: 'Ipv6', reason } });
  expect({ ipv6: vm.ipv6, chains6: Object.fromEntries(vm.chains6) }).toEqual(before);
  expect(vm.sysctls.get('net/ipv6/conf/all/forwarding')).toBe(forwarding);
});

test('keeps away from a network of the VM’s own, and what fails is a matter of IPv6 alone', async () => {
  vm.routes6.push({ address: 'fd3ed10f52ef00000000000000000000', prefix: 48, index: 4 });
  await expect(prepare()).rejects.toMatchObject({
    blocked: true,
    message: expect.stringMatching(
      /fd3e:d10f:52ef::\/48 dev docker0.*set ipv6\.address and ipv6\.peer/,
    ) as unknown,
    why: { condition: 'Ipv6', reason: 'GuestFailed' },
  });
  expect(vm.ipv6).not.toContainEqual(own);
  vm.routes6.pop();
  vm.beforeCommand = () => 'ip6tables: Resource temporarily unavailable.';
  await expect(prepare()).rejects.toMatchObject({
    blocked: false,
    why: { condition: 'Ipv6', reason: 'GuestFailed' },
  });
});

test('lets nobody out of the VM by what has a default route, once a router has announced one', async () => {
  vm.nics.push({ index: 9, name: 'wg0', mac: '', mtu: 1420, up: true, madeAs: 'wireguard' });
  vm.routes6.push({ address: null, prefix: 0, index: 9 });
  await prepare();
  expect(vm.chains6.get('filter DOCKER-USER')).toEqual([
    closed,
    '-i eth1 -o wg0 -m comment --comment tuntapd -j DROP',
    ours,
  ]);
});
