/** The VM's end of a link whose NIC has an address of its own: looked at, let in and closed again, and never set. */
import { afterEach, expect, test } from '@jest/globals';
import { connectEngine } from '../../../daemon/guest/engine-client.js';
import { lookIntoGuest, releaseGuest } from '../../../daemon/guest/link-end.js';
import { prepared } from './prepared.js';
import { fakeEngine, type FakeEngine } from './fake-engine.js';
import { fakeVm, type FakeVm } from './fake-vm.js';

const mac = 'ba:28:04:fb:9a:30';
const end = { nic: mac, vmAddress: '192.168.64.2', prefix: 24, isGiven: true };
const acceptFrom = (mac: string): string => `-s ${mac}/32 -i eth1 -m comment --comment tuntapd -j ACCEPT`;
const accept = acceptFrom('192.168.64.1');
const drop = (way: string): string => `-i eth1 -o ${way} -m comment --comment tuntapd -j DROP`;
const theirDrop = '-d 172.17.0.2/32 ! -i docker0 -j DROP';
const theirRule = '-s 10.9.9.9/32 -j DROP';

let engine: FakeEngine;
let vm: FakeVm;

/** A VM whose eth1 has taken a lease, or only heard of an IPv6 network. */
async function begin({ isLeased = true } = {}): Promise<void> {
  vm = fakeVm(mac);
  const eth1 = vm.nics.find(({ name }) => name === 'eth1');
  if (eth1) eth1.up = true;
  if (isLeased) {
    vm.addresses.push({ index: 3, address: '192.168.64.2', prefix: 24 });
    vm.routes.push({ address: '192.168.64.0', prefix: 24, index: 3 });
  }
  vm.ipv6.push({ index: 3, address: 'fda58591e3fe291fb82804fffefb9a30', prefix: 64 });
  engine = await fakeEngine({
    runs: (streams) => {
      vm.agent(streams);
    },
  });
}

afterEach(() => engine.close());

const log = (): void => undefined;
const prepare = async (macAddress = '192.168.64.1') =>
  prepared(await connectEngine(engine.dial), {
    ...end,
    session: 's',
    mtu: 1500,
    macAddress,
    engineVersion: '28.5.2',
    generation: 3,
    timeout: 5000,
    log,
  });

const state = () => JSON.stringify([vm.nics, vm.addresses, vm.routes]);

test.each([
  ['with a lease', true, [{ address: '192.168.64.2', prefix: 24 }]],
  ['with IPv6 alone', false, []],
])('what the VM has is told and nothing is changed: %s', async (_what, isLeased, addresses) => {
  await begin({ isLeased });
  const before = state();
  const nics = await lookIntoGuest(await connectEngine(engine.dial), { log, timeout: 5000 });
  expect(nics).toEqual([
    {
      name: 'lo',
      mac: '00:00:00:00:00:00',
      isCard: false,
      hasDefaultRoute: false,
      addresses: [],
      hasIpv6: false,
      ipv6: [],
    },
    {
      name: 'eth0',
      mac: '02:50:00:00:00:01',
      isCard: true,
      hasDefaultRoute: true,
      addresses: [{ address: '192.168.65.3', prefix: 24 }],
      hasIpv6: false,
      ipv6: [],
    },
    {
      ...{ name: 'eth1', mac, isCard: true, hasDefaultRoute: false, addresses, hasIpv6: true },
      ipv6: [{ address: 'fda5:8591:e3fe:291f:b828:4ff:fefb:9a30', prefix: 64 }],
    },
    {
      name: 'docker0',
      mac: '02:42:00:00:00:01',
      isCard: false,
      hasDefaultRoute: false,
      addresses: [{ address: '172.17.0.1', prefix: 16 }],
      hasIpv6: false,
      ipv6: [],
    },
  ]);
  expect(state()).toBe(before);
  expect(vm.commands).toEqual([]);
});

test('the firewall lets in what comes by that NIC from the Mac alone, and address and card stay as they are', async () => {
  await begin();
  const before = state();
  expect(await prepare()).toEqual({
    session: 's',
    interface: 'eth1',
    rules: ['raw PREROUTING', 'filter DOCKER-USER'],
    source: '192.168.64.1',
    observedGeneration: 3,
    nic: end.nic,
  });
  expect(state()).toBe(before);
  expect(vm.chains.get('raw PREROUTING')).toEqual([accept, theirDrop]);
  expect(vm.chains.get('filter DOCKER-USER')).toEqual([drop('eth0'), accept, theirRule]);
});

test('the rule for an address that the Mac no longer has gives way to the one for its new address', async () => {
  await begin();
  await prepare('192.168.64.9');
  expect(vm.chains.get('raw PREROUTING')).toEqual([acceptFrom('192.168.64.9'), theirDrop]);
  await prepare();
  expect(vm.chains.get('raw PREROUTING')).toEqual([accept, theirDrop]);
  expect(vm.chains.get('filter DOCKER-USER')).toEqual([drop('eth0'), accept, theirRule]);
});

test('by a NIC that is a way out itself nothing goes back to the Mac', async () => {
  await begin();
  vm.routes.push({ address: null, prefix: 0, index: 3 });
  await prepare();
  expect(vm.chains.get('filter DOCKER-USER')).toEqual([drop('eth0'), drop('eth1'), accept, theirRule]);
});

test.each([
  ['as it was found', end],
  ['in a life that never looked for it', { nic: '', vmAddress: '', prefix: 0, isGiven: true }],
])('released, the rules are gone and the NIC is what it was: %s', async (_what, released) => {
  await begin();
  await prepare();
  const before = state();
  await releaseGuest(await connectEngine(engine.dial), { ...released, hasNic: true, timeout: 5000 });
  expect(state()).toBe(before);
  expect(vm.chains.get('raw PREROUTING')).toEqual([theirDrop]);
  expect(vm.chains.get('filter DOCKER-USER')).toEqual([theirRule]);
});

test('another network of the VM around the link’s is a collision, and no key of the tap is blamed', async () => {
  await begin();
  vm.routes.push({ address: '192.168.0.0', prefix: 16, index: 4 });
  await expect(prepare()).rejects.toMatchObject({
    reason: 'LinkCollision',
    message: expect.not.stringContaining('tap.'),
  });
  expect(vm.commands).toEqual([]);
});
