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
} from '../lab/story.js';
import { until } from '../lab/until.js';

const engines = [
  ['bookworm', 20],
  ['trixie', 26],
  ['sid', 28],
] as const;

/** As `docker compose` makes it: a network of the project, marked by labels. */
const ofCompose = {
  labels: { 'com.docker.compose.project': 'shop', 'com.docker.compose.network': 'default' },
};

test.each(engines)(
  'with the engine of %s (%i or newer) containers of every kind of bridge network answer the Mac',
  (engine, major) =>
    onMac({ engine }, async (mac) => {
      await install(mac);
      await openDocker(mac);
      expect(Number.parseInt(await engineAnswers(mac), 10)).toBeGreaterThanOrEqual(major);

      const docker = dockerOf(mac);
      await docker.createNetwork('own', '172.30.1.0/24');
      await docker.createNetwork('shop_default', undefined, ofCompose);
      await docker.createNetwork('closed', '172.30.2.0/24', { internal: true });
      const containers = [
        ['unpublished', await docker.serve('unpublished')],
        ['published', await docker.serve('published', 'bridge', { publish: 8080 })],
        ['on-own', await docker.serve('on-own', 'own')],
        ['shop-web-1', await docker.serve('shop-web-1', 'shop_default')],
      ] as const;

      for (const [name, address] of containers) {
        await answers(mac, name, address, 90);
        await until(`${name} answers a ping`, 20, () => pingFromMac(mac, address));
      }
      const internal = await docker.serve('internal', 'closed');
      await expect(fetchFromMac(mac, internal)).rejects.toThrow(/curl/);
    }),
  1_200_000,
);
