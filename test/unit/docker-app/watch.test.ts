import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type BundleWatch, foldersOf, watchBundles } from '../../../daemon/docker-app/watch.js';
import { writeDockerApp } from '../../lab/docker/bundle.js';
import { until } from '../../lab/until.js';

let applications: string;
let app: string;
let hyperkit: string;
let changes = 0;
let watch: BundleWatch;

const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const rest = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
const follow = (): Promise<void> => watch.follow(foldersOf([app]));

/** Does something and waits until it is told; every telling makes the daemon look again, hence follow. */
async function told(what: string, act: () => void): Promise<void> {
  await rest(150);
  const before = changes;
  act();
  await until(`${what} is told`, 5, () => Promise.resolve(changes > before));
  await rest(150);
  await follow();
}

beforeEach(async () => {
  applications = mkdtempSync(join(tmpdir(), 'applications-'));
  app = join(applications, 'Docker.app');
  hyperkit = join(app, 'Contents/Resources/bin/com.docker.hyperkit');
  writeDockerApp({ path: app, owner });
  watch = watchBundles(() => {
    changes += 1;
  });
  await follow();
});
afterEach(async () => {
  await watch.stop();
  rmSync(applications, { recursive: true, force: true });
});

test('a bundle is watched through everything an updater does to it', async () => {
  await told('another content in place', () => {
    writeFileSync(hyperkit, 'new');
  });
  await told('another mode', () => {
    chmodSync(hyperkit, 0o700);
  });
  await told('renamed away', () => {
    renameSync(app, `${app}.back`);
  });
  await told('renamed back', () => {
    renameSync(`${app}.back`, app);
  });
  await told('a file in it after that', () => {
    writeFileSync(hyperkit, 'newer');
  });
  await told('deleted', () => {
    rmSync(app, { recursive: true });
  });
  await told('its folder again', () => {
    mkdirSync(join(app, 'Contents/Resources'), { recursive: true });
  });
  await told('the folder of hyperkit', () => {
    mkdirSync(join(app, 'Contents/Resources/bin'));
  });
  await told('hyperkit', () => {
    writeFileSync(hyperkit, 'newest');
  });
}, 30_000);

test('a folder full of apps costs one watch, and what is no longer followed is not told', async () => {
  for (let count = 0; count < 300; count += 1) writeFileSync(join(applications, `file ${count}`), '');
  await watch.follow([]);
  await rest(300);
  const before = changes;
  writeFileSync(hyperkit, 'unseen');
  await rest(300);
  expect(changes).toBe(before);
  const watches = (): number =>
    readdirSync('/proc/self/fdinfo').flatMap((descriptor) => {
      try {
        return readlinkSync(`/proc/self/fd/${descriptor}`).includes('inotify') ? [descriptor] : [];
      } catch {
        return [];
      }
    }).length;
  expect(watches()).toBeLessThanOrEqual(1);
});
