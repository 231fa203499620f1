import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parsePrefix } from '../../../daemon/lib/prefix.js';
import type { Run } from '../../../daemon/lib/command.js';
import { observeConsoleUser } from '../../../daemon/mac/console-user.js';
import { readRoutingTable } from '../../../daemon/mac/netstat.js';
import { addRoutes, deleteRoutes, observeRoutes } from '../../../daemon/mac/routes.js';
import { addressTap, parseInterface, unaddressTap } from '../../../daemon/mac/tap-interface.js';
import { route } from '../core/worlds.js';
import { endVm, type FakeMac, fakeMac, row, shown } from './fake-mac.js';

const link = { interface: 'tap1', macAddress: '10.0.75.1', prefix: 30, mtu: 1500, anew: false };
const step = { subnet: '172.19.0.0/16', gateway: '10.0.75.2', interface: 'tap1' };
const vpn = { destination: step.subnet, gateway: '10.80.0.1', interface: 'utun4', flags: 'UGSc' };
const rowsOf = (mac: FakeMac): string[] =>
  shown(mac)
    .filter(({ destination }) => destination === step.subnet)
    .map((each) => `${each.gateway} ${each.interface}`);

/** What ifconfig can change of the tap; undefined when it is not there. */
const tapOf = ({ table }: FakeMac) => {
  const tap = table.interfaces.find(({ name }) => name === 'tap1');
  return tap && { up: tap.up, mtu: tap.mtu, addresses: tap.addresses };
};

const one =
  (work: typeof addRoutes) =>
  async (target: typeof step, run: Run): Promise<void> => {
    const [error] = await work([target], run);
    if (error) throw error;
  };
const addRoute = one(addRoutes);
const deleteRoute = one(deleteRoutes);

async function linked(): Promise<FakeMac> {
  const mac = fakeMac();
  await addressTap(link, mac.run);
  return mac;
}

test('the tap gets address, prefix and MTU; once more changes nothing', async () => {
  const mac = fakeMac();
  await addressTap({ ...link, mtu: 1400 }, mac.run);
  const state = { up: true, mtu: 1400, addresses: [{ address: '10.0.75.1', prefix: 30 }] };
  expect(tapOf(mac)).toEqual(state);
  mac.meanwhile = () => {
    throw new Error('a second time is no change');
  };
  await addressTap({ ...link, mtu: 1400 }, mac.run);
  expect(tapOf(mac)).toEqual(state);
});

test('a stale address is replaced', async () => {
  const mac = await linked();
  await addressTap({ ...link, macAddress: '10.0.76.1', prefix: 29 }, mac.run);
  expect(tapOf(mac)?.addresses).toEqual([{ address: '10.0.76.1', prefix: 29 }]);
});

test('a tap that is down keeps its connected route while it comes up', async () => {
  const mac = await linked();
  const { table } = mac;
  const connected = table.rows.find(({ interface: name }) => name === 'tap1');
  expect(connected).toBeDefined();
  for (const each of table.interfaces) if (each.name === 'tap1') each.up = false;
  await addressTap(link, mac.run);
  expect(tapOf(mac)?.up).toBe(true);
  expect(table.rows).toContain(connected);
});

const connectedRows = (mac: FakeMac) =>
  shown(mac).filter(({ destination, interface: name }) => destination === '10.0.75.0/30' && name === 'tap1');

/** Somebody takes away what leads to the tap. */
const loseTapsRows = ({ table }: FakeMac): void => {
  table.rows = table.rows.filter(({ interface: name }) => name !== 'tap1');
};

test('a connected row that somebody took away is back once the address is set anew', async () => {
  const mac = await linked();
  loseTapsRows(mac);
  await addressTap({ ...link, anew: true }, mac.run);
  expect(connectedRows(mac)).toHaveLength(1);
  expect(tapOf(mac)?.addresses).toEqual([{ address: '10.0.75.1', prefix: 30 }]);
});

test('the row that a VPN has of the link’s network stays the VPN’s', async () => {
  const mac = await linked();
  const theirs = { destination: '10.0.75.0/30', gateway: 'link#24', interface: 'utun6', flags: 'UCS' };
  loseTapsRows(mac);
  mac.table.rows.push(row(theirs));
  await addressTap({ ...link, anew: true }, mac.run);
  expect(shown(mac).filter(({ destination }) => destination === '10.0.75.0/30')).toEqual([theirs]);
});

