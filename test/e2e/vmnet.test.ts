/** Docker Desktop on Apple silicon: containers answer by a NIC of the VM's that is on a network of macOS's. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { machO } from '../lab/docker/mach-o.js';
import { bootMac, type Mac } from '../lab/lab.js';
import { hold } from '../lab/mac/rpc.js';
import type { Nic } from '../lab/mac/vmnet.js';
import { chaptersOn } from './lib/chapter.js';
import { chaptersOf, shop } from './lib/story.js';
import {
  commandLines,
  answers,
  conditionIs,
  containerAnswers,
  dockerOf,
  dockersPid,
  engineAnswers,
  hasShim,
  helperIsGone,
  hyperkit,
  install,
  must,
  onMac,
  openDocker,
  phaseIs,
  quitDocker,
  routedToTheVm,
  sleepThrough,
} from './lib/vocabulary.js';
import { until } from '../lib/until.js';
import {
  appleSilicon,
  bridgesOf,
  colimaOf,
  leadsToTheNic,
  restartDocker,
  routesByBridge,
  setDocker,
  virtualMachineOf,
  vmNic,
} from './lib/vmnet.js';

const app = '/Applications/Docker.app';
const tuntapctl = (mac: Mac, ...words: string[]): Promise<string> =>
  must(mac, ['/usr/local/bin/tuntapctl', ...words]);

const titles = chaptersOf({} as Mac, 'vmnet');

describe('with kernel networking for UDP', () => {
  let mac: Mac;
  let told: ReturnType<typeof chaptersOf>;
  let asShipped: readonly string[];
  const files = (): string[] => readdirSync(mac.path(app), { recursive: true }).map(String).toSorted();

  const chapter = chaptersOn(() => mac);
  /** A chapter of the story, and what is so after it. */
  const tells = (name: keyof typeof titles, then: () => Promise<unknown> = () => Promise.resolve()): void => {
    chapter(titles[name].title, async () => {
      await told[name].play();
      await then();
    });
  };

  const shopAnswers = async (): Promise<void> => {
    await answers(mac, shop.name, shop.address, 300);
    await leadsToTheNic(mac);
  };
  const noRoute = (): Promise<unknown> =>
    until('no route is left', 90, async () => (await routesByBridge(mac)).length === 0);
  const isOpen = async (): Promise<boolean> =>
    (await dockerOf(mac).inVm('iptables-save')).includes('tuntapd');

  beforeAll(async () => {
    mac = await bootMac({ ...appleSilicon, engine: 'sid' });
    told = chaptersOf(mac, 'vmnet');
    asShipped = files();
  }, 1_200_000);

  afterAll(async () => {
    await mac.end();
  }, 60_000);

  tells('installed');

  chapter('the setting is off: one sentence says what to switch on, and nothing is changed', async () => {
    await openDocker(mac);
    const { message } = await conditionIs(mac, 'TapAttached', { reason: 'NoSharedNetwork' }, 60);
    expect(message).toContain('Use kernel networking for UDP');
    expect(await routesByBridge(mac)).toEqual([]);
    expect(files()).toEqual(asShipped);
    await quitDocker(mac);
  });

  chapter('Docker VMM has no such NIC: it is said what to choose, and its engine is left alone', async () => {
    await setDocker(mac, { UseLibkrun: true, UseVirtualizationFramework: false, KernelForUDP: true });
    await openDocker(mac);
    // Neither a file nor a bridge tells of such a VM: a person who waits asks.
    await until('Docker VMM runs', 90, async () =>
      (await commandLines(mac)).some((line) => line.endsWith('/com.docker.sailor')),
    );
    await mac.run(['/usr/local/bin/tuntapctl', 'up']);
    const { message } = await conditionIs(mac, 'VirtualMachine', { reason: 'DockerVmm' }, 90);
    expect(message).toContain('Docker VMM');
    await conditionIs(mac, 'Engine', { reason: 'NotNeeded' }, 90);
    expect(await routesByBridge(mac)).toEqual([]);
    await quitDocker(mac);
  });

  tells('opened', async () => {
    await phaseIs(mac, 'ready', 60);
    const { address } = await vmNic(mac);
    expect(await routesByBridge(mac)).toEqual([
      { destination: '172.17', gateway: address, bridge: 'bridge100' },
    ]);
    // The scoped default route of the bridge is nobody's default, and stays.
    expect(await must(mac, ['/usr/sbin/netstat', '-rn', '-f', 'inet'])).toMatch(
      /^default +192\.168\.1\.1 +UGScg +en0[^]*^default +link#\d+ +UCSIg +bridge100 +!/m,
    );
  });

  tells('network');

  chapter(
    'the VM is killed while another VM is on its bridge: the next one has another NIC there',
    async () => {
      const other = await hold<Nic>('vmnet.attach', { uid: 501 }, mac.path('/.lab/run/mac.sock'));
      expect(other.value.bridge).toBe('bridge100');
      const before = await vmNic(mac);
      await told.vmKilled.play();
      const after = await vmNic(mac);
      expect(after.mac).not.toBe(before.mac);
      expect(after.address).not.toBe(before.address);
      expect(await bridgesOf(mac)).toEqual(['bridge100']);
      other.close();
      await shopAnswers();
    },
  );

  chapter('a VPN has the bridge’s network: it is told, and when it goes all is well', async () => {
    await mac.call('xnu.tunnel.open', { name: 'utun4', address: '10.80.0.2', peer: '10.80.0.1' });
    await must(mac, ['/sbin/route', '-n', 'add', '-net', '192.168.0.0/16', '10.80.0.1']);
    const { message } = await conditionIs(mac, 'TapAddress', { reason: 'LinkCollision' }, 90);
    expect(message).toContain('192.168.0.0/16 via 10.80.0.1 on utun4');
    expect(message).not.toContain('config set');
    await noRoute();
    await mac.call('xnu.tunnel.close', { name: 'utun4' });
    await shopAnswers();
  });

  chapter(
    'an exit node takes the bridge’s own row: routes are given back until macOS has renumbered',
    async () => {
      await mac.call('xnu.tunnel.open', { name: 'utun4', address: '10.80.0.2', peer: '10.80.0.1' });
      await mac.call('xnu.tunnel.take', { name: 'utun4', network: '192.168.64.0/24' });
      const { message } = await conditionIs(mac, 'TapAddress', { reason: 'LinkTaken' }, 90);
      expect(message).toContain('a VPN on this Mac takes every local network');
      await noRoute();
      await mac.call('xnu.tunnel.close', { name: 'utun4' });
      await mac.call('vmnet.renumber', { network: '192.168.66.0' });
      await until('the VM has taken it', 60, async () =>
        (await vmNic(mac)).address.startsWith('192.168.66.'),
      );
      await shopAnswers();
      await mac.call('vmnet.renumber', { network: '192.168.64.0' });
      await shopAnswers();
    },
  );

  chapter(
    'after a sleep that no route outlived, and with another bridge, all of it is made anew',
    async () => {
      await sleepThrough(mac, {
        meanwhile: async () => {
          for (const { destination } of await routesByBridge(mac))
            await must(mac, ['/sbin/route', '-n', 'delete', '-net', destination]);
          await mac.call('vmnet.renumber', { network: '192.168.67.0' });
          await until('the VM has taken it', 60, async () =>
            (await vmNic(mac)).address.startsWith('192.168.67.'),
          );
        },
        awake: async () => {
          await shopAnswers();
          await phaseIs(mac, 'ready', 90);
        },
      });
      await mac.call('vmnet.renumber', { network: '192.168.64.0' });
      await shopAnswers();
    },
  );

  tells('daemonKilled');

  chapter('down takes every route away, up brings them back', async () => {
    await tuntapctl(mac, 'down');
    await noRoute();
    expect(await bridgesOf(mac)).toEqual(['bridge100']);
    await tuntapctl(mac, 'up');
    await shopAnswers();
  });

  chapter('somebody else comes to the front: nothing of ours stays in the first user’s VM', async () => {
    expect(await isOpen()).toBe(true);
    await mac.login('other');
    await noRoute();
    await until('the VM has no rule of ours', 180, async () => !(await isOpen()));
    await phaseIs(mac, 'idle', 60);
    await mac.login('person');
    await shopAnswers();
  });

  chapter(
    'Resource Saver: the VM goes off and its bridge with it, and the woken one is reached',
    async () => {
      const before = await vmNic(mac);
      // Docker saves only after minutes of rest; of a container that has just ended the daemon still asks.
      await helperIsGone(mac);
      await phaseIs(mac, 'ready', 90);
      await pause(20_000);
      await must(mac, ['/bin/kill', '-USR1', String(dockersPid(mac))]);
      await until('the VM is off', 90, async () => (await virtualMachineOf(mac)) === null);
      await phaseIs(mac, 'idle', 90);
      await noRoute();
      expect(await bridgesOf(mac)).toEqual([]);
      // It wakes for whoever asks the engine, and the daemon is none of them.
      expect(await virtualMachineOf(mac)).toBeNull();
      await engineAnswers(mac);
      await shopAnswers();
      expect((await vmNic(mac)).address).not.toBe(before.address);
    },
  );

  chapter(
    'Docker restarts itself while bootpd is blocked: it is said what to do, and then routes follow',
    async () => {
      const before = await vmNic(mac);
      await mac.call('vmnet.set', { bootpd: 'blocked' });
      await restartDocker(mac);
      expect((await conditionIs(mac, 'TapAttached', { reason: 'NicWithoutAddress' }, 120)).message).toContain(
        'bootpd',
      );
      expect(await routesByBridge(mac)).toEqual([]);
      await mac.call('vmnet.set', { bootpd: 'answers' });
      await shopAnswers();
      expect((await vmNic(mac)).address).not.toBe(before.address);
    },
  );

  chapter(
    'Docker is updated while Internet Sharing and another VM app take the first bridges: the way is that of its own',
    async () => {
      await mac.call('docker.stage-update', { version: '4.91.0', seed: 'update', cli: 'with-desktop' });
      await quitDocker(mac);
      await until('the bridge is gone', 90, async () => (await bridgesOf(mac)).length === 0);
      await mac.call('vmnet.internet-sharing');
      await mac.call('vmnet.other', { network: '198.19.249.0' });
      await openDocker(mac);
      await shopAnswers();
      expect(new Set((await routesByBridge(mac)).map(({ bridge }) => bridge))).toEqual(
        new Set(['bridge102']),
      );
      await mac.call('vmnet.other-ends');
      await shopAnswers();
      expect(files()).toEqual(asShipped);
    },
  );

  tells('rebooted');

  tells('uninstalled', async () => {
    expect(await bridgesOf(mac)).toEqual(['bridge100']);
    expect(files()).toEqual(asShipped);
  });
});

