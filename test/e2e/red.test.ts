import { mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { bootMac } from '../lab/lab.js';
import { dockerOf, engineAnswers, fetchFromMac, install, must, openDocker } from '../lab/story.js';
import { until } from '../lab/until.js';

test.each(['guest', 'shim'])(
  'with the %s left to its operator no container is reached: the connection is really tuntapd’s work',
  async (room) => {
    const mac = await bootMac({ engine: 'sid' });
    try {
      mkdirSync(mac.path('/etc/tuntapd'), { recursive: true });
      writeFileSync(mac.path('/etc/tuntapd/config.toml'), `[${room}]\nmanage = false\n`);
      await (room === 'shim'
        ? must(mac, ['/usr/bin/make', '-C', process.cwd(), 'install-daemon'])
        : install(mac));
      await openDocker(mac);
      await engineAnswers(mac);
      const address = await until('the container starts', 60, () => dockerOf(mac).serve('unreached'));
      const end = Date.now() + 15_000;
      while (Date.now() < end) await expect(fetchFromMac(mac, address)).rejects.toThrow(/curl/);
    } finally {
      await mac.end();
    }
  },
  600_000,
);
