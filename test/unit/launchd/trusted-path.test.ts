import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { untrusted } from '../../../daemon/lib/trusted-path.js';

const uid = process.getuid?.() ?? 0;
let root: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'trusted-')));
  await mkdir(join(root, 'opt/tuntapd/bin'), { recursive: true, mode: 0o755 });
  for (const path of ['opt', 'opt/tuntapd', 'opt/tuntapd/bin']) await chmod(join(root, path), 0o755);
  await writeFile(join(root, 'opt/tuntapd/bin/tuntapd'), '', { mode: 0o744 });
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const look = (path: string, owner = uid): Promise<string[]> =>
  untrusted(join(root, path), { from: root, uid: owner });

test('a path that only its owner can change is trusted, also where it does not exist yet', async () => {
  expect(await look('opt/tuntapd/bin/tuntapd')).toEqual([]);
  expect(await look('opt/another/bin/tuntapd')).toEqual([]);
});

test.each([
  ['opt', 0o775],
  ['opt', 0o1777],
  ['opt/tuntapd', 0o757],
  ['opt/tuntapd/bin/tuntapd', 0o766],
])('%s with mode %o is not', async (path, mode) => {
  await chmod(join(root, path), mode);
  expect(await look('opt/tuntapd/bin/tuntapd')).toEqual([
    `${join(root, path)} can be written by others than its owner (mode ${mode.toString(8).padStart(4, '0')})`,
  ]);
});

test('everything of another owner is named', async () => {
  const problems = await look('opt/tuntapd', uid + 1);
  expect(problems).toEqual(
    [root, join(root, 'opt'), join(root, 'opt/tuntapd')].map(
      (path) => `${path} belongs to uid ${uid}, not to root`,
    ),
  );
});

test.each(['elsewhere/tuntapd', '../elsewhere/tuntapd'])('a link to %s is followed', async (to) => {
  await mkdir(join(root, 'elsewhere/tuntapd'), { recursive: true });
  await chmod(join(root, 'elsewhere'), 0o777);
  await symlink(to.startsWith('..') ? to : join(root, to), join(root, 'opt/link'));
  expect(await look('opt/link/bin')).toEqual([
    `${join(root, 'elsewhere')} can be written by others than its owner (mode 0777)`,
  ]);
});

test('links in a circle end in a refusal', async () => {
  await symlink('b', join(root, 'a'));
  await symlink('a', join(root, 'b'));
  expect((await look('a')).join()).toMatch(/too many links/);
});