test('a tap whose VM ends in between is an error that says so', async () => {
  const mac = fakeMac();
  mac.meanwhile = () => {
    endVm(mac);
  };
  await expect(addressTap(link, mac.run)).rejects.toThrow(/tap1/);
});

test('the address is taken away, also twice, also with the VM gone', async () => {
  const mac = await linked();
  await unaddressTap(link, mac.run);
  await unaddressTap(link, mac.run);
  expect(tapOf(mac)).toMatchObject({ up: true, addresses: [] });
  const other = await linked();
  other.meanwhile = () => {
    endVm(other);
  };
  await unaddressTap(link, other.run);
  expect(tapOf(other)).toBeUndefined();
});

test('what ifconfig does not do is not believed', async () => {
  const text = 'tap1: flags=8843<UP> mtu 1400\n\tinet 10.0.75.1 netmask 0xfffffffc\n';
  const stubborn: Run = () => Promise.resolve({ stdout: text, stderr: '', exitCode: 0 });
  await expect(addressTap(link, stubborn)).rejects.toMatchObject({ reason: 'AddressNotSet' });
  await expect(unaddressTap(link, stubborn)).rejects.toMatchObject({ reason: 'AddressNotRemoved' });
  const silent: Run = () => Promise.resolve({ stdout: '', stderr: 'ifconfig: socket: no', exitCode: 1 });
  await expect(unaddressTap(link, silent)).rejects.toMatchObject({ reason: 'InterfaceUnknown' });
});

test('a point-to-point address is one', () => {
  const text = 'tap1: flags=8051<UP> mtu 1500\n\tinet 10.3.0.1 --> 10.3.0.2 netmask 0xffffff00\n';
  expect(parseInterface(text)?.addresses).toEqual([{ address: '10.3.0.1', prefix: 24 }]);
});

test('a route comes and goes, twice each', async () => {
  const mac = await linked();
  await addRoute(step, mac.run);
  await addRoute(step, mac.run);
  expect(rowsOf(mac)).toEqual(['10.0.75.2 tap1']);
  await deleteRoute(step, mac.run);
  await deleteRoute(step, mac.run);
  expect(rowsOf(mac)).toEqual([]);
});

test('a VPN’s route of the same prefix stays, and is named', async () => {
  const mac = await linked();
  mac.table.rows.push(row(vpn));
  await deleteRoute(step, mac.run);
  await expect(addRoute(step, mac.run)).rejects.toMatchObject({
    reason: 'ForeignRoute',
    blocked: true,
    message: expect.stringMatching(/10\.80\.0\.1 on utun4/) as unknown,
  });
  expect(rowsOf(mac)).toEqual(['10.80.0.1 utun4']);
});

test('a VPN that comes between look and add keeps its route', async () => {
  const mac = await linked();
  mac.meanwhile = () => {
    mac.meanwhile = () => undefined;
    mac.table.rows.push(row(vpn));
  };
  await expect(addRoute(step, mac.run)).rejects.toMatchObject({ reason: 'ForeignRoute' });
  expect(rowsOf(mac)).toEqual(['10.80.0.1 utun4']);
});

test('a route that the kernel bound to en0 is taken back at once, and it is worth another try', async () => {
  const mac = fakeMac();
  await expect(addRoute(step, mac.run)).rejects.toMatchObject({ reason: 'RouteMisbound', blocked: false });
  expect(rowsOf(mac)).toEqual([]);
});

test('a route left on en0 through our gateway is mended', async () => {
  const mac = await linked();
  const { subnet: destination, gateway } = step;
  mac.table.rows.push(row({ destination, gateway, interface: 'en0', flags: 'UGSc' }));
  await addRoute(step, mac.run);
  expect(rowsOf(mac)).toEqual(['10.0.75.2 tap1']);
});

test('a scoped row of another interface is neither ours nor in the way', async () => {
  const mac = await linked();
  mac.table.rows.push(row({ ...vpn, flags: 'UGScI' }));
  await addRoute(step, mac.run);
  await deleteRoute(step, mac.run);
  expect(rowsOf(mac)).toEqual(['10.80.0.1 utun4']);
});

