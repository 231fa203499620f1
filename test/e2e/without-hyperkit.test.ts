/** A Docker Desktop that runs its VM by the Virtualization framework, on Apple silicon, where only a tap will do. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { raised } from './lib/doctor.js';
import { logOf, must, onMac, openDocker } from './lib/vocabulary.js';
import { until } from '../lib/until.js';

const app = '/Applications/Docker.app';

test(
  'without hyperkit: one plain condition, a quiet log, and nothing is left after the uninstall',
  () =>
    onMac({ macos: '13.6', processor: 'arm64', docker: { version: '4.30.0', layout: null } }, async (mac) => {
      const files = (): string[] => readdirSync(mac.path(app), { recursive: true }).map(String).toSorted();
      const asShipped = files();
      const tuntapctl = (command: string) => mac.run(['/usr/local/bin/tuntapctl', command]);

      mkdirSync(mac.path('/etc/tuntapd'), { mode: 0o755 });
      writeFileSync(mac.path('/etc/tuntapd/config.toml'), 'link = "tap"\n', { mode: 0o644 });
      await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'install-daemon'], 180_000);
      await openDocker(mac);
      const { stdout } = await until('it is said', 45, async () => {
        const said = await tuntapctl('status');
        return said.stdout.includes('has no hyperkit') && said;
      });
      expect(stdout).toContain('Virtualization framework');
      expect(stdout).toContain('Use an Intel Mac and a Docker Desktop that offers HyperKit');
      const [finding] = await raised(mac, ['TT001']);
      expect(finding?.detail).toMatch(/\n\s+this is a Mac with Apple silicon: .*has no hyperkit/);

      const before = logOf(mac).length;
      await pause(30_000);
      const said = logOf(mac).slice(before);
      expect(said.length).toBeLessThanOrEqual(3);
      expect(logOf(mac).filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);

      await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'uninstall-daemon', 'PURGE=1'], 120_000);
      expect(files()).toEqual(asShipped);
      for (const path of ['/opt/tuntapd', '/var/db/tuntapd', '/var/log/tuntapd', '/usr/local/bin/tuntapctl'])
        expect(existsSync(mac.path(path))).toBe(false);
    }),
  480_000,
);
