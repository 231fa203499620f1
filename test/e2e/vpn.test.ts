/** VPNs come, claim, flush and go: their routes stay byte for byte what they were, and ours are explained. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { bootMac, type Mac } from '../lab/lab.js';
import { chaptersOn } from './lib/chapter.js';
import { mended, raised } from './lib/doctor.js';
import {
  answers,
  conditionIs,
  containerAnswers,
  dockerOf,
  fetchFromMac,
  install,
  must,
  openDocker,
  routedToTheVm,
  routesTold,
  statusOf,
} from './lib/vocabulary.js';
import { until } from '../lib/until.js';

let mac: Mac;
/** Addresses of web servers: on the default bridge, and on two networks. */
let web: string;
let app: string;
let far: string;

const route = (...words: readonly string[]): Promise<string> => must(mac, ['/sbin/route', '-n', ...words]);
const tuntapctl = (...words: readonly string[]): Promise<string> =>
  must(mac, ['/usr/local/bin/tuntapctl', ...words]);
const table = (): Promise<string> => must(mac, ['/usr/sbin/netstat', '-rn', '-f', 'inet']);

/** Every row of the table that does not lead through our link, as printed. */
const others = async (): Promise<string> =>
  (await table())
    .split('\n')
    .filter((row) => !/\stap1\s/.test(row))
    .join('\n');

const ours = (): Promise<string[]> => routedToTheVm(mac);

/** The message of a condition, once it is False for this reason. */
const becomes = async (type: string, reason: string, seconds = 30): Promise<string> =>
  (await conditionIs(mac, type, { status: 'False', reason }, seconds)).message;

const isSaid = (network: string, state: string): Promise<string> =>
  until(`${network} is ${state}`, 90, async () => {
    const found = (await routesTold(mac)).find((each) => each.network === network);
    return found?.state === state && found.why;
  });

const serves = async (...addresses: readonly string[]): Promise<void> => {
  for (const address of addresses) await until(`${address} answers`, 120, () => fetchFromMac(mac, address));
};

/** By Linux's own word: where packets to this address leave. */
const wayTo = (address: string): Promise<string> => must(mac, ['/.lab/bin/ip', 'route', 'get', address]);

/** By Linux's own word: packets to the office network still leave by en0. */
async function lanWorks(): Promise<void> {
  expect(await wayTo('192.168.1.77')).toContain('dev en0');
  expect(await route('get', '192.168.1.1')).toContain('interface: en0');
}

/** Neither end of the link has its address. */
const isLinkGone = (): Promise<unknown> =>
  until('both ends have given way', 90, async () => {
    const here = await must(mac, ['/sbin/ifconfig', 'tap1']);
    const there = await dockerOf(mac).inVm('ip -color=never -4 addr show dev eth1');
    return !here.includes('inet ') && !there.includes('inet ');
  });

/** A VPN for as long as `live` runs: a utun with these routes. What others had entered is the same before and after. */
async function onVpn(routes: readonly (readonly string[])[], live: () => Promise<void>): Promise<void> {
  const before = await others();
  await mac.call('xnu.tunnel.open', { name: 'utun4', address: '10.80.0.2', peer: '10.80.0.1' });
  try {
    for (const words of routes) await route('add', '-net', ...words);
    const entered = await others();
    await live();
    expect(await others()).toBe(entered);
    await lanWorks();
    for (const [destination = ''] of routes) await route('delete', '-net', destination);
  } finally {
    await mac.call('xnu.tunnel.close', { name: 'utun4' });
  }
  expect(await others()).toBe(before);
}

/** Somebody who deletes our routes every so many milliseconds for as long as `live` runs. */
async function onFlush(every: number, live: () => Promise<unknown>): Promise<void> {
  const flush = ['172.17.0.0/16', '172.18.0.0/16', '10.33.33.0/24']
    .map((subnet) => `/sbin/route -n delete -net ${subnet}`)
    .join('; ');
  let isOver = false;
  const flushing = async (): Promise<void> => {
    while (!isOver) {
      await must(mac, ['/bin/sh', '-c', flush]);
      await pause(every);
    }
  };
  const living = live().finally(() => {
    isOver = true;
  });
  await Promise.all([living, flushing()]);
}

