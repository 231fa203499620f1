import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { childIn } from '../../../daemon/docker-app/bundle-child.js';
import { type BundleRoom, createBundleRoom } from '../../../daemon/docker-app/bundles.js';
import type { Bundles } from '../../../daemon/core/observation.js';
import { later, live } from '../../product/bundle-crash/daemon.js';
import { workerSource, workshop } from '../../product/bundle-crash/world.js';
import { writeDockerApp } from '../../lab/docker/bundle.js';
import { lookDirectly } from './look-directly.js';
import { machO } from '../../lab/docker/mach-o.js';

/** The work is done as the bundle's owner: root's tests see a user's bundle, a user's tests his own. */
const owner =
  process.getuid?.() === 0
    ? { uid: 501, gid: 20 }
    : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

let tools: string;
let base: string;
let app: string;
let hyperkit: string;
let room: BundleRoom;
let said: string[];

beforeAll(async () => {
  tools = await workshop({ worker: workerSource });
});
afterAll(() => {
  rmSync(tools, { recursive: true, force: true });
});

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'bundles-'));
  chmodSync(base, 0o755);
  app = join(base, 'Docker.app');
  hyperkit = join(app, 'Contents/Resources/bin/com.docker.hyperkit');
  writeDockerApp({ path: app, owner, version: '4.1.1' });
  quiet();
  said = [];
  room = createBundleRoom({
    ask: childIn(join(tools, 'worker.mjs')),
    look: lookDirectly,
    systemFolder: base,
    originals: join(base, 'state/originals.json'),
    log: (level, message) => said.push(`${level}: ${message}`),
    shim: '#!/bin/sh\n# tuntapd hyperkit shim. \nexec "$0.original" "$@"\n',
  });
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(base, { recursive: true, force: true });
});

/** Change times cannot be set: what is tested here is a bundle that nobody has written for long. */
function quiet(): void {
  jest.spyOn(Date, 'now').mockReturnValue(later);
}

async function look(): Promise<Bundles> {
  const bundles = await room.observe([app]);
  if (!bundles.known) throw new Error(bundles.why);
  return bundles.value;
}

test('a bundle is told with its version and what hyperkit is; a newer one is noticed', async () => {
  expect((await look()).withHyperkit).toMatchObject([
    { app, hyperkit, version: '4.1.1', ownerUid: owner.uid, target: { kind: 'mach-o' } },
  ]);
  await room.install(hyperkit);
  expect((await look()).withHyperkit).toMatchObject([
    { target: { kind: 'shim' }, original: { kind: 'mach-o' } },
  ]);
  rmSync(app, { recursive: true });
  writeDockerApp({ path: app, owner, version: '4.2.0' });
  expect((await look()).withHyperkit).toMatchObject([{ version: '4.2.0', target: { kind: 'mach-o' } }]);
});

test.each([
  ['the app itself', ''],
  ['Contents', 'Contents'],
  ['Resources', 'Contents/Resources'],
  ['bin', 'Contents/Resources/bin'],
])('a symbolic link in place of %s leads nobody anywhere', async (_what, below) => {
  const link = join(app, below);
  const elsewhere = join(base, 'elsewhere');
  renameSync(link, elsewhere);
  symlinkSync(elsewhere, link);
  const before = readdirSync(elsewhere, { recursive: true });
  const { withHyperkit, refused } = await look();
  expect(withHyperkit).toEqual([]);
  expect(refused).toEqual([{ app, why: expect.stringContaining(`${link} is a symbolic link`) as unknown }]);
  await expect(room.install(hyperkit)).rejects.toThrow('symbolic link');
  expect(readdirSync(elsewhere, { recursive: true })).toEqual(before);
});

