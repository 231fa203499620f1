/** Docker Desktop on Apple silicon: containers answer by a NIC of the VM's that is on a network of macOS's. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Condition } from '../../daemon/api/messages.js';
import { machO } from '../lab/docker/mach-o.js';
import { bootMac, type Mac } from '../lab/lab.js';
import {
  answers,
  conditionOf,
  containerAnswers,
  dockerOf,
  engineAnswers,
  explained,
  hasShim,
  hyperkit,
  install,
  must,
  onMac,
  openDocker,
  quitDocker,
  routedToTheVm,
  statusOf,
} from './lib/vocabulary.js';
import { until } from '../lib/until.js';
import {
  appleSilicon,
  bridgesOf,
  restartDocker,
  routesByBridge,
  setDocker,
  virtualMachineOf,
  vmNic,
} from './lib/vmnet.js';

const app = '/Applications/Docker.app';
const tuntapctl = (mac: Mac, ...words: string[]): Promise<string> =>
  must(mac, ['/usr/local/bin/tuntapctl', ...words]);

const becomes = (mac: Mac, type: string, reason: string, seconds = 60): Promise<Condition> =>
  until(`${type} is ${reason}`, seconds, async () => {
    const found = await conditionOf(mac, type);
    return found.reason === reason && found;
  });

const isReady = (mac: Mac): Promise<boolean> =>
  until('tuntapd is ready', 60, async () => (await statusOf(mac)).phase === 'ready');

/** A container of a compose file: at its own address, started again with each engine. */
const shop = { name: 'shop-web-1', network: 'shop_default', subnet: '172.28.6.0/24', address: '172.28.6.10' };

