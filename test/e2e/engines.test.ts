import { expect, test } from '@jest/globals';
import {
  answers,
  dockerOf,
  engineAnswers,
  fetchFromMac,
  install,
  onMac,
  openDocker,
  pingFromMac,
} from './lib/vocabulary.js';
import { until } from '../lib/until.js';

/** Each with a Docker of another generation, which starts hyperkit in another way from another place. */
const engines = [
  ['bookworm', 20, { version: '17.09.1', layout: 'MacOS/com.docker.hyperkit', varRunSocket: true }],
  ['trixie', 26, { version: '2.0.0.3', layout: 'Resources/bin/hyperkit' }],
  ['sid', 28, { version: '4.1.1', layout: 'Resources/bin/com.docker.hyperkit' }],
] as const;

/** As `docker compose` makes it: a network of the project, marked by labels. */
const ofCompose = {
  labels: { 'com.docker.compose.project': 'shop', 'com.docker.compose.network': 'default' },
};

test.each(engines)(
  'with the engine of %s (%i or newer) containers of every kind of bridge network answer the Mac',
  (engine, major, docker) =>
    onMac({ engine, docker }, async (mac) => {
      await install(mac, `/Applications/Docker.app/Contents/${docker.layout}`);
      await openDocker(mac);
      expect(Number.parseInt(await engineAnswers(mac), 10)).toBeGreaterThanOrEqual(major);

      const client = dockerOf(mac);
      await client.createNetwork('own', '172.30.1.0/24');
      await client.createNetwork('shop_default', undefined, ofCompose);
      await client.createNetwork('closed', '172.30.2.0/24', { internal: true });
      const containers = [
        ['unpublished', await client.serve('unpublished')],
        ['published', await client.serve('published', 'bridge', { publish: 8080 })],
        ['on-own', await client.serve('on-own', 'own')],
        ['shop-web-1', await client.serve('shop-web-1', 'shop_default')],
      ] as const;

      for (const [name, address] of containers) {
        await answers(mac, name, address, 90);
        await until(`${name} answers a ping`, 20, () => pingFromMac(mac, address));
      }
      const internal = await client.serve('internal', 'closed');
      await expect(fetchFromMac(mac, internal)).rejects.toThrow(/curl/);
    }),
  1_200_000,
);
