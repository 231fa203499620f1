import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type BundleWatch, watchBundles } from '../../../daemon/docker-app/watch.js';
import { workshop } from '../../product/bundle-crash/world.js';
import { mountDead } from '../../lib/dead-mount.js';
import { writeDockerApp } from '../../lab/docker/bundle.js';
import { lookDirectly } from './look-directly.js';
import { until } from '../../lib/until.js';

let applications: string;
let app: string;
let hyperkit: string;
let changes = 0;
let watch: BundleWatch;

const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? test : test.skip;
const owner = isRoot ? { uid: 501, gid: 20 } : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
let tools: string;
let worker: string;
const rest = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
const follow = (): Promise<void> => watch.follow([app]);

/** Does something and waits until it is told; every telling makes the daemon look again, hence follow. */
async function told(what: string, act: () => void): Promise<void> {
  await rest(800);
  const before = changes;
  act();
  await until(`${what} is told`, 5, () => Promise.resolve(changes > before));
  await rest(150);
  await follow();
}

beforeAll(async () => {
  tools = await workshop({ watch: 'daemon/docker-app/watch-worker.ts' });
  worker = join(tools, 'watch.mjs');
});
afterAll(() => {
  rmSync(tools, { recursive: true, force: true });
});

const newWatch = (program: string): BundleWatch =>
  watchBundles({
    worker: program,
    look: lookDirectly,
    onChange: () => {
      changes += 1;
    },
  });

/** The processes that watch for us: as whom, and by how many inotify watches. */
function children(): { pid: number; uids: string; watches: number }[] {
  return readdirSync('/proc').flatMap((pid) => {
    try {
      if (!/^\d+$/.test(pid)) return [];
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      if (!status.includes(`PPid:\t${process.pid}\n`)) return [];
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(tools)) return [];
      const watches = readdirSync(`/proc/${pid}/fdinfo`).flatMap(
        (descriptor) =>
          readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8').match(/^inotify wd/gm) ?? [],
      );
      return [{ pid: Number(pid), uids: /^Uid:\t(.*)$/m.exec(status)?.[1] ?? '', watches: watches.length }];
    } catch {
      return [];
    }
  });
}

beforeEach(async () => {
  applications = mkdtempSync(join(tmpdir(), 'applications-'));
  chmodSync(applications, 0o755);
  if (isRoot) chownSync(applications, owner.uid, owner.gid);
  app = join(applications, 'Docker.app');
  hyperkit = join(app, 'Contents/Resources/bin/com.docker.hyperkit');
  writeDockerApp({ path: app, owner });
  watch = newWatch(worker);
  await follow();
  await until('it is watched', 10, () => Promise.resolve(children().some(({ watches }) => watches > 0)));
});
afterEach(async () => {
  watch.stop();
  await until('no child is left', 10, () => Promise.resolve(children().length === 0));
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
  await rest(1000);
  const few = children()[0]?.watches;
  for (let count = 0; count < 300; count += 1) writeFileSync(join(applications, `file ${count}`), '');
  await follow();
  await rest(500);
  expect(children()[0]?.watches).toBe(few);
  await watch.follow([]);
  await rest(500);
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

test('a child that did not read for a while watches the latest folders once it does', async () => {
  const last = join(applications, 'others', 'Docker.app');
  writeDockerApp({ path: last, owner });
  if (isRoot) chownSync(join(applications, 'others'), owner.uid, owner.gid);
  const [{ pid } = { pid: 0 }] = children();
  process.kill(pid, 'SIGSTOP');
  for (let round = 0; round < 1500; round += 1)
    await watch.follow([join(applications, `${'x'.repeat(200)}${round}.app`)]);
  await watch.follow([last]);
  process.kill(pid, 'SIGCONT');
  const isQuiet = async (): Promise<boolean> => {
    const before = changes;
    await rest(1000);
    return changes === before;
  };
  await until('nothing more is told of the others', 20, isQuiet);
  writeFileSync(join(last, 'Contents/Resources/bin/com.docker.hyperkit'), 'new');
  await until('a change in the last one is told', 10, async () => !(await isQuiet()));
});

asRoot('who watches has the rights of the owner alone, and gives nobody more than that', async () => {
  const [child] = children();
  expect(child?.uids).toBe('501\t501\t501\t501');
  // The owner may signal it; the inspector would let him run code in it.
  spawnSync('/bin/kill', ['-USR1', String(child?.pid)], { uid: 501 });
  await rest(1000);
  const opened = await new Promise((resolve) => {
    const socket = createConnection(9229, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => {
      resolve(false);
    });
  });
  expect(opened).toBe(false);
  await told('a change after that', () => {
    writeFileSync(hyperkit, 'new');
  });
});

asRoot('a folder that hangs holds the child of its owner alone', async () => {
  const theirs = join(applications, 'theirs');
  writeDockerApp({ path: join(theirs, 'Docker.app'), owner: { uid: 502, gid: 20 } });
  const dead = await mountDead(join(theirs, 'Docker.app/Contents'));
  try {
    await watch.follow([join(theirs, 'Docker.app'), app]);
    await rest(1500);
    await Promise.all(Array.from({ length: 8 }, () => stat(applications)));
    const before = changes;
    writeFileSync(hyperkit, 'new');
    await until('the change is told', 5, () => Promise.resolve(changes > before));
  } finally {
    dead.end();
  }
});

test.each([
  ['says too much', "for (;;) process.stdout.write('x'.repeat(65536));", 1, 1],
  ['ends at once', '', 1, 3],
  ['never listens', 'setInterval(() => undefined, 1000);', 1, 1],
])('a child that %s costs little', async (_what, text, fewest, most) => {
  const log = join(tools, 'starts');
  const bad = join(tools, 'bad.mjs');
  writeFileSync(log, '');
  chmodSync(log, 0o666);
  writeFileSync(bad, `import { appendFileSync } from 'node:fs';\nappendFileSync('${log}', 'x');\n${text}`);
  await watch.follow([]);
  changes = 0;
  const other = newWatch(bad);
  const began = performance.now();
  const { user, system } = process.cpuUsage();
  for (let count = 0; count < 80; count += 1) {
    await other.follow([app]);
    await rest(50);
  }
  const seconds = (performance.now() - began) / 1000;
  other.stop();
  const used = process.cpuUsage();
  expect(changes).toBeLessThan(seconds * 5);
  expect((used.user + used.system - user - system) / 1e6).toBeLessThan(seconds / 3);
  const starts = readFileSync(log, 'utf8').length;
  expect(starts).toBeGreaterThanOrEqual(fewest);
  expect(starts).toBeLessThanOrEqual(most);
});