test('once an update is seen nothing is written, not even what was planned before', async () => {
  expect((await look()).replacing).toEqual([]);
  jest.restoreAllMocks();
  rmSync(join(app, 'Contents/Info.plist'));
  await expect(room.install(hyperkit)).rejects.toThrow('Contents/Info.plist');
  writeDockerApp({ path: app, owner, version: '4.2.0' });
  await expect(room.install(hyperkit)).rejects.toThrow('is being written');
  expect((await look()).replacing).toMatchObject([{ app }]);
  expect(readdirSync(join(app, 'Contents/Resources/bin'))).toEqual(['com.docker.hyperkit']);
  quiet();
  await room.install(hyperkit);
  expect((await look()).withHyperkit).toMatchObject([{ target: { kind: 'shim' } }]);
});

test('a user’s link to a folder of root’s is no way to have root write there', async () => {
  const precious = join(base, 'precious');
  mkdirSync(precious, { mode: 0o755 });
  writeFileSync(join(precious, 'com.docker.hyperkit'), machO('precious'), { mode: 0o755 });
  const bin = join(app, 'Contents/Resources/bin');
  rmSync(bin, { recursive: true });
  symlinkSync(precious, bin);
  await expect(room.install(hyperkit)).rejects.toThrow('symbolic link');
  await expect(room.restore(hyperkit)).rejects.toThrow('symbolic link');
  expect(readdirSync(precious)).toEqual(['com.docker.hyperkit']);
  expect(readFileSync(join(precious, 'com.docker.hyperkit'))).toEqual(machO('precious'));
});

test('files of an install have the owner’s own group, whatever group the folder has', async () => {
  if (process.getuid?.() === 0) chownSync(join(app, 'Contents/Resources/bin'), owner.uid, 80);
  await room.install(hyperkit);
  expect(lstatSync(hyperkit)).toMatchObject({ uid: owner.uid, gid: owner.gid });
});

test('what is put aside is journalled, and giving it back proves its bytes', async () => {
  const sha256 = createHash('sha256').update(readFileSync(hyperkit)).digest('hex');
  await room.install(hyperkit);
  const saved = { sha256, size: machO('4.1.1 hyperkit').length, version: '4.1.1' };
  expect((await look()).withHyperkit).toMatchObject([{ saved }]);
  expect(JSON.parse(readFileSync(join(base, 'state/originals.json'), 'utf8'))).toEqual({ [hyperkit]: saved });
  await room.restore(hyperkit);
  expect(said).toEqual([`info: ${hyperkit} is what was put aside, byte for byte: SHA-256 ${sha256}`]);
});

test('where hyperkit was ever put aside is known, also when nobody runs that Docker any more', async () => {
  expect(await room.touched()).toEqual([]);
  await room.install(hyperkit);
  expect(await room.touched()).toEqual([app]);
});

test('what another version of tuntapd journalled in its own way stays, and is known to be there', async () => {
  const journal = join(base, 'state/originals.json');
  const other = '/Applications/Other/Docker.app/Contents/Resources/bin/com.docker.hyperkit';
  mkdirSync(join(base, 'state'));
  writeFileSync(journal, JSON.stringify({ [other]: { sha512: 'ab' } }));
  await room.install(hyperkit);
  expect(JSON.parse(readFileSync(journal, 'utf8'))).toMatchObject({
    [other]: { sha512: 'ab' },
    [hyperkit]: { version: '4.1.1' },
  });
  expect(await room.touched()).toEqual(['/Applications/Other/Docker.app', app]);
});

describe('a bundle that is refused', () => {
  const bin = (): string => join(app, 'Contents/Resources/bin');
  const elsewhere = (): string => join(base, 'elsewhere');
  const reasons: [string, () => void, () => void][] = [
    [
      'because it is a symbolic link',
      () => {
        renameSync(app, elsewhere());
        symlinkSync(elsewhere(), app);
      },
      () => {
        rmSync(app);
        renameSync(elsewhere(), app);
      },
    ],
  ];
  if (process.getuid?.() === 0)
    reasons.push([
      'because others may write a folder of root’s',
      () => {
        chownSync(bin(), 0, 0);
        chmodSync(bin(), 0o775);
      },
      () => {
        chownSync(bin(), owner.uid, owner.gid);
        chmodSync(bin(), 0o755);
      },
    ]);
  test.each(reasons)(
    '%s may still have our shim, and is seen again when that is mended',
    async (_why, spoil, mend) => {
      await room.install(hyperkit);
      expect((await look()).outOfReach).toEqual([]);
      spoil();
      expect(await look()).toMatchObject({ withHyperkit: [], refused: [{ app }], outOfReach: [hyperkit] });
      await expect(room.restore(hyperkit)).rejects.toMatchObject({ reason: 'BundleRefused' });
      mend();
      expect(await look()).toMatchObject({ withHyperkit: [{ hyperkit }], refused: [], outOfReach: [] });
    },
  );

  test('never had anything of ours where nothing was put aside', async () => {
    renameSync(app, elsewhere());
    symlinkSync(elsewhere(), app);
    expect(await look()).toMatchObject({ refused: [{ app }], outOfReach: [] });
  });
});