const chapter = chaptersOn(() => mac);

beforeAll(async () => {
  mac = await bootMac({ engine: 'sid' });
  await install(mac);
  await openDocker(mac);
  await containerAnswers(mac, 'web');
  const docker = dockerOf(mac);
  await docker.createNetwork('app', '172.18.0.0/16');
  await docker.createNetwork('far', '10.33.33.0/24');
  web = '172.17.0.2';
  app = await docker.serve('app', 'app');
  far = await docker.serve('far', 'far');
  await answers(mac, 'app', app, 30);
  await answers(mac, 'far', far, 30);
}, 1_200_000);

afterAll(async () => {
  await mac.end();
}, 60_000);

chapter(
  'split tunnel: a Docker network within the VPN’s range is refused by name, the rest is reached',
  async () => {
    await onVpn(
      [
        ['10.20.0.0/16', '10.80.0.1'],
        ['10.9.0.0/24', '-interface', 'utun4'],
      ],
      async () => {
        await dockerOf(mac).createNetwork('clash', '10.20.5.0/24');
        expect(await isSaid('clash', 'foreign')).toContain('10.20.0.0/16 via 10.80.0.1 on utun4');
        expect(await becomes('Routes', 'Conflict')).toContain('utun4');
        expect(await ours()).not.toContain('10.20.5/24');
        await serves(web, app, far);
        const docker = dockerOf(mac);
        await mended(mac, 'TT109', {
          says: /^Give the Docker network another subnet: /m,
          done: async () => {
            await docker.removeNetwork('clash');
            await docker.createNetwork('clash', '10.21.5.0/24');
          },
        });
        await docker.removeNetwork('clash');
        await docker.createNetwork('clash', '10.20.5.0/24');
        await isSaid('clash', 'foreign');
      },
    );
    // The VPN has gone, and nothing speaks against it any more.
    await isSaid('clash', 'routed');
    await dockerOf(mac).removeNetwork('clash');
  },
);

chapter('full tunnel by 0/1 and 128/1: containers are more specific and still reached', async () => {
  await onVpn(
    [
      ['0.0.0.0/1', '10.80.0.1'],
      ['128.0.0.0/1', '10.80.0.1'],
      ['203.0.113.9/32', '192.168.1.1'],
    ],
    async () => {
      await serves(web, app, far);
      expect(await wayTo('198.51.100.1')).toContain('dev utun4');
      expect(await isSaid('app', 'routed')).toContain('10.0.75.2');
    },
  );
});

chapter(
  'a VPN that owns 172.16/12 gets it but for what is forced; what lies elsewhere is still reached',
  async () => {
    await onVpn([['172.16.0.0/12', '10.80.0.1']], async () => {
      expect(await isSaid('app', 'foreign')).toContain('172.16.0.0/12 via 10.80.0.1 on utun4');
      await isSaid('bridge', 'foreign');
      // A pass tells what it has judged before it is done with it.
      await until('theirs are given back', 45, async () => String(await ours()) === '10.33.33/24');
      expect(await wayTo('172.18.0.9')).toContain('dev utun4');
      await serves(far);
      const theirs = await others();
      await tuntapctl('config', 'set', 'routes.force', '["172.18.0.0/16"]');
      await answers(mac, 'app', app, 90);
      expect(await ours()).toEqual(['10.33.33/24', '172.18']);
      expect(await others()).toBe(theirs);
      expect(await wayTo('172.17.0.9')).toContain('dev utun4');
      await tuntapctl('config', 'set', 'routes.force', '[]');
      await isSaid('app', 'foreign');
      await until('it is given back', 45, async () => String(await ours()) === '10.33.33/24');
      expect(await wayTo('172.18.0.9')).toContain('dev utun4');
    });
    await serves(web, app, far);
  },
);

