import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { bootMac, type Mac } from '../lab/lab.js';
import { chaptersOn } from './lib/chapter.js';
import { identityOf } from '../lib/identity.js';
import {
  containerAnswers,
  hasShim,
  hyperkit,
  install,
  must,
  openDocker,
  quitDocker,
} from './lib/vocabulary.js';
import { until } from '../lib/until.js';

let mac: Mac;
const app = '/Applications/Docker.app';
const staged = '/Users/person/Library/Application Support/com.docker.install/in_progress/Docker.app';
const downloaded = '/Users/person/Downloads/Docker.app';
const inside = (path: string): string => path.slice(app.length);

const sha256 = (path: string): string => identityOf(mac.path(path)).sha256;

/** A newer Docker.app in the user's Downloads; returns the hash of its hyperkit. */
async function download(version: string): Promise<string> {
  await mac.call('docker.stage-update', { version, seed: version });
  await asUser(`mkdir -p ~/Downloads && rm -rf ~/Downloads/Docker.app && mv "${staged}" ~/Downloads/`);
  return sha256(`${downloaded}${inside(hyperkit)}`);
}

async function asUser(script: string): Promise<void> {
  const { exitCode, stderr } = await mac.asUser(['/bin/sh', '-c', script]);
  if (exitCode !== 0) throw new Error(`${script}: ${stderr}`);
}

/** hyperkit is our shim, executable and the user's, and beside it lies just this original. */
const shimmedOver = (original: string): Promise<unknown> =>
  until('the shim stands over the new hyperkit', 90, () => {
    const { uid, mode } = statSync(mac.path(hyperkit));
    return Promise.resolve(
      hasShim(mac) && uid === 501 && (mode & 0o111) === 0o111 && sha256(`${hyperkit}.original`) === original,
    );
  });

const filesBesideHyperkit = (): string[] => readdirSync(mac.path(dirname(hyperkit))).toSorted();

const chapter = chaptersOn(() => mac);

beforeAll(async () => {
  mac = await bootMac({ engine: 'sid' });
  await install(mac);
}, 1_200_000);

afterAll(async () => {
  await mac.end();
}, 60_000);

describe('whatever way Docker is updated, the shim is back over the new hyperkit', () => {
  chapter('in place, while the VM runs: hyperkit alone is overwritten', async () => {
    await openDocker(mac);
    await containerAnswers(mac, 'before');
    const original = await download('4.2.0');
    await asUser(`cat "${downloaded}${inside(hyperkit)}" > "${hyperkit}"`);
    await shimmedOver(original);
    await containerAnswers(mac, 'meanwhile');
    await quitDocker(mac);
    await openDocker(mac);
    await containerAnswers(mac, 'after');
    await quitDocker(mac);
  });

  chapter(
    'deleted and copied anew, slowly, file by file: nothing is written before it is whole',
    async () => {
      const original = await download('4.3.0');
      await asUser(`rm -rf "${app}"`);
      await asUser(
        `cd ~/Downloads/Docker.app && find . -type d -exec mkdir -p "${app}/{}" \\; && ` +
          `head -c 2000 ".${inside(hyperkit)}" > "${hyperkit}" && chmod 755 "${hyperkit}"`,
      );
      const end = Date.now() + 5000;
      while (Date.now() < end) {
        expect(filesBesideHyperkit()).toEqual(['com.docker.hyperkit']);
        expect(hasShim(mac)).toBe(false);
        await rest(200);
      }
      await asUser(
        `cd ~/Downloads/Docker.app && tail -c +2001 ".${inside(hyperkit)}" >> "${hyperkit}" && ` +
          `find . -type f ! -name com.docker.hyperkit -exec cp -p {} "${app}/{}" \\;`,
      );
      await shimmedOver(original);
    },
  );

  chapter('renamed away and replaced by one that breaks off, and rolled back', async () => {
    const original = sha256(`${hyperkit}.original`);
    await download('4.4.0');
    await asUser(`mv "${app}" "${app}.back" && mkdir -p "${app}/Contents"`);
    await asUser(`cp -pR ~/Downloads/Docker.app/Contents/MacOS "${app}/Contents/"`);
    await rest(3000);
    await asUser(`rm -rf "${app}" && mv "${app}.back" "${app}"`);
    await shimmedOver(original);
    expect(existsSync(mac.path(`${app}.back`))).toBe(false);
    expect(filesBesideHyperkit()).toEqual(['com.docker.hyperkit', 'com.docker.hyperkit.original']);
  });

  chapter('renamed into place: Docker starts with the tap at once', async () => {
    const original = await download('4.5.0');
    await asUser(`mv "${app}" "${app}.back" && mv ~/Downloads/Docker.app "${app}" && rm -rf "${app}.back"`);
    await shimmedOver(original);
    await openDocker(mac);
    await containerAnswers(mac, 'renamed');
  });

  chapter('and after all of it hyperkit goes back to the bytes of the newest version', async () => {
    const original = sha256(`${hyperkit}.original`);
    await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'uninstall-daemon'], 120_000);
    expect(sha256(hyperkit)).toBe(original);
    expect(filesBesideHyperkit()).toEqual(['com.docker.hyperkit']);
  });
});