test('a bundle that an updater has moved aside may be put back, shim and all', async () => {
  await room.install(hyperkit);
  renameSync(app, `${app}.back`);
  expect(await look()).toMatchObject({ withHyperkit: [], outOfReach: [hyperkit] });
  rmSync(`${app}.back`, { recursive: true });
  expect(await look()).toMatchObject({ withHyperkit: [], outOfReach: [] });
});

test('a child that fails is not started again to look at the same, but when something changed or a person asks', async () => {
  let children = 0;
  const failing = createBundleRoom({
    ask: () => {
      children += 1;
      return Promise.reject(new Error('it took longer than 30 s'));
    },
    look: lookDirectly,
    systemFolder: base,
    originals: join(base, 'state/originals.json'),
    log: () => undefined,
    shim: '',
  });
  const lookedAt = async (): Promise<number> => {
    expect(await failing.observe([app])).toMatchObject({
      value: { refused: [{ app, why: 'it took longer than 30 s' }] },
    });
    return children;
  };
  expect([await lookedAt(), await lookedAt()]).toEqual([1, 1]);
  writeFileSync(hyperkit, machO('newer'));
  expect([await lookedAt(), await lookedAt()]).toEqual([2, 2]);
  failing.lookAnew();
  expect(await lookedAt()).toBe(3);
  await expect(failing.restore(hyperkit)).rejects.toThrow('longer than 30 s');
  expect(children).toBe(4);
});

test('an original that was replaced is given back all the same, and said', async () => {
  await room.install(hyperkit);
  const newer = machO('newer');
  writeFileSync(`${hyperkit}.original`, newer);
  await room.restore(hyperkit);
  expect(readFileSync(hyperkit)).toEqual(newer);
  expect(said).toEqual([
    expect.stringMatching(/^warn: .* is not what was put aside .* the newer one is kept$/),
  ]);
});

test('a journal that is lost or unreadable is made anew from what lies there', async () => {
  await room.install(hyperkit);
  const journal = join(base, 'state/originals.json');
  const before = readFileSync(journal, 'utf8');
  for (const spoil of [
    () => {
      rmSync(journal);
    },
    () => {
      writeFileSync(journal, before.slice(0, 20));
    },
  ]) {
    spoil();
    expect((await look()).withHyperkit).toMatchObject([{ target: { kind: 'shim' }, saved: null }]);
    await room.install(hyperkit);
    expect(readFileSync(journal, 'utf8')).toBe(before);
  }
});

test('what cannot be done is said with what to do, and waits for a person', async () => {
  await room.install(hyperkit);
  rmSync(`${hyperkit}.original`);
  for (const attempt of [room.install, room.restore])
    await expect(attempt(hyperkit)).rejects.toMatchObject({
      blocked: true,
      reason: 'OriginalMissing',
      message: expect.stringContaining('Reinstall Docker Desktop 4.1.1') as unknown,
    });
  writeFileSync(`${hyperkit}.original`, machO('half').subarray(0, 4100), { mode: 0o755 });
  chownSync(`${hyperkit}.original`, owner.uid, owner.gid);
  await expect(room.restore(hyperkit)).rejects.toMatchObject({ blocked: false, reason: 'BeingWritten' });
});

