/**
 * The main job as a story in chapters: what a user lives through with tuntapd. The demo tells it, the end-to-end
 * tests hold every chapter. Each chapter acts as a user (or as Docker, or as fate) and then waits for the state of
 * the world to be right; none of them does anything of the daemon's work.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { type Identity, identityOf } from '../../lib/identity.js';
import { until } from '../../lib/until.js';
import type { bootMac, Mac } from '../../lab/lab.js';
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
  routedToTheVm,
  routesOf,
  statusOf,
  tapBelongsTo,
  tapOwner,
  vmPid,
} from './vocabulary.js';
import {
  appleSilicon,
  bridgesOf,
  leadsToTheNic,
  routesByBridge,
  setDocker,
  virtualMachineOf,
} from './vmnet.js';

export interface Chapter {
  readonly title: string;
  readonly play: () => Promise<void>;
}

/** What the story is about on the way there; each on a Mac as it is usual with that link. */
export type StoryLink = 'tap' | 'vmnet';

/** The Mac on which the story of a link is played. */
export const macOf: Readonly<Record<StoryLink, Parameters<typeof bootMac>[0]>> = {
  tap: {},
  vmnet: appleSilicon,
};

/** The chapters in order, all on one Mac. One that fails says what state it left; those after it are not played. */
export function story(mac: Mac, link: StoryLink = 'tap'): readonly Chapter[] {
  let failed: string | null = null;
  return Object.values(chaptersOf(mac, link)).map(({ title, play }) => ({
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

/** What differs from one link to the other: how Docker is used, and what of tuntapd is to be seen. */
interface Way {
  readonly opened: string;
  readonly updated: string;
  readonly install: () => Promise<void>;
  /** What Docker’s user does once, before it is opened. */
  readonly prepare: () => Promise<void>;
  /** Destinations of our routes. */
  readonly routes: () => Promise<readonly string[]>;
  readonly vm: () => Promise<number | null>;
  readonly stageUpdate: () => Promise<void>;
  /** What is so before Docker is opened again: after its update, and after a reboot with the user logged in. */
  readonly isReady: (after: 'update' | 'reboot') => Promise<unknown>;
  /** What is so while Docker’s containers answer. */
  readonly holds: () => Promise<unknown>;
  /** Rejects when something of Docker’s or of the Mac’s is not as it was before the install. */
  readonly mustBeUntouched: () => Promise<void>;
}

const isThere = (mac: Mac, path: string): boolean =>
  lstatSync(mac.path(path), { throwIfNoEntry: false }) !== undefined;

function byTap(mac: Mac): Way {
  let untouched: Identity | null = null;
  return {
    opened: 'Docker is opened: a container answers on its own address',
    updated: 'Docker updates itself: the shim was overwritten, and is back',
    install: async () => {
      untouched = identityOf(mac.path(hyperkit));
      await install(mac);
    },
    prepare: () => Promise.resolve(),
    routes: () => routedToTheVm(mac),
    vm: () => Promise.resolve(pidIn(mac, vmPid)),
    stageUpdate: () => mac.call('docker.stage-update', { version: '4.2.0', seed: 'update' }),
    isReady: async (after) => {
      if (after === 'reboot') {
        await tapBelongsTo(mac, 501);
        return;
      }
      await installed(mac);
      untouched = identityOf(mac.path(`${hyperkit}.original`));
    },
    holds: () => Promise.resolve(),
    mustBeUntouched: async () => {
      const now = identityOf(mac.path(hyperkit));
      if (JSON.stringify(now) !== JSON.stringify(untouched))
        throw new Error(`hyperkit is not what it was: ${JSON.stringify({ untouched, now })}`);
      if (isThere(mac, `${hyperkit}.original`)) throw new Error('hyperkit.original is left');
      if (tapOwner(mac) !== 0) throw new Error('/dev/tap1 does not belong to root');
      if ((await routesOf(mac)).includes('10.0.75.2')) throw new Error('a route of ours is left');
    },
  };
}

function byVmnet(mac: Mac): Way {
  const files = (): string =>
    readdirSync(mac.path('/Applications/Docker.app'), { recursive: true }).map(String).toSorted().join(' ');
  let asShipped = '';
  return {
    opened: 'Docker is opened with kernel networking: a container answers on its own address',
    updated: 'Docker updates itself: nothing of it was changed, and nothing has to be',
    install: async () => {
      asShipped = files();
      await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'install-daemon'], 180_000);
    },
    prepare: () => setDocker(mac, { KernelForUDP: true }),
    routes: async () => (await routesByBridge(mac)).map(({ destination }) => destination),
    vm: () => virtualMachineOf(mac),
    stageUpdate: () =>
      mac.call('docker.stage-update', { version: '4.91.0', seed: 'update', cli: 'with-desktop' }),
    isReady: async () => {
      await until('no bridge is left', 90, async () => (await bridgesOf(mac)).length === 0);
    },
    holds: () => leadsToTheNic(mac),
    mustBeUntouched: () =>
      files() === asShipped
        ? Promise.resolve()
        : Promise.reject(new Error(`Docker.app has other files than it came with: ${files()}`)),
  };
}

/** What tuntapd has of its own, apart from what each link has. */
const traces = [
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
];

/** The chapters by what they are about, in their order. */
export function chaptersOf(mac: Mac, link: StoryLink) {
  const way = { tap: byTap, vmnet: byVmnet }[link](mac);
  const shopAnswers = async (): Promise<void> => {
    await answers(mac, shop.name, shop.address, 300);
    await way.holds();
  };
  return {
    installed: {
      title: 'tuntapd is installed by one command',
      play: way.install,
    },
    opened: {
      title: way.opened,
      play: async () => {
        await way.prepare();
        await openDocker(mac);
        await containerAnswers(mac, 'first');
      },
    },
    byName: {
      title: 'the container answers by its name',
      play: async () => {
        await until('http://first.docker/ is served by first', 60, async () =>
          (await fetchFromMac(mac, 'first.docker')).includes('served by first'),
        );
      },
    },
    network: {
      title: 'a network made later is reached too, and its route goes with it',
      play: async () => {
        await dockerOf(mac).createNetwork('later', '172.28.5.0/24');
        await containerAnswers(mac, 'second', 'later');
        await dockerOf(mac).remove('second');
        await dockerOf(mac).removeNetwork('later');
        await until('the route is gone', 90, async () => !(await way.routes()).includes('172.28.5/24'));
      },
    },
    vmKilled: {
      title: 'the VM is killed: Docker starts another one, and what starts with it is reached',
      play: async () => {
        await dockerOf(mac).createNetwork(shop.network, shop.subnet);
        await dockerOf(mac).serve(shop.name, shop.network, { always: shop.address });
        await shopAnswers();
        // It has been there for long: nothing of it is still to be written to the VM's disk.
        await dockerOf(mac).inVm('sync');
        const before = await way.vm();
        await must(mac, ['/bin/kill', '-KILL', String(before)]);
        await until('a new VM', 60, async () => {
          const now = await way.vm();
          return now !== null && now !== before;
        });
        await shopAnswers();
      },
    },
    daemonKilled: {
      title: 'tuntapd is killed: launchd starts it again, and containers made meanwhile are reached',
      play: async () => {
        const { pid } = await statusOf(mac);
        await must(mac, ['/bin/kill', '-KILL', String(pid)]);
        await dockerOf(mac).createNetwork('meanwhile', '172.29.7.0/24');
        await containerAnswers(mac, 'after-daemon-kill', 'meanwhile');
      },
    },
    reopened: {
      title: 'Docker is quit and opened again',
      play: async () => {
        await quitDocker(mac);
        await openDocker(mac);
        await shopAnswers();
        await containerAnswers(mac, 'after-restart');
      },
    },
    updated: {
      title: way.updated,
      play: async () => {
        await way.stageUpdate();
        await quitDocker(mac);
        await way.isReady('update');
        await openDocker(mac);
        await shopAnswers();
      },
    },
    rebooted: {
      title: 'the Mac is rebooted, the user logs in, Docker starts',
      play: async () => {
        await mac.reboot();
        await mac.login('person');
        await way.isReady('reboot');
        await openDocker(mac);
        await shopAnswers();
      },
    },
    uninstalled: {
      title: 'tuntapd is uninstalled and leaves no trace',
      play: async () => {
        await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'uninstall-daemon', 'PURGE=1'], 120_000);
        await way.mustBeUntouched();
        const left = traces.filter((path) => isThere(mac, path));
        if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
        const routes = await way.routes();
        if (routes.length > 0) throw new Error(`routes of ours are left: ${routes.join(', ')}`);
        const listed = await must(mac, ['/bin/launchctl', 'print-disabled', 'system']);
        if (listed.includes('tuntapd')) throw new Error(`launchd’s list has an entry of ours: ${listed}`);
        const rules = await dockerOf(mac).inVm('iptables-save');
        if (rules.includes('tuntapd')) throw new Error(`rules of ours are left: ${rules}`);
      },
    },
  } satisfies Readonly<Record<string, Chapter>>;
}
