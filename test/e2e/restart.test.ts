import { existsSync, lstatSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from '@jest/globals';
import type { Condition } from '../../daemon/api/messages.js';
import { bootMac, type Mac } from '../lab/lab.js';
import { chaptersOn } from './lib/chapter.js';
import { type Finding, raised, type } from './lib/doctor.js';
import type { Notification } from '../lab/mac/machine.js';
import { identityOf } from '../lib/identity.js';
import {
  conditionIs,
  containerAnswers,
  dockerOf,
  dockersPid,
  engineAnswers,
  hasShim,
  hyperkit,
  logOf,
  must,
  openDocker,
  pidIn,
  quitDocker,
  vmPid,
} from './lib/vocabulary.js';
import { until } from '../lib/until.js';

let mac: Mac;

const tuntapctl = (...args: string[]) => mac.run(['/usr/local/bin/tuntapctl', ...args], { timeout: 180_000 });
const vmOf = (): number => pidIn(mac, vmPid);
/** Those that say that Docker needs a restart, or have another title. */
const notifications = async (title = 'tuntapd'): Promise<readonly Notification[]> =>
  (await mac.call<readonly Notification[]>('mac.notifications')).filter((one) => one.title === title);

/** How often the daemon has said something that begins so. */
const saidOften = (words: string): number => logOf(mac, words).length;
const begun = (step: string): number => saidOften(`${step}: `);

const reasonIs = (type: string, reason: string, seconds = 60): Promise<Condition> =>
  conditionIs(mac, type, { reason }, seconds);

async function restartDocker(policy: 'auto' | 'ask' | 'never'): Promise<void> {
  const change = '/etc/tuntapd/config.toml has changed: starting anew with it';
  const before = saidOften(change);
  await must(mac, ['/usr/local/bin/tuntapctl', 'config', 'set', 'restartDocker', policy]);
  await until('the daemon has taken it', 90, () => Promise.resolve(saidOften(change) > before));
}

const chapter = chaptersOn(() => mac);

beforeAll(async () => {
  mac = await bootMac({
    engine: 'sid',
    macos: '13.6',
    appManagement: 'refused',
    docker: { version: '4.1.1', cli: 'without-desktop' },
  });
}, 1_200_000);

afterAll(async () => {
  await mac.end();
}, 60_000);

let untouched = 0;
let refused: readonly Finding[] = [];

chapter(
  'App Management refuses: hyperkit stays as it is, Docker goes on, and status and doctor say what to allow',
  async () => {
    await openDocker(mac);
    await engineAnswers(mac);
    await until('a container runs', 60, () => dockerOf(mac).serve('at-work'));
    const atWorkSince = Date.now();
    untouched = vmOf();
    const original = identityOf(mac.path(hyperkit));
    await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'install-daemon'], 180_000);
    const { message } = await reasonIs('Shim', 'AppManagement');
    expect(message).toContain('System Settings > Privacy & Security > App Management');
    expect(message).toContain('/opt/tuntapd/bin/tuntapd');
    const { exitCode, stdout } = await tuntapctl('status');
    expect(exitCode).toBe(4);
    expect(stdout).toContain('App Management');
    // Once the shim is in, the VM is to be started with it: that is another thing to do.
    refused = await raised(mac, ['TT103', 'TT105']);
    expect(refused[0]?.fix[0]).toContain('App Management, add `/opt/tuntapd/bin/tuntapd` with the + button');
    // By then the container is somebody's work.
    await pause(Math.max(10_000, atWorkSince + 61_000 - Date.now()));
    expect(begun('install-shim')).toBe(1);
    // It has lasted: whoever sits there is told, once.
    await until('a notification', 100, async () => (await notifications('tuntapd needs you')).length > 0);
    expect(await notifications('tuntapd needs you')).toEqual([
      expect.objectContaining({ uid: 501, text: expect.stringContaining('App Management') as unknown }),
    ]);
    expect(identityOf(mac.path(hyperkit))).toEqual(original);
    expect(vmOf()).toBe(untouched);
    await dockerOf(mac).version();
  },
);

chapter('granted, and asked once more: the shim goes in, with Docker’s own files as they were', async () => {
  const before = identityOf(mac.path(hyperkit));
  await mac.call('privacy.grant-app-management');
  await type(mac, refused);
  await reasonIs('Shim', 'Installed');
  expect(hasShim(mac)).toBe(true);
  expect(identityOf(mac.path(`${hyperkit}.original`))).toEqual(before);
  expect(lstatSync(mac.path(hyperkit)).uid).toBe(501);
});

