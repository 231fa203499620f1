import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync } from 'node:fs';
import { chown, chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { unlinkCli } from '../../../launchd/files.js';
import { type Layout, layoutAt } from '../../../daemon/lib/layout.js';

const isRoot = process.getuid?.() === 0;
const other = 501;

/** Has `bin` be, in turn, a folder with the link in it and a link to the folder of root’s: argv is FOLDER TARGET CLI. */
const swapper = `
const { mkdirSync, symlinkSync, renameSync, unlinkSync, rmSync } = require('node:fs');
const [, folder, target, cli] = process.argv;
process.chdir(folder);
console.log('begins');
for (;;) {
  try { rmSync('own', { recursive: true, force: true }); mkdirSync('own'); symlinkSync(cli, 'own/tuntapctl'); } catch {}
  try { unlinkSync('bin'); } catch {}
  try { renameSync('own', 'bin'); } catch {}
  try { renameSync('bin', 'own'); } catch {}
  try { symlinkSync(target, 'bin'); } catch {}
}`;

let root: string;
let layout: Layout;
let child: ChildProcess | null;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'mac-')));
  await chmod(root, 0o755);
  layout = layoutAt(root);
  child = null;
  await mkdir(dirname(layout.cliLink), { recursive: true });
});

afterEach(async () => {
  if (child?.exitCode === null) {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
  await rm(root, { recursive: true, force: true });
});

test.each([
  ['ours', 'ours', false],
  ['somebody else’s', 'foreign', true],
])('a link that is %s is found %s', async (_whose, state, stays) => {
  await symlink(stays ? '/elsewhere' : layout.cli, layout.cliLink);
  const before = process.cwd();
  expect(await unlinkCli(layout)).toBe(state);
  expect(lstatSync(layout.cliLink, { throwIfNoEntry: false }) !== undefined).toBe(stays);
  expect(process.cwd()).toBe(before);
});

test('without its folder there is no link', async () => {
  await rm(dirname(layout.cliLink), { recursive: true });
  expect(await unlinkCli(layout)).toBe('absent');
});

(isRoot ? test : test.skip)('nobody has root delete a file of that name elsewhere', async () => {
  const roots = join(root, 'roots');
  await mkdir(roots, { mode: 0o755 });
  await writeFile(join(roots, 'tuntapctl'), 'root’s');
  const local = dirname(dirname(layout.cliLink));
  await rm(dirname(layout.cliLink), { recursive: true });
  await chown(local, other, other);
  child = spawn(process.execPath, ['-e', swapper, local, roots, layout.cli], {
    uid: other,
    gid: other,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout) await once(child.stdout, 'data');
  const end = performance.now() + 4000;
  while (performance.now() < end && existsSync(join(roots, 'tuntapctl')))
    await unlinkCli(layout).catch(() => undefined);
  expect(existsSync(join(roots, 'tuntapctl'))).toBe(true);
});
