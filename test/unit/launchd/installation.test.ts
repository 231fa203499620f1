import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import {
  chmod,
  type FileHandle,
  mkdir,
  mkdtemp,
  open,
  realpath,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { saveOriginal } from '../../../daemon/docker-app/originals.js';
import { install } from '../../../launchd/installation.js';
import { type Layout, layoutAt } from '../../../daemon/lib/layout.js';
import { checkout } from '../../../launchd/origin.js';
import { resolverText } from '../../../daemon/lib/resolver-text.js';
import { byCommand, remove } from '../../../launchd/removal.js';
import { type Daemon, type FakeLaunchd, fakeLaunchd } from './fake-launchd.js';

let root: string;
let layout: Layout;
let launchd: FakeLaunchd;
let said: string[];
let leaves: { done: boolean; problems: string[] };
let mute: string[];
/** Whether the daemon that is started has looked around before it is asked anything. */
let hasLooked: boolean;
let caution: string | null;

const say = (line: string): void => void said.push(line);

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'mac-')));
  const gid = process.getgid?.() ?? 0;
  layout = layoutAt(root, { uid: process.getuid?.() ?? 0, gid }, gid);
  await writeFile(join(root, 'runtime'), 'the official runtime');
  said = [];
  mute = [];
  hasLooked = true;
  caution = null;
  leaves = { done: true, problems: [] };
  launchd = fakeLaunchd(layout.socket, (version): Daemon =>
    mute.includes(version) ? null : { version, leave: leaves, hasLooked },
  );
});

afterEach(async () => {
  await launchd.kill();
  await rm(root, { recursive: true, force: true });
});

const installing = (version: string) =>
  install({
    outside: launchd,
    layout,
    product: {
      version,
      files: ['tuntapd', 'tuntapctl', 'uninstall'].map((name) => ({
        path: `lib/${name}.mjs`,
        content: Buffer.from(version),
      })),
    },
    origin: checkout,
    runtime: join(root, 'runtime'),
    node: '20.0.0',
    caution,
    timeout: 50,
    say,
  });

const removing = (options: { purge?: boolean; force?: boolean } = {}) =>
  remove({
    outside: launchd,
    layout,
    purge: false,
    force: false,
    wording: byCommand,
    timeout: 50,
    say,
    ...options,
  });

const mode = (path: string): string => (lstatSync(path).mode & 0o777).toString(8);
const installed = (): string => readFileSync(layout.daemon, 'utf8');
/** Every file (not folder) below the root but the runtime it came from. */
const files = (): string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && entry.name !== 'runtime')
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
    .sort();

