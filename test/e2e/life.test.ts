import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bootMac, type Mac } from '../lab/lab.js';
import { chaptersOn } from './lib/chapter.js';
import { raised } from './lib/doctor.js';
import { install, logOf, must, onMac, phaseIs, statusOf, tapBelongsTo } from './lib/vocabulary.js';
import { until } from '../lib/until.js';

let mac: Mac;

const tuntapctl = (on: Mac, ...args: string[]) => on.run(['/usr/local/bin/tuntapctl', ...args]);

const ownerIs = (uid: number): Promise<unknown> => tapBelongsTo(mac, uid);

const chapter = chaptersOn(() => mac);

beforeAll(async () => {
  mac = await bootMac({ login: 'person' });
  await install(mac);
}, 600_000);

afterAll(async () => {
  await mac.end();
}, 60_000);

chapter('the tap follows whoever is in front, and is root’s at the login window', async () => {
  await ownerIs(501);
  await mac.login('other');
  await ownerIs(502);
  await mac.logout();
  await ownerIs(0);
  await mac.login('person');
  await ownerIs(501);
});

chapter('booted with nobody logged in: idle, healthy, and silent', async () => {
  await mac.reboot();
  const before = logOf(mac).length;
  await phaseIs(mac, 'idle', 90);
  await pause(10_000);
  const { exitCode, stdout } = await tuntapctl(mac, 'status');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^idle/);
  expect(
    logOf(mac)
      .slice(before)
      .filter(({ level }) => level === 'warn' || level === 'error'),
  ).toEqual([]);
  await mac.login('person');
  await ownerIs(501);
});

chapter('down stays down over an upgrade in place', async () => {
  await must(mac, ['/usr/local/bin/tuntapctl', 'down']);
  await install(mac);
  expect((await statusOf(mac)).phase).toBe('down');
  expect((await tuntapctl(mac, 'up')).exitCode).toBe(0);
});

chapter('with the daemon gone: logs and doctor still tell, and status says how to start it', async () => {
  await mac.run(['/bin/launchctl', 'bootout', 'system/io.github.tuntapd']);
  await until('the daemon has ended', 45, async () => (await tuntapctl(mac, 'status')).exitCode === 3);
  expect((await tuntapctl(mac, 'logs', '-n', '5')).stdout).toContain('SIGTERM');
  const { exitCode, stdout } = await tuntapctl(mac, 'doctor');
  expect(exitCode).toBe(3);
  expect(stdout).toMatch(/FAIL TT006[^]*launchctl bootstrap system/);
  expect(stdout).toMatch(/ok TT003/);
});

test.each([
  ['refused', 'KextNotApproved', 'not approved to load'],
  ['absent', 'KextMissing', 'Install tuntaposx'],
] as const)(
  'a kext that is %s is said with what to do, and asked for once; allowed, all is well',
  (kext, reason, words) =>
    onMac({ kext }, async (other) => {
      await install(other);
      const condition = await until('the condition', 45, async () => {
        const { conditions } = await statusOf(other);
        return conditions.find((each) => each.reason === reason) ?? false;
      });
      expect(condition.message).toContain(words);
      expect((await tuntapctl(other, 'status')).exitCode).toBe(4);
      const findings = await raised(other, ['TT102']);
      expect(findings[0]?.fix.join()).toContain('Allow the kext in System Settings > Privacy & Security');
      await pause(15_000);
      const asked = logOf(other, 'load-kext:');
      expect(asked).toHaveLength(kext === 'refused' ? 1 : 0);
      await other.call('xnu.kext.allow');
      await other.reboot();
      await other.login('person');
      await raised(other, []);
    }),
  300_000,
);
