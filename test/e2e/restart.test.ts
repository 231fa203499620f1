import { readFileSync, statSync } from 'node:fs';
import { setTimeout as rest } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bootMac, type Mac } from '../lab/lab.js';
import type { Notification } from '../lab/mac/machine.js';
import {
  containerAnswers,
  dockerOf,
  engineAnswers,
  explained,
  hasShim,
  hyperkit,
  install,
  must,
  openDocker,
  quitDocker,
  vmPid,
} from '../lab/story.js';
import { until } from '../lab/until.js';

let mac: Mac;

const vmOf = (): string => readFileSync(mac.path(vmPid), 'utf8').trim();
const notifications = (): Promise<readonly Notification[]> => mac.call('mac.notifications');

const chapter = (title: string, play: () => Promise<void>): void => {
  test(title, () => explained(mac, play), 600_000);
};

beforeAll(async () => {
  mac = await bootMac({ engine: 'sid', macos: '13.6' });
}, 600_000);

afterAll(async () => {
  await mac.end();
}, 60_000);

let untouched = '';

chapter(
  'installed while somebody’s container is at work: Docker is left alone, and its user told once',
  async () => {
    await openDocker(mac);
    await engineAnswers(mac);
    await until('a container runs', 60, () => dockerOf(mac).serve('at-work'));
    untouched = vmOf();
    await rest(61_000);
    await install(mac);
    const [told] = await until('its user is told', 90, async () => {
      const said = await notifications();
      return said.length > 0 && said;
    });
    expect(told).toMatchObject({ uid: 501, title: 'tuntapd' });
    expect(told?.text).toContain('at-work');
    await rest(12_000);
    expect(await notifications()).toHaveLength(1);
    expect(vmOf()).toBe(untouched);
  },
);

chapter('without it, and asked once more: Docker is restarted, and containers answer', async () => {
  await dockerOf(mac).remove('at-work');
  await must(mac, ['/usr/local/bin/tuntapctl', 'up'], 180_000);
  await until('another VM', 120, () => Promise.resolve(vmOf() !== untouched));
  await containerAnswers(mac, 'restarted');
});

chapter(
  'macOS 13: an update is changed after its first start, then Docker is restarted by itself',
  async () => {
    await mac.call('docker.stage-update', { version: '4.2.0', seed: 'update' });
    const before = statSync(mac.path(hyperkit)).ino;
    await quitDocker(mac);
    await until('the update is there', 30, () =>
      Promise.resolve(statSync(mac.path(hyperkit)).ino !== before),
    );
    await rest(5_000);
    expect(hasShim(mac)).toBe(false);
    await openDocker(mac);
    const first = await until('its first VM', 60, () => Promise.resolve(vmOf()));
    await until('the shim', 60, () => Promise.resolve(hasShim(mac)));
    await until('another VM', 240, () => Promise.resolve(vmOf() !== first));
    await containerAnswers(mac, 'updated');
    expect(await notifications()).toHaveLength(1);
  },
);
