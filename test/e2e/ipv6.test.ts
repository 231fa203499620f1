/** Containers answer the Mac on their IPv6 addresses, beside IPv4 and by the same link. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { bootMac, type Mac } from '../lab/lab.js';
import { until } from '../lib/until.js';
import { chaptersOn } from './lib/chapter.js';
import { mended } from './lib/doctor.js';
import { answers6, setEngine, table6, withIpv6 } from './lib/ipv6.js';
import {
  answers,
  dockerOf,
  engineAnswers,
  install,
  installed,
  must,
  openDocker,
  phaseIs,
  pingFromMac,
  quitDocker,
  routedToTheVm,
  routesTold,
  statusOf,
  tapBelongsTo,
} from './lib/vocabulary.js';

/** The pair of ours that the link has unless told otherwise. */
const pair = 'fd3e:d10f:52ef:75::';

/** Destinations that lead to the VM's end of the pair, as netstat prints them. */
const routed6 = async (mac: Mac): Promise<string[]> =>
  (await table6(mac))
    .split('\n')
    .map((row) => row.split(/\s+/))
    .flatMap(([destination = '', gateway]) => (gateway === `${pair}2` ? [destination] : []));

/** Whatever of ours is left in IPv6 on the Mac and in its VM. */
async function leftovers(mac: Mac): Promise<{ mac: string; vm: string }> {
  const { stdout } = await mac.run(['/sbin/ifconfig', '-a']);
  const here = `${stdout}${await table6(mac)}`.split('\n');
  const there = await dockerOf(mac).inVm(
    'ip -color=never -6 addr show dev eth1; ip -color=never -6 route show; ip6tables-save',
  );
  const ours = (lines: readonly string[]): string =>
    lines.filter((line) => line.includes(pair) || line.includes('tuntapd')).join('\n');
  return { mac: ours(here), vm: ours(there.split('\n')) };
}

const app = { network: 'app', subnets: ['172.29.1.0/24', 'fd00:29:1::/64'] };

let mac: Mac;
const chapter = chaptersOn(() => mac);

const tuntapctl = (...words: readonly string[]): Promise<string> =>
  must(mac, ['/usr/local/bin/tuntapctl', ...words]);
const route = (...words: readonly string[]): Promise<string> => must(mac, ['/sbin/route', '-n', ...words]);

/** Every row that does not lead by our link, as printed; neighbours, who come and go, left out. */
const others = async (): Promise<string> =>
  (await table6(mac))
    .split('\n')
    .filter((row) => !/\btap1\b|UHLW/.test(row))
    .join('\n');

const isSaid = (subnet: string, state: string): Promise<string> =>
  until(`${subnet} is ${state}`, 90, async () => {
    const found = (await routesTold(mac)).find((each) => each.subnet === subnet);
    return found?.state === state && found.why;
  });

/** A VPN of both families for as long as `live` runs; what others had entered is the same before and after. */
async function onVpn(routes: readonly (readonly string[])[], live: () => Promise<void>): Promise<void> {
  const before = await others();
  await mac.call('xnu.tunnel.open', {
    ...{ name: 'utun4', address: '10.80.0.2', peer: '10.80.0.1', address6: 'fd00:80::2' },
  });
  try {
    for (const words of routes) await route('add', '-inet6', ...words);
    const entered = await others();
    await live();
    expect(await others()).toBe(entered);
    for (const [destination = ''] of routes) await route('delete', '-inet6', destination);
  } finally {
    await mac.call('xnu.tunnel.close', { name: 'utun4' });
  }
  expect(await others()).toBe(before);
}

/** Also before the engine of a new VM could be asked for an address. */
const everybodyAnswers = async (seconds = 180): Promise<void> => {
  for (const address of ['172.29.1.9', '[fd00:29:1::9]'])
    await answers(mac, 'unpublished-app', address, seconds);
  await until('it answers a ping', 90, () => pingFromMac(mac, 'fd00:29:1::9'));
};

