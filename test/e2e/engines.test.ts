/** Every generation of the engine, by either link and either family. */
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { bootMac, type Mac } from '../lab/lab.js';
import { until } from '../lib/until.js';
import { chaptersOn } from './lib/chapter.js';
import { answers6, setEngine, table6, withIp6tables } from './lib/ipv6.js';
import { appleSilicon, setDocker } from './lib/vmnet.js';
import {
  answers,
  dockerOf,
  engineAnswers,
  fetchFromMac,
  installed,
  must,
  openDocker,
  phaseIs,
  pingFromMac,
} from './lib/vocabulary.js';

/** By a tap each with a Docker of another generation, which starts hyperkit in another way from another place. */
const engines = [
  ['bookworm', 20, { version: '17.09.1', layout: 'MacOS/com.docker.hyperkit', varRunSocket: true }],
  ['trixie', 26, { version: '2.0.0.3', layout: 'Resources/bin/hyperkit' }],
  ['sid', 28, { version: '4.1.1', layout: 'Resources/bin/com.docker.hyperkit' }],
] as const;
const links = ['tap', 'vmnet'] as const;

/** Whatever leads by a gateway of the site's own is ours. */
const ourRow6 = /^fd\S+ +fd\S+ +UGSc /m;

/** As `docker compose` makes it: a network of the project, marked by labels. */
const ofCompose = {
  labels: { 'com.docker.compose.project': 'shop', 'com.docker.compose.network': 'default' },
};

describe.each(links.flatMap((link) => engines.map((engine) => [link, ...engine] as const)))(
  'by %s, with the engine of %s (%i or newer)',
  (link, engine, major, docker) => {
    let mac: Mac;
    const chapter = chaptersOn(() => mac);

    beforeAll(async () => {
      mac = await bootMac(link === 'tap' ? { engine, docker } : { ...appleSilicon, engine });
      await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'install-daemon'], 180_000);
      if (link === 'tap') await installed(mac, `/Applications/Docker.app/Contents/${docker.layout}`);
      else await setDocker(mac, { KernelForUDP: true });
      await openDocker(mac);
    }, 1_200_000);

    afterAll(async () => {
      await mac.end();
    }, 60_000);

    chapter('containers of every kind of bridge network answer the Mac', async () => {
      expect(Number.parseInt(await engineAnswers(mac), 10)).toBeGreaterThanOrEqual(major);
      const client = dockerOf(mac);
      await client.createNetwork('own', '172.30.1.0/24');
      await client.createNetwork('shop_default', undefined, ofCompose);
      await client.createNetwork('dual', ['172.30.3.0/24', 'fd00:30:3::/64']);
      await client.createNetwork('closed', '172.30.2.0/24', { internal: true });
      const containers = [
        ['unpublished', await until('the image is there', 60, () => client.serve('unpublished'))],
        ['published', await client.serve('published', 'bridge', { publish: 8080 })],
        ['on-own', await client.serve('on-own', 'own')],
        ['shop-web-1', await client.serve('shop-web-1', 'shop_default')],
        ['on-both', await client.serve('on-both', 'dual')],
      ] as const;
      for (const [name, address] of containers) {
        await answers(mac, name, address, 120);
        await until(`${name} answers a ping`, 90, () => pingFromMac(mac, address));
      }
      await answers6(mac, 'on-both', 'dual', 120);
      const internal = await client.serve('internal', 'closed');
      await expect(fetchFromMac(mac, internal)).rejects.toThrow(/curl/);
      // A dockerd that ends waits ten seconds and more for each that runs.
      for (const name of [...containers.map(([each]) => each), 'internal']) await client.remove(name);
    });

    chapter('and by IPv6 on the default bridge too, with the engine’s own rules for it', async () => {
      await phaseIs(mac, 'ready', 90);
      await setEngine(mac, withIp6tables);
      const client = dockerOf(mac);
      await until('a container runs', 60, () => client.serve('anew'));
      await client.serve('published-anew', 'bridge', { publish: 8081 });
      await client.serve('anew-on-both', 'dual');
      for (const name of ['anew', 'published-anew']) await answers6(mac, name, 'bridge', 120);
      await answers6(mac, 'anew-on-both', 'dual', 120);
      const leads = (await table6(mac)).split('\n').filter((row) => ourRow6.test(row));
      const by = link === 'tap' ? 'tap1' : 'bridge100';
      expect(leads.map((row) => row.trim().split(/\s+/)[3])).toEqual([by, by]);
    });

    chapter('nothing of it is left after uninstalling', async () => {
      await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'uninstall-daemon', 'PURGE=1'], 180_000);
      expect(await dockerOf(mac).inVm('iptables-save; ip6tables-save')).not.toContain('tuntapd');
      expect(await table6(mac)).not.toMatch(ourRow6);
    });
  },
);
