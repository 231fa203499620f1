import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { resolverText } from '../../../daemon/lib/resolver-text.js';
import { observeResolverFolder, removeResolver, writeResolver } from '../../../daemon/mac/resolver-file.js';

let base: string;
let folder: string;
let temporary: string;
const uid = process.getuid?.() ?? 0;
const place = () => ({ folder, from: base, uid });
const write = (text = resolverText(299)): Promise<void> => writeResolver('docker', text, temporary, place());
const at = (name: string): string => join(folder, name);
const look = async () => {
  const found = await observeResolverFolder('docker', place());
  if (!found.known) throw new Error(found.why);
  return found.value;
};

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'resolver-'));
  folder = join(base, 'etc-resolver');
  temporary = join(base, 'state/resolver.new');
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

test('on a Mac without the folder it is made, and everybody may read it and the file', async () => {
  expect(await look()).toEqual({ exists: false, distrust: null, ours: {}, foreign: null });
  const before = process.umask(0o027);
  await write();
  process.umask(before);
  expect(lstatSync(folder).mode & 0o7777).toBe(0o755);
  expect(lstatSync(at('docker')).mode & 0o7777).toBe(0o644);
  expect(readFileSync(at('docker'), 'utf8')).toBe(resolverText(299));
  expect(readdirSync(folder)).toEqual(['docker']);
  expect(existsSync(temporary)).toBe(false);
  expect(await look()).toEqual({
    exists: true,
    distrust: null,
    ours: { docker: resolverText(299) },
    foreign: null,
  });
});

test('another port is another file, by a rename: macOS up to 10.15 sees no edit', async () => {
  await write();
  const { ino } = lstatSync(at('docker'));
  await write(resolverText(298));
  expect(lstatSync(at('docker')).ino).not.toBe(ino);
  expect((await look()).ours).toEqual({ docker: resolverText(298) });
});

test('taken away, with the folder only where that is asked for and nothing else is in it', async () => {
  await write();
  writeFileSync(at('test'), 'nameserver 127.0.0.1\n');
  await removeResolver('docker', { ...place(), withFolder: true });
  expect(readdirSync(folder)).toEqual(['test']);
  rmSync(at('test'));
  await removeResolver('docker', place());
  expect(existsSync(folder)).toBe(true);
  await removeResolver('docker', { ...place(), withFolder: true });
  expect(existsSync(folder)).toBe(false);
  await removeResolver('docker', { ...place(), withFolder: true });
});

describe('what is somebody else’s', () => {
  const elsewhere = (): string => join(base, 'elsewhere');
  test.each<[string, RegExp, () => void]>([
    [
      'a file',
      /docker is a file that tuntapd has not made/,
      () => {
        writeFileSync(at('docker'), 'nameserver 127.0.0.1\nport 19322\n');
      },
    ],
    [
      'ours, changed',
      /changed since/,
      () => {
        writeFileSync(at('docker'), `${resolverText(299)}search docker\n`);
      },
    ],
    [
      'a large file',
      /docker is a file/,
      () => {
        writeFileSync(at('docker'), 'x'.repeat(100_000));
      },
    ],
    [
      'a link to ours',
      /docker is a link/,
      () => {
        writeFileSync(elsewhere(), resolverText(299));
        symlinkSync(elsewhere(), at('docker'));
      },
    ],
    [
      'a link to nothing',
      /docker is a link/,
      () => {
        symlinkSync(elsewhere(), at('docker'));
      },
    ],
    [
      'a folder',
      /docker is no file/,
      () => {
        mkdirSync(at('docker'));
      },
    ],
    [
      'a FIFO, which would hold a reader',
      /docker is no file/,
      () => {
        execFileSync('/usr/bin/mkfifo', [at('docker')]);
      },
    ],
  ])('%s is told, and stays', async (_what, why, make) => {
    mkdirSync(folder, { mode: 0o755 });
    make();
    const before = lstatSync(at('docker'));
    const found = await look();
    expect(found.foreign).toMatch(why);
    expect(found.ours).toEqual({});
    await expect(write()).rejects.toThrow('docker');
    await removeResolver('docker', { ...place(), withFolder: true });
    expect(lstatSync(at('docker'))).toMatchObject({
      ino: before.ino,
      size: before.size,
      mtimeMs: before.mtimeMs,
    });
    expect(existsSync(elsewhere())).toBe(before.isSymbolicLink() && existsSync(elsewhere()));
  });

  test('files of other domains are not ours, and one of ours by another name is', async () => {
    await write();
    writeFileSync(at('test'), 'nameserver 127.0.0.1\n');
    writeFileSync(at('old'), resolverText(297));
    expect(await look()).toMatchObject({
      ours: { docker: resolverText(299), old: resolverText(297) },
      foreign: null,
    });
  });

  test('nothing is put into a folder that others may write, and what is ours can be taken out of it', async () => {
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    expect((await look()).distrust).toBe('can be written by others than its owner (mode 0777)');
    await expect(write()).rejects.toThrow('can be written by others');
    chmodSync(folder, 0o755);
    await write();
    writeFileSync(at('test'), 'nameserver 127.0.0.1\n');
    chmodSync(folder, 0o777);
    expect((await look()).ours).toEqual({ docker: resolverText(299) });
    await removeResolver('test', place());
    await removeResolver('docker', place());
    expect(readdirSync(folder)).toEqual(['test']);
  });

  test('a folder that is a link, or that others can put another in place of, is not looked into', async () => {
    await write();
    const real = folder;
    folder = join(base, 'linked');
    symlinkSync(real, folder);
    expect(await look()).toMatchObject({ distrust: 'is a link', ours: {} });
    await expect(write()).rejects.toThrow('is a link');
    await removeResolver('docker', place());
    expect(readdirSync(real)).toEqual(['docker']);

    folder = real;
    chmodSync(base, 0o777);
    expect(await look()).toMatchObject({ distrust: expect.stringContaining('is not safe'), ours: {} });
    await removeResolver('docker', place());
    expect(readdirSync(real)).toEqual(['docker']);
  });

  test.each<[string, boolean]>([
    ['domain docker\nnameserver 192.168.64.1\n', true],
    ['# of apple/container\nnameserver 127.0.0.1\nport 2053\ndomain\tDocker.. and more\n', true],
    ['nameserver 127.0.0.1\ndomain test\ndomain docker\n', false],
    ['domain  docker\n', false],
    [' domain docker\n', false],
    ['#domain docker\n', false],
    ['search docker\n', false],
  ])('another file with %j is for the zone: %s', async (text, isForIt) => {
    await write();
    writeFileSync(at('containerization.docker'), text);
    const { foreign, ours } = await look();
    expect(foreign).toBe(
      isForIt ? `${at('containerization.docker')} is for docker, too (“domain docker”)` : null,
    );
    expect(ours).toEqual({ docker: resolverText(299) });
  });

  test('a folder of another user’s is told as that', async () => {
    mkdirSync(folder, { mode: 0o755 });
    const found = await observeResolverFolder('docker', { folder, from: folder, uid: uid + 1 });
    expect(found).toMatchObject({ value: { distrust: `belongs to uid ${uid}, not to root`, ours: {} } });
  });
});