test('many routes at once: each has its own outcome, and a foreign one among them stays', async () => {
  const mac = await linked();
  mac.table.rows.push(row(vpn));
  const many = Array.from({ length: 120 }, (_, index) => ({ ...step, subnet: `10.77.${index}.0/24` }));
  const errors = await addRoutes([...many.slice(0, 60), step, ...many.slice(60)], mac.run);
  expect(errors.map((error) => error !== null)).toEqual(
    Array.from({ length: 121 }, (_, index) => index === 60),
  );
  expect(rowsOf(mac)).toEqual(['10.80.0.1 utun4']);
  expect(await deleteRoutes([...many, step], mac.run)).toEqual(Array.from({ length: 121 }, () => null));
  expect(shown(mac).filter(({ gateway }) => gateway === step.gateway)).toEqual([]);
  expect(rowsOf(mac)).toEqual(['10.80.0.1 utun4']);
});

test('a route that somebody takes away at once was added: that is no refusal', async () => {
  const mac = await linked();
  const fought: Run = async (file, args, options) => {
    const said = await mac.run(file, args, options);
    if (args.includes('add'))
      mac.table.rows = mac.table.rows.filter(({ gateway }) => gateway !== step.gateway);
    return said;
  };
  await addRoute(step, fought);
  expect(rowsOf(mac)).toEqual([]);
});

test('without a default route the kernel’s own words are told', async () => {
  const mac = fakeMac();
  mac.table.rows = [];
  await expect(addRoute(step, mac.run)).rejects.toThrow(/Network is unreachable/);
});

const net = fc
  .tuple(fc.integer({ min: 0x01000000, max: 0xdfffffff }), fc.integer({ min: 1, max: 32 }))
  .map(([base, length]) => {
    const octets = [24, 16, 8, 0].map((shift) => (base >>> shift) & 255);
    return parsePrefix(`${octets.join('.')}/${length}`)?.text ?? '';
  });

test('whatever is in the table is read back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(net, { maxLength: 30 }),
      fc.constantFrom('link#9', '10.0.75.2', 'utun3', '0:c:2b:0:9:ff', '62.f8.1.4b.d.64'),
      async (nets, gateway) => {
        const mac = fakeMac();
        mac.table.rows = nets.map((destination) =>
          row({ destination, gateway, interface: 'en5', flags: 'UGSc' }),
        );
        expect(await observeRoutes(mac.run)).toEqual({ known: true, value: shown(mac).map(route) });
      },
    ),
  );
});

const head = 'Routing tables\n\nInternet:\nDestination        Gateway            Flags        Netif Expire\n';

test.each([
  ['four octets that are no host', '10.1.2.3           link#5             UCS             en0'],
  ['too few octets for the class', '172                10.8.0.1           UGSc          utun3'],
  ['no interface before the expiry', '10.9/24            10.8.0.1           UGSc                     !'],
  ['an empty gateway', '10.9/24                               UCS             utun4     12'],
])('%s: the row is left out and reported', (_name, odd) => {
  const good = '10.7/16            10.8.0.1           UGSc          utun3       ';
  const { routes, unread } = readRoutingTable(`${head}${odd}\n${good}\n`);
  expect(routes.map(({ destination }) => destination.text)).toEqual(['10.7.0.0/16']);
  expect(unread).toEqual([odd]);
});

test('a table of which nothing is understood is unknown, an empty one is empty', async () => {
  const table = (stdout: string) => observeRoutes(() => Promise.resolve({ stdout, stderr: '', exitCode: 0 }));
  expect((await table('Routing tables\n\nInternet:\nZiel Weg\nhier dort\n')).known).toBe(false);
  expect(await table('Routing tables\n')).toEqual({ known: true, value: [] });
});

test('scutil’s silence is no login window, and the directory is asked once a login', async () => {
  let home = '/Users/lena';
  const mac: Run = (file) =>
    Promise.resolve(
      file === '/usr/sbin/scutil'
        ? { stdout: '<dictionary> {\n  GID : 20\n  Name : lena\n  UID : 504\n}\n', stderr: '', exitCode: 0 }
        : { stdout: `NFSHomeDirectory: ${home}\nPrimaryGroupID: 20\n`, stderr: '', exitCode: 0 },
    );
  const lena = { known: true, value: { name: 'lena', uid: 504, gid: 20, home } };
  expect(await observeConsoleUser(mac)).toEqual(lena);
  home = '/changed';
  expect(await observeConsoleUser(mac)).toEqual(lena);
  const nameless: Run = () =>
    Promise.resolve({ stdout: '<dictionary> {\n  Name : \n  UID : 504\n}\n', stderr: '', exitCode: 0 });
  expect(await observeConsoleUser(nameless)).toEqual({ known: true, value: null });
  const silent: Run = () => Promise.resolve({ stdout: '', stderr: 'no store', exitCode: 1 });
  expect((await observeConsoleUser(silent)).known).toBe(false);
});
