import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { format } from 'prettier';
import { loadConfig } from '../../../config/load.js';
import { renderReference } from '../../../config/reference.js';
import { writeConfigText } from '../../../config/write.js';

const owner = process.getuid?.() ?? 0;
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-'));
  path = join(folder, 'config.toml');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('no file: the defaults', async () => {
  expect(await loadConfig(path, { owner })).toMatchObject({
    source: 'defaults',
    config: { restartDocker: 'auto' },
  });
  expect((await loadConfig(join(folder, 'none/config.toml'), { owner })).source).toBe('defaults');
});

test('a file, a byte order mark before it', async () => {
  await writeFile(path, '\uFEFF[tap]\nmtu = 1400\n', { mode: 0o644 });
  expect(await loadConfig(path, { owner })).toMatchObject({ source: path, config: { tap: { mtu: 1400 } } });
});

test.each([
  ['writable by its group', async () => chmod(path, 0o664), /writable by others/],
  ['writable by everyone', async () => chmod(path, 0o646), /writable by others/],
  [
    'in a folder that everyone may write',
    async () => chmod(folder, 0o777),
    /its folder .* writable by others/,
  ],
  [
    'a link',
    async () => {
      await writeFile(join(folder, 'real'), '');
      await rm(path);
      await symlink(join(folder, 'real'), path);
    },
    /symbolic link/,
  ],
  [
    'a dangling link',
    async () => {
      await rm(path);
      await symlink(join(folder, 'nothing'), path);
    },
    /symbolic link/,
  ],
  [
    'a folder',
    async () => {
      await rm(path);
      await mkdir(path);
    },
    /not a regular file/,
  ],
  [
    'a FIFO',
    async () => {
      await rm(path);
      execFileSync('mkfifo', [path]);
    },
    /not a regular file/,
  ],
  ['too large', async () => writeFile(path, '#'.repeat(1_048_577)), /larger than/],
  ['not UTF-8', async () => writeFile(path, Buffer.from([0x23, 0xff, 0xfe])), /not UTF-8/],
  [
    'wrong',
    async () => writeFile(path, '[tap]\nmtu = 1\n'),
    /line 2: tap\.mtu = 1 is not allowed; it must be a whole number/,
  ],
])('a file that is %s is refused', async (_name, spoil, message) => {
  await writeFile(path, '', { mode: 0o644 });
  await spoil();
  await expect(loadConfig(path, { owner })).rejects.toThrow(message);
});

test('writing replaces the file at once and leaves nothing else', async () => {
  const nested = join(folder, 'etc/tuntapd/config.toml');
  await writeConfigText(nested, 'a');
  await writeConfigText(nested, 'b');
  expect(await readFile(nested, 'utf8')).toBe('b');
  expect((await stat(nested)).mode & 0o777).toBe(0o644);
  expect(await readdir(join(folder, 'etc/tuntapd'))).toEqual(['config.toml']);
});

test('a folder that is made for the file is readable by everyone, whatever the umask; one that is there stays as it is', async () => {
  const before = process.umask(0o077);
  try {
    await writeConfigText(join(folder, 'tuntapd/config.toml'), 'a');
    await writeConfigText(path, 'a');
  } finally {
    process.umask(before);
  }
  expect((await stat(join(folder, 'tuntapd'))).mode & 0o777).toBe(0o755);
  expect((await stat(join(folder, 'tuntapd/config.toml'))).mode & 0o777).toBe(0o644);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
});

test('docs/configuration.md is what config/reference.ts makes', async () => {
  const page = await readFile(join(import.meta.dirname, '../../../docs/configuration.md'), 'utf8');
  expect(page).toBe(await format(renderReference(), { parser: 'markdown', printWidth: 110 }));
});