/** The row of a network that has lost its address goes a moment after that. */
const nothingIsLeft = (): Promise<unknown> =>
  until('the Mac and the VM are clean', 120, async () => {
    expect(await leftovers(mac)).toEqual({ mac: '', vm: '' });
    return true;
  });

beforeAll(async () => {
  mac = await bootMac({ engine: 'sid' });
  await install(mac);
  await openDocker(mac);
  await engineAnswers(mac);
  await setEngine(mac, withIpv6);
}, 1_200_000);

afterAll(async () => {
  await mac.end();
}, 60_000);

chapter('HTTP and ping reach every container, published or not, on every network with IPv6', async () => {
  const docker = dockerOf(mac);
  await docker.createNetwork(app.network, app.subnets);
  await until('the image is there', 60, () => docker.serve('unpublished'));
  await docker.serve('published', 'bridge', { publish: 8080 });
  await docker.serve('published-app', app.network, { publish: 8081 });
  await docker.serve('unpublished-app', app.network, { always: '172.29.1.9', always6: 'fd00:29:1::9' });
  for (const name of ['unpublished', 'published']) await answers6(mac, name);
  for (const name of ['published-app', 'unpublished-app']) await answers6(mac, name, app.network);
  await everybodyAnswers();
  await phaseIs(mac, 'ready', 60);
  expect(await routed6(mac)).toEqual(['fd00:29:1::/64', 'fd00:d0c::/64']);
  expect(await must(mac, ['/sbin/ifconfig', 'tap1'])).toContain(`\tinet6 ${pair}1 prefixlen 126 \n`);
  // The source is our end, and in the VM nothing of it is changed.
  expect(await must(mac, ['/.lab/bin/ip', '-6', 'route', 'get', 'fd00:29:1::9'])).toMatch(
    new RegExp(`via ${pair}2 dev tap1 .*src ${pair}1 `),
  );
});

chapter('networks come and go, their routes with them; one that is no site’s own is refused', async () => {
  const docker = dockerOf(mac);
  await docker.createNetwork('later', ['172.29.2.0/24', 'fd00:29:2::/64']);
  await docker.createNetwork('public', ['172.29.3.0/24', '2001:db8:3::/64']);
  await docker.createNetwork('old', '172.29.4.0/24');
  await docker.serve('later-web', 'later');
  await answers6(mac, 'later-web', 'later');
  await isSaid('2001:db8:3::/64', 'refused');
  await isSaid('172.29.3.0/24', 'routed');
  expect(await routed6(mac)).toEqual(['fd00:29:1::/64', 'fd00:29:2::/64', 'fd00:d0c::/64']);
  await docker.remove('later-web');
  for (const name of ['later', 'public', 'old']) await docker.removeNetwork(name);
  await until('their routes are gone', 45, async () => {
    expect(await routed6(mac)).toEqual(['fd00:29:1::/64', 'fd00:d0c::/64']);
    expect(await routedToTheVm(mac)).toEqual(['172.17', '172.29.1/24']);
    return true;
  });
});

chapter('full tunnel by ::/1 and 8000::/1: containers are more specific and still reached', async () => {
  const halves = ['::/1', '8000::/1'];
  await onVpn(
    halves.map((half) => [half, '-interface', 'utun4']),
    async () => {
      await everybodyAnswers(30);
      expect(await must(mac, ['/.lab/bin/ip', '-6', 'route', 'get', '2001:db8::1'])).toContain('dev utun4');
    },
  );
  // As one does that has no IPv6, and lets none of it leak.
  await onVpn(
    halves.map((half) => [half, '::1', '-reject']),
    () => everybodyAnswers(30),
  );
});