test(
  'an update changes how the VM runs: the shim is taken back, the link is the other one, and back again',
  () =>
    onMac({ macos: '12.7.6', docker: { version: '4.34.0' }, engine: 'bookworm' }, async (mac) => {
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

test(
  'colima’s VM is served as Docker Desktop’s is, and loses all of ours when Docker Desktop is opened',
  () =>
    onMac({ ...appleSilicon, engine: 'trixie' }, async (mac) => {
      const colima = colimaOf(mac);
      await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'install-daemon'], 180_000);
      await mac.call('colima.install');
      const { exitCode, stderr } = await mac.asUser(
        ['/opt/homebrew/bin/colima', 'start', '--network-address'],
        { timeout: 240_000 },
      );
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      await containerAnswers(mac, 'in-colima', undefined, colima);
      expect(await colima.inVm('iptables-save')).toContain('tuntapd');
      expect((await routesByBridge(mac)).map(({ gateway }) => gateway)).toEqual([
        (await vmNic(mac, colima, 'col0')).address,
      ]);

      await setDocker(mac, { KernelForUDP: true });
      await openDocker(mac);
      await containerAnswers(mac, 'in-desktop');
      await until(
        'colima’s VM has no rule of ours',
        180,
        async () => !(await colima.inVm('iptables-save')).includes('tuntapd'),
      );
      expect((await routesByBridge(mac)).map(({ gateway }) => gateway)).toEqual([(await vmNic(mac)).address]);
    }),
  900_000,
);