describe('with kernel networking for UDP', () => {
  let mac: Mac;
  let asShipped: readonly string[];
  const files = (): string[] => readdirSync(mac.path(app), { recursive: true }).map(String).toSorted();

  const chapter = (title: string, play: () => Promise<void>): void => {
    test(title, () => explained(mac, play), 600_000);
  };

  const shopAnswers = (): Promise<string> => answers(mac, shop.name, shop.address, 180);

  /** All of Docker's networks are led to the NIC that the VM has now, and to nothing else. */
  const leadsToTheNic = (): Promise<unknown> =>
    until('every route leads to the NIC', 60, async () => {
      const { address } = await vmNic(mac);
      const routes = await routesByBridge(mac);
      return routes.length >= 2 && routes.every(({ gateway }) => gateway === address);
    });

  const openAnew = async (settings: Readonly<Record<string, boolean>>): Promise<void> => {
    await quitDocker(mac);
    await setDocker(mac, settings);
    await openDocker(mac);
    await engineAnswers(mac);
  };

  beforeAll(async () => {
    mac = await bootMac({ ...appleSilicon, engine: 'sid' });
    asShipped = files();
    await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'install-daemon'], 180_000);
  }, 1_200_000);

  afterAll(async () => {
    await mac.end();
  }, 60_000);

  chapter('the setting is off: one sentence says what to switch on, and nothing is changed', async () => {
    await openDocker(mac);
    await engineAnswers(mac);
    const { message } = await becomes(mac, 'TapAttached', 'NoSharedNetwork');
    expect(message).toContain('Use kernel networking for UDP');
    expect(await routesByBridge(mac)).toEqual([]);
    expect(files()).toEqual(asShipped);
  });

  chapter('it is on: a container answers on its own address, by the bridge', async () => {
    await openAnew({ KernelForUDP: true });
    await containerAnswers(mac, 'first');
    await isReady(mac);
    const { address } = await vmNic(mac);
    expect(await routesByBridge(mac)).toEqual([
      { destination: '172.17', gateway: address, bridge: 'bridge100' },
    ]);
    // The scoped default route of the bridge is nobody's default, and stays.
    expect(await must(mac, ['/usr/sbin/netstat', '-rn', '-f', 'inet'])).toMatch(
      /^default +192\.168\.1\.1 +UGScg +en0[^]*^default +link#\d+ +UCSIg +bridge100 +!/m,
    );
  });

  chapter('a network made later is reached too, and its route goes with it', async () => {
    await dockerOf(mac).createNetwork('later', '172.28.5.0/24');
    await containerAnswers(mac, 'second', 'later');
    await dockerOf(mac).remove('second');
    await dockerOf(mac).removeNetwork('later');
    await until('the route is gone', 20, async () =>
      (await routesByBridge(mac)).every(({ destination }) => destination !== '172.28.5/24'),
    );
  });

  chapter('the VM is killed: the next one has another NIC, and what starts with it is reached', async () => {
    await dockerOf(mac).createNetwork(shop.network, shop.subnet);
    await dockerOf(mac).serve(shop.name, shop.network, { always: shop.address });
    await shopAnswers();
    // It has been there for long: nothing of it is still to be written to the VM's disk.
    await dockerOf(mac).inVm('sync');
    const before = await vmNic(mac);
    const vm = await virtualMachineOf(mac);
    await must(mac, ['/bin/kill', '-KILL', String(vm)]);
    await until('a new VM', 60, async () => {
      const now = await virtualMachineOf(mac);
      return now !== null && now !== vm;
    });
    await shopAnswers();
    const after = await vmNic(mac);
    expect(after.mac).not.toBe(before.mac);
    expect(after.address).not.toBe(before.address);
    await leadsToTheNic();
  });

  chapter('Docker restarts itself: the address is another one, and the routes follow', async () => {
    const before = await vmNic(mac);
    await restartDocker(mac);
    await shopAnswers();
    expect((await vmNic(mac)).address).not.toBe(before.address);
    await leadsToTheNic();
  });

  chapter('macOS renumbers the bridge while the VM runs', async () => {
    await mac.call('vmnet.renumber', { network: '192.168.66.0' });
    await until('the VM has taken it', 60, async () => (await vmNic(mac)).address.startsWith('192.168.66.'));
    await shopAnswers();
    await leadsToTheNic();
    await mac.call('vmnet.renumber', { network: '192.168.64.0' });
    await shopAnswers();
    await leadsToTheNic();
  });

  chapter(
    'tuntapd is killed: launchd starts it again, and containers made meanwhile are reached',
    async () => {
      const { pid } = await statusOf(mac);
      await must(mac, ['/bin/kill', '-KILL', String(pid)]);
      await dockerOf(mac).createNetwork('meanwhile', '172.29.7.0/24');
      await containerAnswers(mac, 'after-daemon-kill', 'meanwhile');
    },
  );

  chapter('down takes every route away, up brings them back', async () => {
    await tuntapctl(mac, 'down');
    await until('no route is left', 30, async () => (await routesByBridge(mac)).length === 0);
    expect(await bridgesOf(mac)).toEqual(['bridge100']);
    await tuntapctl(mac, 'up');
    await shopAnswers();
  });

  chapter('bootpd is blocked: the VM has IPv6 alone, and it is said what to do', async () => {
    await mac.call('vmnet.set', { bootpd: 'blocked' });
    await openAnew({ KernelForUDP: true });
    expect((await becomes(mac, 'TapAttached', 'NicWithoutAddress', 120)).message).toContain('bootpd');
    expect(await routesByBridge(mac)).toEqual([]);
    await mac.call('vmnet.set', { bootpd: 'answers' });
    await shopAnswers();
  });

  chapter(
    'another VM app has bridge100 and the same network: the way is that of Docker’s own bridge',
    async () => {
      await quitDocker(mac);
      await until('the bridge is gone', 20, async () => (await bridgesOf(mac)).length === 0);
      await mac.call('vmnet.other', { network: '198.19.249.0' });
      await openDocker(mac);
      await shopAnswers();
      await leadsToTheNic();
      expect((await routesByBridge(mac)).map(({ bridge }) => bridge)).not.toContain('bridge100');
      await mac.call('vmnet.other-ends');
      await shopAnswers();
    },
  );

  chapter('Docker VMM has no such NIC: it is said what to choose', async () => {
    await openAnew({ UseLibkrun: true, UseVirtualizationFramework: false, KernelForUDP: true });
    const { message } = await becomes(mac, 'VirtualMachine', 'DockerVmm');
    expect(message).toContain('Docker VMM');
    expect(await routesByBridge(mac)).toEqual([]);
    await openAnew({ KernelForUDP: true });
    await shopAnswers();
  });

  chapter('the Mac is rebooted, the user logs in, Docker starts', async () => {
    await mac.reboot();
    await mac.login('person');
    expect(await bridgesOf(mac)).toEqual([]);
    await openDocker(mac);
    await shopAnswers();
    await leadsToTheNic();
  });

  chapter('tuntapd is uninstalled and leaves no trace', async () => {
    await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'uninstall-daemon', 'PURGE=1'], 120_000);
    expect(await routesByBridge(mac)).toEqual([]);
    expect(await bridgesOf(mac)).toEqual(['bridge100']);
    expect(files()).toEqual(asShipped);
    expect(await dockerOf(mac).inVm('iptables-save')).not.toContain('tuntapd');
    for (const path of ['/opt/tuntapd', '/var/db/tuntapd', '/var/log/tuntapd', '/usr/local/bin/tuntapctl'])
      expect(existsSync(mac.path(path))).toBe(false);
  });
});

test(
  'an update changes how the VM runs: the shim is taken back, the link is the other one, and back again',
  () =>
    onMac({ macos: '12.7.6', docker: { version: '4.34.0' }, engine: 'sid' }, async (mac) => {
      await install(mac);
      await openDocker(mac);
      await containerAnswers(mac, 'by-tap');
      expect(await routedToTheVm(mac)).toContain('172.17');

      await mac.call('docker.stage-update', { version: '4.90.0', seed: 'update', virtualization: true });
      await quitDocker(mac);
      await setDocker(mac, { KernelForUDP: true });
      await openDocker(mac);
      await containerAnswers(mac, 'by-bridge');
      await until('hyperkit is what Docker put there', 60, () =>
        Promise.resolve(readFileSync(mac.path(hyperkit)).equals(machO('update hyperkit'))),
      );
      expect(existsSync(mac.path(`${hyperkit}.original`))).toBe(false);
      expect(await routedToTheVm(mac)).toEqual([]);
      expect((await routesByBridge(mac)).map(({ destination }) => destination)).toContain('172.17');

      await quitDocker(mac);
      await setDocker(mac, { UseVirtualizationFramework: false });
      await openDocker(mac);
      await until('hyperkit has the shim again', 90, () => Promise.resolve(hasShim(mac)));
      expect(await routesByBridge(mac)).toEqual([]);
    }),
  900_000,
);
