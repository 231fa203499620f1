import { mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { dockerOf, engineAnswers, fetchFromMac, must, onMac, openDocker } from './lib/vocabulary.js';
import { until } from '../lib/until.js';

test(
  'with the shim left to its operator no container is reached: the connection is really tuntapd’s work',
  () =>
    onMac({ engine: 'sid' }, async (mac) => {
      mkdirSync(mac.path('/etc/tuntapd'), { recursive: true });
      writeFileSync(mac.path('/etc/tuntapd/config.toml'), '[shim]\nmanage = false\n');
      await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'install-daemon'], 180_000);
      await openDocker(mac);
      await engineAnswers(mac);
      const address = await until('the container starts', 60, () => dockerOf(mac).serve('unreached'));
      const end = Date.now() + 15_000;
      while (Date.now() < end) await expect(fetchFromMac(mac, address)).rejects.toThrow(/curl/);
    }),
  600_000,
);