const journalled = (): string[] =>
  Object.keys(JSON.parse(readFileSync(join(base, 'state/originals.json'), 'utf8')) as object);

test('what was given back, or was removed with its app, is journalled no longer; a disk that is away is no removal', async () => {
  await room.install(hyperkit);
  expect(journalled()).toEqual([hyperkit]);
  await room.restore(hyperkit);
  expect(journalled()).toEqual([]);
  await room.install(hyperkit);
  renameSync(base, `${base}.away`);
  mkdirSync(join(base, 'state'), { recursive: true });
  writeFileSync(
    join(base, 'state/originals.json'),
    readFileSync(join(`${base}.away`, 'state/originals.json')),
  );
  await room.observe([join(base, 'away/Docker.app'), app]);
  expect(journalled()).toEqual([]);
  rmSync(`${base}.away`, { recursive: true });
  const onDisk = join(base, 'disk/Docker.app/Contents/Resources/bin/com.docker.hyperkit');
  const entry = { sha256: 'a'.repeat(64), size: 1, version: null };
  writeFileSync(join(base, 'state/originals.json'), JSON.stringify({ [onDisk]: entry }));
  await room.observe([join(base, 'disk/Docker.app')]);
  expect(journalled()).toEqual([onDisk]);
});

test('a kill after hyperkit was given back: whoever wants it so strikes it out of the journal with the next look', async () => {
  await room.install(hyperkit);
  const journal = readFileSync(join(base, 'state/originals.json'));
  await room.restore(hyperkit);
  writeFileSync(join(base, 'state/originals.json'), journal);
  const ask = childIn(join(tools, 'worker.mjs'));
  expect(await live({ base, wanted: 'restored', ask })).toEqual([]);
  expect(journalled()).toEqual([]);
  expect(readFileSync(hyperkit)).toEqual(machO('4.1.1 hyperkit'));
});

test('sixteen Docker.apps have the shim, and no more', async () => {
  const entry = { sha256: 'a'.repeat(64), size: 1, version: null };
  const others = Array.from({ length: 16 }, (_, index) => [`/x${index}/Docker.app/Contents/x`, entry]);
  mkdirSync(join(base, 'state'));
  writeFileSync(join(base, 'state/originals.json'), JSON.stringify(Object.fromEntries(others)));
  await expect(room.install(hyperkit)).rejects.toMatchObject({ reason: 'TooManyBundles', blocked: true });
  expect(readFileSync(hyperkit)).not.toContain('#!');
  expect(journalled()).toHaveLength(16);
});

const asRoot = process.getuid?.() === 0 ? test : test.skip;

asRoot(
  'a Docker.app that only a process tells of counts where root or the user in front owns it',
  async () => {
    const others = join(base, 'others/Docker.app');
    const roots = join(base, 'roots/Docker.app');
    writeDockerApp({ path: others, owner: { uid: 502, gid: 20 } });
    writeDockerApp({ path: roots, owner: { uid: 0, gid: 0 } });
    const bundles = await room.observe([], { apps: [others, roots, app], uid: owner.uid });
    expect(bundles).toMatchObject({
      value: { withHyperkit: [{ app: roots }, { app }], without: [], refused: [], replacing: [] },
    });
  },
);

asRoot('what seems to be root’s on another disk is left alone', async () => {
  const image = join(base, 'image');
  mkdirSync(image);
  execFileSync('mount', ['-t', 'tmpfs', 'image', image]);
  try {
    const fake = join(image, 'Docker.app');
    writeDockerApp({ path: fake, owner: { uid: 0, gid: 0 } });
    const within = join(fake, 'Contents/Resources/bin');
    const before = readdirSync(within);
    expect(await room.observe([fake])).toMatchObject({
      value: {
        withHyperkit: [],
        refused: [{ app: fake, why: expect.stringContaining('another disk') as unknown }],
      },
    });
    await expect(room.install(join(within, 'com.docker.hyperkit'))).rejects.toMatchObject({
      reason: 'BundleRefused',
    });
    expect(readdirSync(within)).toEqual(before);
  } finally {
    execFileSync('umount', [image]);
  }
});
