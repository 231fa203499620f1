import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { identityOf } from '../lib/identity.js';
import { hyperkit, install, must, onMac, phaseIs } from './lib/vocabulary.js';

const file = '/etc/tuntapd/config.toml';

test(
  'a configuration that is wrong is said and changes nothing; one that is mended is taken',
  () =>
    onMac({}, async (mac) => {
      mkdirSync(mac.path('/etc/tuntapd'), { recursive: true });
      const untouched = identityOf(mac.path(hyperkit));
      writeFileSync(mac.path(file), '[tap]\nmtu = 1\n', { mode: 0o644 });
      await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'install-daemon']);
      const { conditions } = await phaseIs(mac, 'blocked', 45);
      expect(conditions.find(({ type }) => type === 'Configuration')?.message).toContain('tap.mtu');
      expect(identityOf(mac.path(hyperkit))).toEqual(untouched);

      writeFileSync(mac.path(file), '[tap]\nmtu = 1400\n', { mode: 0o644 });
      await phaseIs(mac, 'idle', 45);
      expect(identityOf(mac.path(`${hyperkit}.original`))).toEqual(untouched);

      writeFileSync(mac.path(file), '[tap]\nmtu = 1\n', { mode: 0o644 });
      const { pid } = await phaseIs(mac, 'blocked', 45);
      rmSync(mac.path(file));
      expect((await phaseIs(mac, 'idle', 45)).pid).toBe(pid);
    }),
  400_000,
);

test(
  'shim restore gives hyperkit back as Docker shipped it, until up',
  () =>
    onMac({}, async (mac) => {
      const untouched = identityOf(mac.path(hyperkit));
      await install(mac);
      await must(mac, ['/usr/local/bin/tuntapctl', 'shim', 'restore']);
      expect(identityOf(mac.path(hyperkit))).toEqual(untouched);
      await mac.reboot();
      await mac.login();
      await phaseIs(mac, 'down', 45);
      expect(identityOf(mac.path(hyperkit))).toEqual(untouched);
      await must(mac, ['/usr/local/bin/tuntapctl', 'up']);
      expect(identityOf(mac.path(`${hyperkit}.original`))).toEqual(untouched);
    }),
  400_000,
);