chapter('Tailscale’s 100.64/10 stays Tailscale’s', async () => {
  await onVpn([['100.64.0.0/10', '-interface', 'utun4']], async () => {
    await dockerOf(mac).createNetwork('cgnat', '100.100.0.0/16');
    expect(await isSaid('cgnat', 'refused')).toContain('routes.allow');
    // Nor by whoever allows it; that stays allowed until the next scenario takes the file away.
    await tuntapctl('config', 'set', 'routes.allow', '["10.0.0.0/8", "172.16.0.0/12", "100.64.0.0/10"]');
    expect(await isSaid('cgnat', 'foreign')).toContain('100.64.0.0/10 on utun4');
    expect(await ours()).not.toContain('100.100');
    expect(await wayTo('100.100.0.9')).toContain('dev utun4');
    await dockerOf(mac).removeNetwork('cgnat');
    await serves(web, app, far);
  });
});

chapter(
  'a VPN that has the link’s own network blocks it, and says what moves it: then all is well',
  async () => {
    await onVpn([['10.0.0.0/16', '10.80.0.1']], async () => {
      const message = await becomes('TapAddress', 'LinkCollision');
      expect(message).toContain('10.0.0.0/16 via 10.80.0.1 on utun4');
      await until('no route of ours is left', 45, async () => (await ours()).length === 0);
      expect((await statusOf(mac)).phase).toBe('blocked');
      await isLinkGone();
      const [finding] = await raised(mac, ['TT106']);
      expect(finding?.fix[0]).toContain('by the `sudo tuntapctl config set` command of the message');
      const [, command = ''] = /`(sudo tuntapctl config set [^`]*)`/.exec(finding?.detail ?? '') ?? [];
      await must(mac, ['/bin/sh', '-c', command]);
      await serves(web, app, far);
      await raised(mac, []);
      expect(await must(mac, ['/sbin/ifconfig', 'tap1'])).toContain('inet 10.255.255.253 ');
      await must(mac, ['/bin/rm', '/etc/tuntapd/config.toml']);
    });
    // The daemon notices within ten seconds, and until then the link works where it is.
    await until('the link is where it was', 120, async () =>
      (await must(mac, ['/sbin/ifconfig', 'tap1'])).includes('inet 10.0.75.1 '),
    );
    await serves(web, app, far);
  },
);

chapter(
  'an exit node takes the link’s network: it is told, nothing is fought over, and when it ends all is well',
  async () => {
    await mac.call('xnu.tunnel.open', { name: 'utun4', address: '10.80.0.2', peer: '10.80.0.1' });
    try {
      await mac.call('xnu.tunnel.take', { name: 'utun4', network: '10.0.75.0/30' });
      const message = await becomes('TapAddress', 'LinkTaken');
      expect(message).toContain('a VPN on this Mac takes every local network');
      expect(message).not.toContain('config set');
      expect((await statusOf(mac)).phase).toBe('blocked');
      await until('no route leads nowhere', 45, async () => (await ours()).length === 0);
      const told = await others();
      await pause(15_000);
      expect(await others()).toBe(told);
      expect(await must(mac, ['/sbin/ifconfig', 'tap1'])).toContain('inet 10.0.75.1 ');
      expect(await dockerOf(mac).inVm('ip -color=never -4 addr show dev eth1')).toContain('inet 10.0.75.2/');
    } finally {
      await mac.call('xnu.tunnel.close', { name: 'utun4' });
    }
    // Nobody gives the row back: it is put back.
    await serves(web, app, far);
  },
);

chapter(
  'a Docker network that has the link’s own network blocks it, on both ends, until it is gone',
  async () => {
    const docker = dockerOf(mac);
    await docker.createNetwork('office', '10.0.75.0/24');
    expect(await becomes('TapAddress', 'LinkCollision')).toContain('Docker network office (10.0.75.0/24)');
    await isLinkGone();
    expect(await docker.inVm('ip route get 10.0.75.2')).not.toContain('eth1');
    await docker.removeNetwork('office');
    await serves(web, app, far);
  },
);

chapter(
  'a VPN gets a prefix that a Docker network had first by down and up, or by route change',
  async () => {
    await onVpn([['10.20.0.0/16', '10.80.0.1']], async () => {
      const wanted = ['add', '-net', '172.17.0.0/16', '10.80.0.1'];
      expect(await route(...wanted)).toContain('File exists');
      await serves(web);
      await route('change', '-net', '172.18.0.0/16', '10.80.0.1');
      const changed = await others();
      expect(changed).toMatch(/^172\.18 +10\.80\.0\.1 .* utun4/m);
      expect(await isSaid('app', 'foreign')).toContain('172.18.0.0/16 via 10.80.0.1 on utun4');
      await tuntapctl('down');
      expect(await others()).toBe(changed);
      expect(await route(...wanted)).not.toContain('File exists');
      const theirs = await others();
      await tuntapctl('up');
      expect(await isSaid('bridge', 'foreign')).toContain('10.80.0.1 on utun4');
      expect(await isSaid('app', 'foreign')).toContain('172.18.0.0/16 via 10.80.0.1 on utun4');
      expect(await others()).toBe(theirs);
      await serves(far);
      for (const subnet of ['172.17.0.0/16', '172.18.0.0/16']) await route('delete', '-net', subnet);
      await serves(web, app);
      expect(await ours()).toEqual(['10.33.33/24', '172.17', '172.18']);
    });
  },
);

chapter('routes that are yielded are back at once by tuntapctl up', async () => {
  await onVpn([['10.20.0.0/16', '10.80.0.1']], async () => {
    // While the VPN's own routes change nothing comes back of its own accord.
    let areBack = false;
    const unrest = async (): Promise<void> => {
      while (!areBack)
        for (const verb of ['add', 'delete']) {
          await route(verb, '-net', '10.21.0.0/16', '10.80.0.1');
          await pause(2000);
        }
    };
    let changing = Promise.resolve();
    try {
      await onFlush(100, async () => {
        for (const network of ['bridge', 'app', 'far']) await isSaid(network, 'yielded');
        changing = unrest();
      });
      expect(await ours()).toEqual([]);
      await tuntapctl('up');
      await until('the routes are back', 60, async () => (await ours()).length === 3);
    } finally {
      areBack = true;
      await changing;
    }
    await serves(web, app, far);
  });
});

chapter('routes that are flushed every 2 s for a minute are yielded, and are back when it ends', async () => {
  const before = await others();
  await onFlush(2000, () =>
    Promise.all([
      pause(60_000),
      becomes('Routes', 'Yielded', 120).then((message) => {
        expect(message).toContain('tuntapctl up');
      }),
    ]),
  );
  await until('the routes are back', 120, async () => (await ours()).length === 3);
  await serves(web, app, far);
  expect(await others()).toBe(before);
});

chapter(
  'a killed daemon’s routes are adopted or removed by the next, and its monitor ends with it',
  async () => {
    const { pid } = await statusOf(mac);
    await must(mac, ['/bin/kill', '-KILL', String(pid)]);
    await dockerOf(mac).remove('app');
    await dockerOf(mac).removeNetwork('app');
    await until('the orphan is gone, the others are kept', 60, async () => {
      const now = await ours();
      return !now.includes('172.18') && now.includes('172.17') && now.includes('10.33.33/24');
    });
    expect((await statusOf(mac)).pid).not.toBe(pid);
    const monitors = (await must(mac, ['/bin/ps', '-axww', '-o', 'pid=,args=']))
      .split('\n')
      .filter((line) => line.includes('route -n monitor'));
    expect(monitors).toHaveLength(1);
    await serves(web, far);
  },
);
