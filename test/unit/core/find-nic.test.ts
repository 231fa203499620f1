import { expect, test } from '@jest/globals';
import type { NicSearch } from '../../../daemon/core/link/nic.js';
import type { GuestNic } from '../../../daemon/core/observation.js';
import { searchNic } from '../../../daemon/runtime/find-nic.js';
import { bridge100, nic, nicMac, outside } from './vmnet-worlds.js';

/** A Mac that knows a neighbour once it has spoken to it. */
function mac(nics: readonly GuestNic[], answers: Readonly<Record<string, string>>) {
  const known = new Set<string>();
  let remembered: NicSearch | null = null;
  const search = () =>
    searchNic(
      { vm: '700@then', generation: 2, bridges: [bridge100] },
      {
        lookIntoGuest: () => Promise.resolve(nics),
        speakTo: (address, from) => {
          if (from === bridge100.address) known.add(address);
          return Promise.resolve();
        },
        neighboursAt: (address) => {
          const found = known.has(address) ? answers[address] : undefined;
          return Promise.resolve(
            found === undefined ? [] : [{ address, mac: found, interface: 'bridge100' }],
          );
        },
        remember: (found) => {
          remembered = found;
          return Promise.resolve();
        },
      },
    );
  return { search, remembered: () => remembered };
}

test('a NIC is proven by the MAC that the Mac learns of it', async () => {
  const { search, remembered } = mac([outside, nic()], { '192.168.64.2': nicMac });
  await search();
  expect(remembered()).toEqual({
    vm: '700@then',
    generation: 2,
    bridges: [bridge100],
    nics: [outside, nic()],
    neighbours: [{ address: '192.168.64.2', mac: nicMac, interface: 'bridge100' }],
  });
});

test.each<[string, GuestNic[], Record<string, string>, object]>([
  ['without any', [outside], {}, { reason: 'NoSharedNic', blocked: true, once: true }],
  [
    'before it has a lease',
    [outside, nic({ addresses: [] })],
    {},
    { reason: 'NicWithoutAddress', blocked: false, once: false },
  ],
  [
    'with another VM at its address',
    [outside, nic()],
    { '192.168.64.2': '52:54:00:00:00:01' },
    { reason: 'NicUnproven', blocked: false, once: false },
  ],
])('what was seen is remembered, and the step fails: %s', async (_what, nics, answers, error) => {
  const { search, remembered } = mac(nics, answers);
  await expect(search()).rejects.toMatchObject(error);
  expect(remembered()).toMatchObject({ nics });
});