chapter('Tailscale’s fd7a:115c:a1e0::/48 stays Tailscale’s', async () => {
  await onVpn([['fd7a:115c:a1e0::/48', '-interface', 'utun4']], async () => {
    await dockerOf(mac).createNetwork('clash', ['172.29.5.0/24', 'fd7a:115c:a1e0:5::/64']);
    expect(await isSaid('fd7a:115c:a1e0:5::/64', 'foreign')).toContain('utun4');
    await isSaid('172.29.5.0/24', 'routed');
    expect((await routed6(mac)).join()).not.toContain('fd7a');
    await everybodyAnswers(30);
    await mended(mac, 'TT121', {
      says: /^Give the Docker network another subnet: /m,
      done: async () => {
        await dockerOf(mac).removeNetwork('clash');
        await dockerOf(mac).createNetwork('clash', ['172.29.5.0/24', 'fd00:29:5::/64']);
      },
    });
    await dockerOf(mac).removeNetwork('clash');
    await dockerOf(mac).createNetwork('clash', ['172.29.5.0/24', 'fd7a:115c:a1e0:5::/64']);
    await isSaid('fd7a:115c:a1e0:5::/64', 'foreign');
  });
  await isSaid('fd7a:115c:a1e0:5::/64', 'routed');
  await dockerOf(mac).removeNetwork('clash');
});

chapter('a router comes to the office network: nothing of ours is led there', async () => {
  await mac.call('xnu.inet6.router', { network: '2001:db8:1:2::' });
  await tuntapctl('restart');
  await everybodyAnswers(60);
  expect((await table6(mac)).split('\n').filter((row) => /^fd00:\S+ .* en0\b/.test(row))).toEqual([]);
  await mac.call('xnu.inet6.router-goes');
  await everybodyAnswers(30);
});

chapter('down leaves no address, route or rule of IPv6, on either end; up brings all back', async () => {
  await tuntapctl('down');
  await nothingIsLeft();
  await tuntapctl('up');
  await everybodyAnswers(60);
});

chapter('it is switched off and on again: IPv4 goes on meanwhile', async () => {
  await tuntapctl('config', 'set', 'ipv6.manage', 'false');
  await nothingIsLeft();
  await answers(mac, 'unpublished-app', '172.29.1.9', 120);
  await tuntapctl('config', 'set', 'ipv6.manage', 'true');
  await everybodyAnswers(180);
});

chapter('a killed daemon’s routes are adopted or removed by the next', async () => {
  const docker = dockerOf(mac);
  await docker.createNetwork('orphan', ['172.29.6.0/24', 'fd00:29:6::/64']);
  await isSaid('fd00:29:6::/64', 'routed');
  await until('its route', 45, async () => (await routed6(mac)).includes('fd00:29:6::/64'));
  const { pid } = await statusOf(mac);
  await must(mac, ['/bin/kill', '-KILL', String(pid)]);
  await docker.removeNetwork('orphan');
  await until('the orphan is gone, the others are kept', 60, async () => {
    const now = await routed6(mac);
    return !now.includes('fd00:29:6::/64') && now.includes('fd00:29:1::/64');
  });
  await everybodyAnswers(30);
});

chapter('Docker is updated: the next VM’s containers answer', async () => {
  await mac.call('docker.stage-update', { version: '4.2.0', seed: 'update' });
  await quitDocker(mac);
  // With the VM went the tap, and all that led by it.
  await until('nothing leads to the VM', 45, async () => (await routed6(mac)).length === 0);
  await installed(mac);
  await openDocker(mac);
  await engineAnswers(mac);
  await everybodyAnswers();
});

chapter('the Mac is rebooted, the user logs in, Docker starts', async () => {
  await mac.reboot();
  await mac.login('person');
  expect((await table6(mac)).includes(pair)).toBe(false);
  await tapBelongsTo(mac, 501, 60);
  await openDocker(mac);
  await engineAnswers(mac);
  await everybodyAnswers();
});

chapter('tuntapd is uninstalled and leaves no trace of IPv6', async () => {
  await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'uninstall-daemon', 'PURGE=1'], 180_000);
  await nothingIsLeft();
  expect(await routed6(mac)).toEqual([]);
  expect(existsSync(mac.path('/opt/tuntapd'))).toBe(false);
});