chapter('while somebody’s container is at work Docker is left alone, and its user told once', async () => {
  const [told] = await until('its user is told', 90, async () => {
    const said = await notifications();
    return said.length > 0 && said;
  });
  expect(told).toMatchObject({ uid: 501, title: 'tuntapd' });
  expect(told?.text).toContain('at-work');
  await reasonIs('TapAttached', 'RestartNeeded');
  const [finding] = await raised(mac, ['TT105']);
  expect(finding?.fix).toContain('Or have tuntapd try once more: tuntapctl up');
  expect(await notifications()).toHaveLength(1);
  expect(vmOf()).toBe(untouched);
});

chapter('without it, and asked once more: Docker is restarted, and containers answer', async () => {
  await dockerOf(mac).remove('at-work');
  await tuntapctl('up');
  await until('another VM', 120, () => Promise.resolve(vmOf() !== untouched));
  await containerAnswers(mac, 'restarted');
  await raised(mac, []);
  expect(begun('quit-docker')).toBe(1);
  // Docker goes on in its user's locale and time zone, not in ours.
  expect(readFileSync(mac.path(`/proc/${dockersPid(mac)}/environ`), 'utf8')).not.toMatch(/\b(LC_ALL|TZ)=/);
});

chapter(
  'macOS 13: an update is changed after its first start; with "never" its VM is left without the tap, with "ask" its user is told',
  async () => {
    await restartDocker('never');
    await mac.call('docker.stage-update', { version: '4.2.0', seed: 'update', cli: 'without-desktop' });
    const before = statSync(mac.path(hyperkit)).ino;
    await quitDocker(mac);
    await until('the update is there', 90, () =>
      Promise.resolve(statSync(mac.path(hyperkit)).ino !== before),
    );
    await pause(5000);
    expect(hasShim(mac)).toBe(false);
    await openDocker(mac);
    untouched = await until('its first VM', 60, () => Promise.resolve(vmOf()));
    await until('the shim', 60, () => Promise.resolve(hasShim(mac)));
    await reasonIs('TapAttached', 'StartedWithoutTap');
    expect(await notifications()).toHaveLength(1);
    const told = await until('its user is told of the update', 90, async () => {
      const found = await notifications('tuntapd: Docker was updated');
      return found.length > 0 && found;
    });
    expect(told).toEqual([
      expect.objectContaining({
        uid: 501,
        text: expect.stringContaining('Docker 4.2.0 has tuntapd’s') as unknown,
      }),
    ]);

    await restartDocker('ask');
    await until('its user is told', 60, async () => (await notifications()).length === 2);
    await reasonIs('TapAttached', 'RestartNeeded');
    expect(vmOf()).toBe(untouched);
    expect(begun('quit-docker')).toBe(1);
  },
);

chapter(
  'when Docker may not be told to quit (-1743), its own process gets one SIGTERM, and is opened again',
  async () => {
    await mac.call('privacy.set-automation', { allowed: false });
    const docker = dockersPid(mac);
    await restartDocker('auto');
    await until('another VM', 240, () => Promise.resolve(vmOf() !== untouched));
    const restarted = dockersPid(mac);
    expect(restarted).not.toBe(docker);
    await reasonIs('TapAttached', 'Attached');
    expect(dockersPid(mac)).toBe(restarted);
    expect(begun('quit-docker')).toBe(2);
    expect(await notifications()).toHaveLength(2);
  },
);

chapter(
  'a Docker that has "docker desktop restart" is restarted by it, without a signal or an Apple event, and containers answer',
  async () => {
    const before = dockersPid(mac);
    await mac.call('docker.stage-update', { version: '4.38.0', seed: 'newer', cli: 'with-desktop' });
    await must(mac, ['/bin/kill', String(before)]);
    await until('the update is there', 90, () =>
      Promise.resolve(existsSync(mac.path('/Applications/Docker.app/Contents/Resources/cli-plugins'))),
    );
    await openDocker(mac);
    untouched = await until('its first VM', 60, () => Promise.resolve(vmOf()));
    const docker = dockersPid(mac);
    await until('another VM', 240, () => Promise.resolve(vmOf() !== untouched));
    await containerAnswers(mac, 'restarted-by-itself');
    await reasonIs('TapAttached', 'Attached');
    // A signal or an Apple event ends it, and the latter macOS still refuses.
    expect(dockersPid(mac)).toBe(docker);
    expect(begun('quit-docker')).toBe(3);
    expect(await notifications()).toHaveLength(2);
    expect(await notifications('tuntapd: Docker was updated')).toHaveLength(2);
    // Each was told once, and nothing else.
    expect(await mac.call('mac.notifications')).toHaveLength(5);
  },
);
