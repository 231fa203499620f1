/** The NIC that Mac and VM share, among all that they have. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { candidatesOf, findNic } from '../../../daemon/core/link/nic.js';
import type { GuestNic, Neighbour, VmBridge } from '../../../daemon/core/observation.js';

export const bridge = (name: string, address: string, prefix = 24): VmBridge => ({
  name,
  address,
  prefix,
  mtu: 1500,
});
const nic = (name: string, more: Partial<GuestNic> = {}): GuestNic => ({
  name,
  mac: 'ba:28:04:fb:9a:30',
  isCard: true,
  hasDefaultRoute: false,
  addresses: [],
  hasIpv6: true,
  ...more,
});
const at = (address: string, prefix = 24) => [{ address, prefix }];

// As the VMs of Docker Desktop 4.27 to 4.37 have them.
const eth0 = nic('eth0', {
  mac: 'd2:4a:6e:3a:d6:83',
  hasDefaultRoute: true,
  addresses: at('192.168.65.3'),
});
const services1 = nic('services1', {
  mac: '3e:91:24:52:5d:0d',
  isCard: false,
  addresses: at('192.168.65.6', 32),
});
const docker0 = nic('docker0', { mac: '02:42:71:da:bc:58', isCard: false, addresses: at('172.17.0.1', 16) });
const eth1 = nic('eth1', { addresses: at('192.168.64.2') });
const dockers = [eth0, services1, docker0];

const bridge100 = bridge('bridge100', '192.168.64.1');
const orbstack = [bridge('bridge100', '198.19.249.3', 23), bridge('bridge101', '10.8.10.0')];
const known = (address = '192.168.64.2', mac = eth1.mac, name = 'bridge100'): Neighbour => ({
  address,
  mac,
  interface: name,
});

test.each<[string, VmBridge[], GuestNic[], Neighbour[], string]>([
  [
    'Docker Desktop with the setting',
    [bridge100],
    [...dockers, eth1],
    [known()],
    'eth1 192.168.64.2 on bridge100',
  ],
  [
    'it is found by whatever name',
    [bridge('bridge103', '192.168.66.1')],
    [...dockers, nic('eth7', { addresses: at('192.168.66.9') })],
    [known('192.168.66.9', eth1.mac, 'bridge103')],
    'eth7 192.168.66.9 on bridge103',
  ],
  ['without the setting, beside OrbStack', orbstack, dockers, [], 'NoSharedNic for good'],
  [
    'with it, beside OrbStack',
    [...orbstack, bridge('bridge102', '192.168.64.1')],
    [...dockers, eth1],
    [known('192.168.64.2', eth1.mac, 'bridge102')],
    'eth1 192.168.64.2 on bridge102',
  ],
  [
    'DHCP did not answer (docker-mac-routes issue 1)',
    [bridge('bridge100', '192.168.106.1')],
    [...dockers, nic('eth1')],
    [],
    'NicWithoutAddress',
  ],
  [
    'Lima, of whose NICs each has a default route',
    [bridge('bridge100', '192.168.105.1')],
    [
      nic('eth0', { mac: '52:55:55:00:00:01', hasDefaultRoute: true, addresses: at('192.168.5.15') }),
      nic('lima0', { hasDefaultRoute: true, addresses: at('192.168.105.3') }),
    ],
    [known('192.168.105.3')],
    'lima0 192.168.105.3 on bridge100',
  ],
  [
    'another VM has the address on the bridge',
    [bridge100],
    [...dockers, eth1],
    [known('192.168.64.2', '52:54:00:00:00:01')],
    'NicUnproven',
  ],
  [
    'the Mac knows it on another bridge',
    [bridge100],
    [...dockers, eth1],
    [known('192.168.64.2', eth1.mac, 'bridge101')],
    'NicUnproven',
  ],
  ['nobody answers there', [bridge100], [...dockers, eth1], [], 'NicUnproven'],
  [
    'macOS renumbered the bridge, and the lease is still the old one',
    [bridge('bridge100', '192.168.66.1')],
    [...dockers, eth1],
    [],
    'NoSharedNic',
  ],
  [
    'the bridge took the network of Docker’s own way out',
    [bridge('bridge100', '192.168.65.1')],
    dockers,
    [known('192.168.65.3', eth0.mac)],
    'NoSharedNic for good',
  ],
  [
    'two bridges have one network',
    [bridge100, bridge('bridge101', '192.168.64.1')],
    [...dockers, eth1],
    [known()],
    'NoSharedNic',
  ],
  [
    'two NICs on two bridges',
    [bridge100, bridge('bridge101', '192.168.105.1')],
    [...dockers, eth1, nic('eth2', { mac: '52:55:55:00:00:02', addresses: at('192.168.105.3') })],
    [known(), known('192.168.105.3', '52:55:55:00:00:02', 'bridge101')],
    'SeveralNics for good',
  ],
  [
    'two NICs, of which the Mac knows one',
    [bridge100, bridge('bridge101', '192.168.105.1')],
    [...dockers, eth1, nic('eth2', { mac: '52:55:55:00:00:02', addresses: at('192.168.105.3') })],
    [known()],
    'eth1 192.168.64.2 on bridge100',
  ],
])('%s', (_what, bridges, nics, neighbours, expected) => {
  const found = findNic(bridges, { nics, neighbours });
  expect(
    found.kind === 'found'
      ? `${found.nic.name} ${found.address} on ${found.bridge.name}`
      : `${found.reason}${found.isFinal ? ' for good' : ''}`,
  ).toBe(expected);
});

const octet = fc.integer({ min: 0, max: 3 });
const address = fc
  .tuple(fc.constantFrom('192.168.64', '192.168.65', '172.17.0', '10.0.0'), octet)
  .map((parts) => parts.join('.'));
const prefix = fc.constantFrom(16, 24, 30, 32);
const someMac = fc.constantFrom('02:00:00:00:00:01', '02:00:00:00:00:02', '');
const bridges = fc.array(
  fc.record({ name: fc.constantFrom('bridge100', 'bridge101'), address, prefix, mtu: fc.constant(1500) }),
  { maxLength: 3 },
);
const nics = fc.array(
  fc.record({
    name: fc.constantFrom('eth0', 'eth1', 'docker0', 'br-1'),
    mac: someMac,
    isCard: fc.boolean(),
    hasDefaultRoute: fc.boolean(),
    addresses: fc.array(fc.record({ address, prefix }), { maxLength: 2 }),
    hasIpv6: fc.boolean(),
  }),
  { maxLength: 5 },
);
const neighbours = fc.array(
  fc.record({ address, mac: someMac, interface: fc.constantFrom('bridge100', 'bridge101', 'en0') }),
  { maxLength: 4 },
);

test('whatever there is: never the VM’s only way out, never what Docker made, and never what the Mac does not know', () => {
  fc.assert(
    fc.property(bridges, nics, neighbours, (hasBridges, hasNics, hasNeighbours) => {
      const found = findNic(hasBridges, { nics: hasNics, neighbours: hasNeighbours });
      if (found.kind === 'none') return;
      const { nic: taken, address: own, bridge: on } = found;
      expect(taken.isCard).toBe(true);
      const waysOut = hasNics.filter(
        ({ isCard, mac, hasDefaultRoute }) => isCard && mac !== '' && hasDefaultRoute,
      );
      expect(waysOut.length === 1 && waysOut[0] === taken).toBe(false);
      expect(hasNeighbours).toContainEqual({ address: own, mac: taken.mac, interface: on.name });
      expect(own).not.toBe(on.address);
      // Nothing else fits as well.
      const proven = candidatesOf(hasBridges, hasNics).filter((each) =>
        hasNeighbours.some(
          (one) =>
            one.address === each.address && one.mac === each.nic.mac && one.interface === each.bridge.name,
        ),
      );
      expect(proven).toHaveLength(1);
    }),
    { numRuns: 3000 },
  );
});
