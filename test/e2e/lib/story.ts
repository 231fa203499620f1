/**
 * The main job as a story in chapters: what a user lives through with tuntapd. The demo tells it, the end-to-end
 * tests hold every chapter. Each chapter acts as a user (or as Docker, or as fate) and then waits for the state of
 * the world to be right; none of them does anything of the daemon's work.
 */
import { lstatSync } from 'node:fs';
import { type Identity, identityOf } from '../../lib/identity.js';
import { until } from '../../lib/until.js';
import type { Mac } from '../../lab/lab.js';
import {
  answers,
  containerAnswers,
  dockerOf,
  explained,
  fetchFromMac,
  hyperkit,
  install,
  installed,
  must,
  openDocker,
  pidIn,
  quitDocker,
  routesOf,
  statusOf,
  vmPid,
} from './vocabulary.js';

export interface Chapter {
  readonly title: string;
  readonly play: () => Promise<void>;
}

/** The chapters in order, all on one Mac. One that fails says what state it left; those after it are not played. */
export function story(mac: Mac): readonly Chapter[] {
  let failed: string | null = null;
  return chapters(mac).map(({ title, play }) => ({
    title,
    play: async () => {
      if (failed !== null) throw new Error(`not played, because an earlier chapter failed: ${failed}`);
      try {
        await explained(mac, play);
      } catch (error) {
        failed = title;
        throw error;
      }
    },
  }));
}

/** A container of a compose file: on a network of its own, at its own address, with `restart: always`. */
export const shop = {
  name: 'shop-web-1',
  network: 'shop_default',
  subnet: '172.28.6.0/24',
  address: '172.28.6.10',
};

function chapters(mac: Mac): readonly Chapter[] {
  let untouched: Identity | null = null;
  const shopAnswers = (): Promise<string> => answers(mac, shop.name, shop.address, 180);
  return [
    {
      title: 'tuntapd is installed by one command',
      play: async () => {
        untouched = identityOf(mac.path(hyperkit));
        await install(mac);
      },
    },
    {
      title: 'Docker is opened: a container answers on its own address',
      play: async () => {
        await openDocker(mac);
        await containerAnswers(mac, 'first');
      },
    },
    {
      title: 'the container answers by its name',
      play: async () => {
        await until('http://first.docker/ is served by first', 30, async () =>
          (await fetchFromMac(mac, 'first.docker')).includes('served by first'),
        );
      },
    },
    {
      title: 'a network made later is reached too, and its route goes with it',
      play: async () => {
        await dockerOf(mac).createNetwork('later', '172.28.5.0/24');
        await containerAnswers(mac, 'second', 'later');
        await dockerOf(mac).remove('second');
        await dockerOf(mac).removeNetwork('later');
        await until('the route is gone', 20, async () => !(await routesOf(mac)).includes('172.28.5/24'));
      },
    },
    {
      title: 'the VM is killed: Docker starts another one, and what starts with it is reached',
      play: async () => {
        await dockerOf(mac).createNetwork(shop.network, shop.subnet);
        await dockerOf(mac).serve(shop.name, shop.network, { always: shop.address });
        await shopAnswers();
        // It has been there for long: nothing of it is still to be written to the VM's disk.
        await dockerOf(mac).inVm('sync');
        const before = pidIn(mac, vmPid);
        await must(mac, ['/bin/kill', '-KILL', String(before)]);
        await until('a new VM', 60, () => Promise.resolve(pidIn(mac, vmPid) !== before));
        await shopAnswers();
      },
    },
    {
      title: 'tuntapd is killed: launchd starts it again, and containers made meanwhile are reached',
      play: async () => {
        const { pid } = await statusOf(mac);
        await must(mac, ['/bin/kill', '-KILL', String(pid)]);
        await dockerOf(mac).createNetwork('meanwhile', '172.29.7.0/24');
        await containerAnswers(mac, 'after-daemon-kill', 'meanwhile');
      },
    },
    {
      title: 'Docker is quit and opened again',
      play: async () => {
        await quitDocker(mac);
        await openDocker(mac);
        await shopAnswers();
        await containerAnswers(mac, 'after-restart');
      },
    },
    {
      title: 'Docker updates itself: the shim was overwritten, and is back',
      play: async () => {
        await mac.call('docker.stage-update', { version: '4.2.0', seed: 'update' });
        await quitDocker(mac);
        await installed(mac);
        untouched = identityOf(mac.path(`${hyperkit}.original`));
        await openDocker(mac);
        await shopAnswers();
      },
    },
    {
      title: 'the Mac is rebooted, the user logs in, Docker starts',
      play: async () => {
        await mac.reboot();
        await mac.login('person');
        await until('/dev/tap1 belongs to the user', 30, () =>
          Promise.resolve(lstatSync(mac.path('/dev/tap1')).uid === 501),
        );
        await openDocker(mac);
        await shopAnswers();
      },
    },
    {
      title: 'tuntapd is uninstalled and leaves no trace',
      play: async () => {
        await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'uninstall-daemon', 'PURGE=1'], 120_000);
        const now = identityOf(mac.path(hyperkit));
        if (JSON.stringify(now) !== JSON.stringify(untouched))
          throw new Error(`hyperkit is not what it was: ${JSON.stringify({ untouched, now })}`);
        const left = (
          await must(mac, [
            '/usr/bin/find',
            '/opt/tuntapd',
            '/usr/local/bin/tuntapctl',
            '/var/db/tuntapd',
            '/var/log/tuntapd',
            '/var/db/tuntapd.claims',
            '/etc/tuntapd',
            '/etc/resolver',
            '/etc/newsyslog.d/tuntapd.conf',
            '/var/run/tuntapd.sock',
            '/Library/LaunchDaemons/io.github.tuntapd.plist',
            `${hyperkit}.original`,
            '-maxdepth',
            '0',
          ]).catch((error: unknown) => String(error))
        )
          .split('\n')
          .filter((line) => line.startsWith('/') && !line.startsWith('/usr/bin/find'));
        if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
        if ((await routesOf(mac)).includes('10.0.75.2')) throw new Error('a route of ours is left');
        if (lstatSync(mac.path('/dev/tap1')).uid !== 0) throw new Error('/dev/tap1 does not belong to root');
      },
    },
  ];
}