describe('install', () => {
  test('puts everything at its place with the modes that keep others out, and the daemon answers', async () => {
    expect(await installing('1')).toMatchObject({ version: '1', pid: 77, phase: 'idle' });
    expect(files()).toEqual([
      '/Library/LaunchDaemons/io.github.tuntapd.plist',
      '/etc/newsyslog.d/tuntapd.conf',
      '/opt/tuntapd/bin/node',
      '/opt/tuntapd/bin/tuntapctl',
      '/opt/tuntapd/bin/tuntapd',
      '/opt/tuntapd/lib/tuntapctl.mjs',
      '/opt/tuntapd/lib/tuntapd.mjs',
      '/opt/tuntapd/lib/uninstall.mjs',
      '/opt/tuntapd/manifest.json',
      '/usr/local/bin/tuntapctl',
      '/var/run/tuntapd-root.sock',
      '/var/run/tuntapd.sock',
    ]);
    expect(readlinkSync(layout.cliLink)).toBe(layout.cli);
    expect(JSON.parse(readFileSync(join(layout.prefix, 'manifest.json'), 'utf8'))).toEqual({
      version: '1',
      install: 'sudo make install-daemon',
    });
    expect(
      [
        layout.prefix,
        layout.runtime,
        layout.cliRuntime,
        layout.cli,
        layout.daemon,
        layout.plist,
        layout.rotation,
      ].map(mode),
    ).toEqual(['755', '744', '755', '755', '644', '644', '644']);
    expect([layout.state, layout.logs].map(mode)).toEqual(['700', '750']);
    expect(readFileSync(layout.runtime, 'utf8')).toBe('the official runtime');
    expect(readFileSync(layout.cli, 'utf8')).toMatch(/^#!\/bin\/sh\n/);
  });

  test.each([
    ['is cloned on APFS and costs no space', true, () => undefined],
    [
      'is copied where no file can be cloned',
      false,
      () => {
        launchd.formatAsHfs();
      },
    ],
  ])('the runtime of everybody %s, and has its own mode', async (_how, isClone, format) => {
    format();
    await installing('1');
    expect(launchd.isClone(layout.cliRuntime)).toBe(isClone);
    expect(readFileSync(layout.cliRuntime, 'utf8')).toBe('the official runtime');
    expect([layout.runtime, layout.cliRuntime].map(mode)).toEqual(['744', '755']);
  });

  test('has everything on the disk before the swap, or a power cut would leave empty programs', async () => {
    const file = await open(join(root, 'runtime'));
    const handle = Object.getPrototypeOf(file) as FileHandle;
    await file.close();
    const sync = Object.getOwnPropertyDescriptor(handle, 'sync')?.value as FileHandle['sync'];
    const synced: string[] = [];
    const sight = ({ ino, size }: { ino: number; size: number }): string => `${ino}: ${size}`;
    const spy = jest.spyOn(handle, 'sync').mockImplementation(async function (this: FileHandle) {
      if (!existsSync(layout.prefix)) synced.push(sight(await this.stat()));
      await sync.call(this);
    });
    try {
      await installing('1');
    } finally {
      spy.mockRestore();
    }
    const wanted = ['.', ...readdirSync(layout.prefix, { recursive: true })].map((path) =>
      sight(lstatSync(join(layout.prefix, path.toString()))),
    );
    expect(synced.sort()).toEqual(wanted.sort());
  });

  test('names the runtime, and says before it is installed what is wrong with it', async () => {
    caution = 'nobody mends this one';
    launchd.refuse(...Array.from({ length: 10 }, () => 5));
    await expect(installing('1')).rejects.toThrow();
    expect(said).toEqual(['files are ready (1, node 20.0.0)', 'warning: nobody mends this one']);
  });

  test.each([
    ['nothing in the way', []],
    ['a daemon that drains slowly', ['drain']],
    ['launchd busy for a while', ['busy']],
    ['a `disable` of earlier times', ['disabled']],
    ['a `disable` of earlier times on macOS 12', ['disabled', 'old']],
    ['a `disable` of earlier times in words of a macOS to come', ['disabled', 'new']],
    ['a `disable` of earlier times that is not listed', ['disabled', 'unlisted']],
    ['a kickstart that is too late', ['insistent']],
  ])('upgrades in place: %s', async (_title, troubles) => {
    await installing('1');
    if (troubles.includes('drain')) launchd.drainFor(7);
    if (troubles.includes('busy')) launchd.refuse(5, 37, 119, 5);
    if (troubles.includes('disabled')) launchd.disable();
    if (troubles.includes('old')) launchd.listBy('true', 'false');
    if (troubles.includes('new')) launchd.listBy('off', 'on');
    if (troubles.includes('unlisted')) launchd.hideList();
    if (troubles.includes('insistent')) launchd.insist();
    expect((await installing('2')).version).toBe('2');
    expect(installed()).toBe('2');
    expect(files().filter((path) => path.startsWith('/opt/.'))).toEqual([]);
  });

  test('a new version that never answers gives its place back to the old one', async () => {
    await installing('1');
    mute = ['2'];
    await expect(installing('2')).rejects.toThrow(/gave no answer[^]*\(1\) is back and runs/);
    expect(installed()).toBe('1');
    expect(launchd.loaded()).toBe(true);
    expect(launchd.started()).toEqual(['1', '2', '1']);
  });

  test.each([null, 'of version 1'])(
    'a new version that fails leaves the rotation of logs as it was: %j',
    async (rotation) => {
      await installing('1');
      await (rotation === null ? rm(layout.rotation) : writeFile(layout.rotation, rotation));
      launchd.refuse(125);
      await expect(installing('2')).rejects.toThrow('is back and runs');
      expect(existsSync(layout.rotation) ? readFileSync(layout.rotation, 'utf8') : null).toBe(rotation);
      await installing('2');
      expect(readFileSync(layout.rotation, 'utf8')).toContain(layout.launchdLog);
    },
  );

  test('a new version that launchd refuses gives its place back to the old one', async () => {
    await installing('1');
    launchd.refuse(125);
    await expect(installing('2')).rejects.toThrow(/125: Refused[^]*\(1\) is back and runs/);
    expect(installed()).toBe('1');
  });

  test('an old version whose plist somebody deleted gets its place back too, with a plist', async () => {
    await installing('1');
    await rm(layout.plist);
    const before = [...files(), '/Library/LaunchDaemons/io.github.tuntapd.plist'].sort();
    launchd.refuse(125);
    await expect(installing('2')).rejects.toThrow(/125: Refused[^]*\(1\) is back and runs/);
    expect(installed()).toBe('1');
    expect(files()).toEqual(before);
  });

  test('a swap that could not begin takes nothing away', async () => {
    await installing('1');
    const before = files();
    layout = { ...layout, previous: join(root, 'nowhere/.tuntapd-old') };
    await expect(installing('2')).rejects.toThrow(/ENOENT[^]*\(1\) is back and runs/);
    expect(installed()).toBe('1');
    expect(files()).toEqual(before);
  });

  test('a first version that launchd refuses leaves nothing', async () => {
    launchd.refuse(...Array.from({ length: 10 }, () => 5));
    await expect(installing('1')).rejects.toThrow(/tried 10 times[^]*Nothing stays installed/);
    expect(files()).toEqual([]);
  });

  test('a first version that does not answer stays for launchd to start again, and says where to look', async () => {
    mute = ['1'];
    await expect(installing('1')).rejects.toThrow(/launchd\.log\n[^]*make uninstall-daemon/);
    expect(installed()).toBe('1');
    expect(launchd.loaded()).toBe(true);
  });

  test('an interruption between the two renames of a swap is mended', async () => {
    await installing('1');
    const { rename } = await import('node:fs/promises');
    await rename(layout.prefix, layout.previous);
    launchd.refuse(125);
    await expect(installing('2')).rejects.toThrow(/\(1\) is back/);
    expect(installed()).toBe('1');
  });

  test.each(['opt', 'Library/LaunchDaemons', 'var/db', 'etc/newsyslog.d'])(
    'refuses to install below %s when others may write there, and changes nothing',
    async (path) => {
      await mkdir(join(root, path), { recursive: true });
      await chmod(join(root, path), 0o777);
      await expect(installing('1')).rejects.toThrow(`${join(root, path)} can be written by others`);
      expect(files()).toEqual([]);
    },
  );

  test.each([
    ['is broken', 1, 'x: invalid signature (code or signature have been modified)'],
    ['is missing', 1, 'x: code object is not signed at all'],
    ['is somebody’s own', 3, 'test-requirement: code failed to satisfy specified code requirement(s)'],
  ])('refuses a runtime whose signature %s, and leaves nothing', async (_what, exitCode, stderr) => {
    launchd.codesign({ stdout: '', stderr: `${stderr}\n`, exitCode });
    const told = await installing('1').catch(String);
    expect(told).toContain(stderr);
    expect(told).toMatch(/never as root: rm -rf node_modules/);
    expect(files()).toEqual([]);
  });

  test('leaves a command of that name that is not ours alone', async () => {
    await mkdir(dirname(layout.cliLink), { recursive: true });
    await symlink('/somewhere/else', layout.cliLink);
    await installing('1');
    await removing();
    expect(readlinkSync(layout.cliLink)).toBe('/somewhere/else');
  });

  test('makes no folder for the command where somebody else could put a link in its place', async () => {
    await mkdir(join(root, 'usr/local'), { recursive: true });
    await chmod(join(root, 'usr/local'), 0o775);
    await installing('1');
    expect(readdirSync(join(root, 'usr/local'))).toEqual([]);
    expect(said.join('\n')).toContain(`warning: ${layout.cliLink} was not made`);
    const protectedFolder = join(root, 'etc/sudoers.d');
    await mkdir(protectedFolder, { recursive: true });
    await symlink(protectedFolder, join(root, 'usr/local/bin'));
    await installing('1.1');
    expect(readdirSync(protectedFolder)).toEqual([]);
    await rm(join(root, 'usr/local/bin'));
    await mkdir(join(root, 'usr/local/bin'));
    await installing('2');
    expect(readlinkSync(layout.cliLink)).toBe(layout.cli);
  });
});

describe('uninstall', () => {
  test('leaves no file but log and configuration, and with purge none at all', async () => {
    await installing('1');
    await mkdir(layout.configuration, { recursive: true });
    await writeFile(join(layout.configuration, 'config.toml'), '');
    await writeFile(join(layout.logs, 'tuntapd.log'), '');
    await removing();
    expect(files()).toEqual(['/etc/tuntapd/config.toml', '/var/log/tuntapd/tuntapd.log']);
    expect(launchd.loaded()).toBe(false);
    await removing({ purge: true });
    expect(files()).toEqual([]);
  });

  test('leaves no `disabled` behind, and nothing at all where nobody disabled it', async () => {
    await installing('1');
    await removing();
    expect(launchd.listed()).toBeNull();
    await installing('1');
    launchd.disable();
    await removing();
    expect(launchd.listed()).toBe(false);
  });

  test('starts a daemon that does not run, for only that can give hyperkit back', async () => {
    await installing('1');
    await launchd.run('/bin/launchctl', ['bootout', 'system/io.github.tuntapd']);
    await removing();
    expect(launchd.started()).toEqual(['1', '1']);
    expect(existsSync(layout.prefix)).toBe(false);
  });

  describe('of a daemon that has just started', () => {
    beforeEach(async () => {
      await installing('1');
      await launchd.run('/bin/launchctl', ['bootout', 'system/io.github.tuntapd']);
    });

    test('does not wait for its first look, which may take long', async () => {
      hasLooked = false;
      await launchd.run('/bin/launchctl', ['bootstrap', 'system', layout.plist]);
      expect(await removing()).toEqual([]);
      expect(launchd.started()).toEqual(['1', '1']);
      expect(existsSync(layout.prefix)).toBe(false);
    });
  });

  test('with hyperkit not given back the daemon stays, unless it is forced to go', async () => {
    await installing('1');
    leaves = { done: false, problems: ['App Management refused it: allow tuntapd in System Settings'] };
    await launchd.run('/bin/launchctl', ['bootout', 'system/io.github.tuntapd']);
    await expect(removing()).rejects.toThrow(/App Management refused[^]*Nothing was removed/);
    expect(installed()).toBe('1');
    expect(launchd.loaded()).toBe(true);
    expect(await removing({ force: true })).toEqual(leaves.problems);
    expect(existsSync(layout.prefix)).toBe(false);
    expect(said.join('\n')).toMatch(/mv -f com\.docker\.hyperkit\.original com\.docker\.hyperkit/);
  });

  test.each([
    ['configured', '[]', '10.9.0.2'],
    ['journalled', '[{ "subnet": "172.17.0.0/16", "gateway": "10.8.0.2" }]', '10.8.0.2'],
  ])('by hand: names the tap and the gateway that are %s', async (_where, routes, gateway) => {
    await installing('1');
    await mkdir(layout.configuration, { recursive: true });
    await writeFile(
      join(layout.configuration, 'config.toml'),
      '[tap]\ndevice = "tap3"\naddress = "10.9.0.1"\npeer = "10.9.0.2"\n',
      { mode: 0o644 },
    );
    await writeFile(join(layout.state, 'journal.json'), `{ "ownedRoutes": ${routes} }`);
    leaves = { done: false, problems: ['refused'] };
    await launchd.run('/bin/launchctl', ['bootout', 'system/io.github.tuntapd']);
    const told = await removing().catch(String);
    expect(told).toContain(`with gateway ${gateway};`);
    expect(told).toContain('/dev/tap3 ');
    expect(told).not.toMatch(/10\.0\.75\.2|tap1/);
  });

  test('a daemon that can no longer be started is no reason to lose hyperkit silently', async () => {
    await installing('1');
    await launchd.run('/bin/launchctl', ['bootout', 'system/io.github.tuntapd']);
    await rm(layout.prefix, { recursive: true });
    await expect(removing()).rejects.toThrow(/no daemon runs[^]*\.original/);
    expect(existsSync(layout.plist)).toBe(true);
  });

  describe('of an installation of which only the journal is left', () => {
    const hyperkit = (app: string): string => join(root, 'Applications', app, 'com.docker.hyperkit');
    const original = { sha256: '0'.repeat(64), size: 1, version: null };

    beforeEach(async () => {
      await installing('1');
      for (const app of ['Docker.app', 'Given Back.app']) {
        await mkdir(dirname(hyperkit(app)), { recursive: true });
        await writeFile(hyperkit(app), '');
        await saveOriginal(join(layout.state, 'originals.json'), hyperkit(app), original);
      }
      await writeFile(`${hyperkit('Docker.app')}.original`, '');
      await saveOriginal(join(layout.state, 'originals.json'), hyperkit('Thrown Away.app'), original);
      await launchd.run('/bin/launchctl', ['bootout', 'system/io.github.tuntapd']);
      for (const path of [layout.prefix, layout.plist]) await rm(path, { recursive: true });
    });

    test('a shim that stands is not forgotten', async () => {
      const told = await removing().catch(String);
      expect(told).toMatch(/no daemon runs[^]*install-daemon[^]*Nothing was removed/);
      expect(told).toContain(hyperkit('Docker.app'));
      expect(told).not.toMatch(/Given Back|Thrown Away/);
      expect(existsSync(join(layout.state, 'originals.json'))).toBe(true);
    });

    test('forced, it tells where the shims are that it forgets', async () => {
      expect(await removing({ force: true })).toHaveLength(1);
      expect(said.join('\n')).toContain(`here: ${hyperkit('Docker.app')}`);
      expect(existsSync(layout.state)).toBe(false);
    });

    test('installed again, it gives them back', async () => {
      await installing('2');
      expect(await removing()).toEqual([]);
      expect(existsSync(layout.state)).toBe(false);
    });

    test('without a shim that stands there is nothing to give back', async () => {
      await rm(`${hyperkit('Docker.app')}.original`);
      expect(await removing()).toEqual([]);
      expect(said).toContain('tuntapd is not installed');
      expect(existsSync(layout.state)).toBe(false);
    });
  });

  test('what could not be undone besides is told', async () => {
    await installing('1');
    leaves = {
      done: true,
      problems: ['the engine did not answer: \u001b[31mVM rules stay until it restarts'],
    };
    await launchd.run('/bin/launchctl', ['bootout', 'system/io.github.tuntapd']);
    await removing();
    expect(said.join('\n')).toMatch(/VM rules stay/);
    expect(said.join('\n')).not.toContain('\u001b');
  });
});

test('a resolver file of a daemon that is dead goes too, with the folder where nothing else is in it', async () => {
  await mkdir(layout.resolvers, { recursive: true });
  const file = (name: string): string => join(layout.resolvers, name);
  await writeFile(file('docker'), resolverText(299));
  await writeFile(file('test'), 'nameserver 127.0.0.1\n');
  await symlink(file('docker'), file('link'));
  await removing();
  expect(readdirSync(layout.resolvers).sort()).toEqual(['link', 'test']);
  await rm(file('link'));
  await rm(file('test'));
  await writeFile(file('docker'), resolverText(298));
  // One that was being made; on the same volume, or it could not be put in place at once.
  expect(dirname(layout.newResolver)).toBe(dirname(layout.resolvers));
  await writeFile(layout.newResolver, resolverText(297));
  await removing();
  expect(existsSync(layout.resolvers)).toBe(false);
  expect(existsSync(layout.newResolver)).toBe(false);
});

test('a resolver file of a dead daemon goes out of a folder that somebody has been given since, and the folder stays', async () => {
  await mkdir(layout.resolvers, { recursive: true });
  await writeFile(join(layout.resolvers, 'docker'), resolverText(299));
  await chmod(layout.resolvers, 0o777);
  await removing();
  expect(readdirSync(layout.resolvers)).toEqual([]);
});
