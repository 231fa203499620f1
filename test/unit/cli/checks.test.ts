/** What doctor’s own checks find, and that what they print can be typed. */
import { execFileSync } from 'node:child_process';
import { appendFile, chmod, chown, mkdir, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { roomFixes } from '../../../cli/installed-checks.js';
import type { Io } from '../../../cli/io.js';
import type { Condition, Status } from '../../../daemon/api/messages.js';
import { resolverText } from '../../../daemon/lib/resolver-text.js';
import { runtimes } from '../../../daemon/lib/runtimes.js';
import { homebrew, release } from '../../../launchd/origin.js';
import { healthyStatus } from './scenes.js';
import { codesWith, type Stage, stage } from './stage.js';

const asRoot = process.getuid?.() === 0 ? test : test.skip;

let mac: Stage;
beforeEach(async () => {
  mac = await stage();
  await mac.install();
});
afterEach(() => mac.end());

interface Found {
  readonly id: string;
  readonly status: string;
  readonly detail: string;
  readonly fix: readonly string[];
}

const findings = async (codes: readonly string[] = [], change: Partial<Io> = {}): Promise<readonly Found[]> =>
  JSON.parse((await mac.cli(['doctor', ...codes, '--json'], change)).out) as Found[];

async function finding(code: string, change: Partial<Io> = {}): Promise<Found> {
  const [found] = await findings([code], change);
  if (!found) throw new Error(`${code} is there`);
  return found;
}

/** A Mac with Apple silicon, on which everything of node runs by Rosetta. */
const byRosetta = (): Partial<Io> => ({
  run: (file) =>
    Promise.resolve({
      stdout:
        file === '/usr/bin/uname'
          ? 'Darwin Kernel Version 23.6.0; root:xnu-10063.141.2~1/RELEASE_ARM64_T8103 x86_64\n'
          : file === mac.io.layout.cliRuntime
            ? `v${runtimes.arm64.current.version}\n`
            : '14.6.1\n',
      stderr: '',
      exitCode: 0,
    }),
});

/** Other things that are wrong, all at once. */
async function broken(): Promise<void> {
  const { layout, configPath } = mac.io;
  await chmod(dirname(layout.prefix), 0o777);
  await chmod(layout.daemon, 0o666);
  await rm(dirname(layout.cliLink), { recursive: true });
  await chmod(layout.plist, 0o666);
  await appendFile(layout.cliRuntime, 'another');
  await writeFile(configPath, '[routes]\ninclude = [3]\n[log]\nlevel = "it’s (loud)"\n', { mode: 0o644 });
}

test.each<[string, () => Promise<Partial<Io>>]>([
  ['nothing is installed', async () => (await rm(mac.io.layout.prefix, { recursive: true }), {})],
  ['much is wrong', async () => (await broken(), {})],
  ['node is one for Intel', () => Promise.resolve(byRosetta())],
  [
    'launchd knows no daemon, and no name is found',
    () =>
      Promise.resolve({
        run: () => Promise.resolve({ stdout: '', stderr: 'Could not find service', exitCode: 113 }),
        lookUp: () => Promise.reject(new Error('no')),
        addressesOf: () => Promise.reject(new Error('no')),
      }),
  ],
  [
    'a file stands at the command’s place',
    async () => {
      await unlink(mac.io.layout.cliLink);
      await writeFile(mac.io.layout.cliLink, '#!/bin/sh\n');
      return {};
    },
  ],
])('what is printed is a command that a shell can read, or a sentence: %s', async (_what, change) => {
  const changed = await change();
  for (const status of [null, healthyStatus]) {
    if (status) await mac.daemon(status);
    const fixes = (await findings([], changed)).flatMap(({ fix }) => fix);
    expect(fixes.length).toBeGreaterThan(0);
    for (const fix of fixes) {
      const command = /^[A-Z]/.test(fix) ? /: ([a-z/].*)$/.exec(fix)?.[1] : fix;
      if (command !== undefined) execFileSync('sh', ['-n', '-c', command]);
    }
  }
});

test('Rosetta: where the packages are to be fetched is said before the command', async () => {
  expect((await finding('TT011', byRosetta())).fix).toEqual([
    'In the checkout, as yourself, with a node for Apple silicon: rm -rf node_modules && npm ci',
    'sudo make install-daemon',
  ]);
});

describe('what installs it again is what it was installed by', () => {
  const manifest = (install?: string): Promise<void> =>
    writeFile(join(mac.io.layout.prefix, 'manifest.json'), JSON.stringify({ version: '1.2.3', install }));

  test.each([
    [undefined, 'sudo make install-daemon'],
    [release.again, 'In the folder of the release: sudo ./install'],
    [homebrew.again, 'sudo tuntapd-install'],
  ])('%s', async (install, fix) => {
    await manifest(install);
    await rm(mac.io.layout.plist);
    expect((await finding('TT005')).fix).toEqual([fix]);
    await rm(mac.io.layout.runtime);
    expect((await finding('TT015')).fix).toEqual([fix]);
    expect((await mac.cli(['uninstall'], { uid: 0 })).errors).toContain(`Install it again first: ${fix}\n`);
  });
});

describe('the command that shells find', () => {
  const linked = (): string => `sudo ln -sfn ${mac.io.layout.cli} ${mac.io.layout.cliLink}`;

  test('is linked anew where it is gone, or leads elsewhere', async () => {
    const { cliLink } = mac.io.layout;
    await unlink(cliLink);
    expect((await finding('TT004')).fix).toEqual([linked()]);
    await symlink('/nowhere', cliLink);
    expect((await finding('TT004')).fix).toEqual([linked()]);
  });

  test('is linked anew also where its folder is gone', async () => {
    const folder = dirname(mac.io.layout.cliLink);
    await rm(folder, { recursive: true });
    const { fix } = await finding('TT004');
    expect(fix).toEqual([`sudo mkdir -p ${folder}`, linked()]);
    for (const command of fix) execFileSync('sh', ['-c', command.replace(/^sudo /, '')]);
    expect((await finding('TT004')).status).toBe('pass');
  });

  test('somebody’s own file is moved away first', async () => {
    const { cliLink } = mac.io.layout;
    await unlink(cliLink);
    await writeFile(cliLink, 'mine');
    const { fix } = await finding('TT004');
    expect(fix).toEqual([`sudo mv ${cliLink} ${cliLink}.old`, linked()]);
    for (const command of fix) execFileSync('sh', ['-c', command.replace(/^sudo /, '')]);
    expect((await finding('TT004')).status).toBe('pass');
  });
});

describe('parts', () => {
  const withShim = (told: Partial<Condition>): Status => ({
    ...healthyStatus,
    conditions: healthyStatus.conditions.map((each) => (each.type === 'Shim' ? { ...each, ...told } : each)),
    bundles: healthyStatus.bundles?.map((bundle) => ({ ...bundle, target: 'outdated-shim' })),
  });

  test.each<[string, Partial<Condition>, string]>([
    ['is wrong where the shim counts as installed', {}, 'fail'],
    ['is its condition’s where it cannot be put in', { status: 'False', reason: 'ReadOnly' }, 'pass'],
    ['is meant where the shim is left alone', { reason: 'NotManaged' }, 'pass'],
    ['is meant where hyperkit was given back', { status: 'False', reason: 'Restored' }, 'pass'],
  ])('an older shim %s', async (_what, told, verdict) => {
    await mac.daemon(withShim(told));
    expect((await finding('TT015')).status).toBe(verdict);
  });

  test.each(['runtime', 'cliRuntime'] as const)('a missing %s is wrong', async (name) => {
    const path = mac.io.layout[name];
    await rm(path);
    expect(await finding('TT015')).toMatchObject({
      status: 'fail',
      detail: `${path} does not exist`,
      fix: ['sudo make install-daemon'],
    });
  });
});

describe('a daemon of another version, whose status is not understood', () => {
  const answering = async (work: () => Promise<void>): Promise<void> => {
    const other = createServer((request, response) => {
      response.end(JSON.stringify(request.url === '/v1/version' ? { version: '9.0', pid: 1 } : { other: 1 }));
    }).listen(mac.io.socketPath);
    await chmod(mac.io.socketPath, 0o660);
    try {
      await work();
    } finally {
      other.closeAllConnections();
      await promisify(other.close.bind(other))();
    }
  };

  test('is named, with what mends it, and that alone', () =>
    answering(async () => {
      expect(await finding('TT009')).toMatchObject({
        status: 'fail',
        detail: 'tuntapd 9.0, tuntapctl 1.2.3',
        fix: ['sudo make install-daemon'],
      });
      const said = await mac.cli(['doctor']);
      expect(codesWith('FAIL', said)).toEqual(['TT009']);
      expect(said.code).toBe(4);
    }));

  test('is started again where its files are new already', () =>
    answering(async () => {
      await writeFile(join(mac.io.layout.prefix, 'manifest.json'), '{"version":"1.2.3"}');
      expect((await finding('TT009')).fix).toEqual(['sudo launchctl kickstart -k system/io.github.tuntapd']);
    }));

  test('other commands lead there', () =>
    answering(async () => {
      expect((await mac.cli(['status'])).errors).toContain('versions differ (see tuntapctl doctor TT009)');
    }));
});

test('a socket that is gone is told once', async () => {
  const said = await mac.cli(['doctor']);
  expect(codesWith('FAIL', said)).toEqual(['TT007']);
  expect((await mac.cli(['status'])).errors).toContain('or see tuntapctl doctor\n');
});

test('a configuration that is refused is told once, with the command that mends it', async () => {
  await writeFile(mac.io.configPath, '[log]\nlevel = "loud"\n', { mode: 0o644 });
  const invalid = {
    type: 'Configuration',
    status: 'False',
    reason: 'Invalid',
    message: 'log.level',
  } as const;
  const summary = { type: 'Ready', status: 'False', reason: 'Invalid', message: 'log.level' } as const;
  const { since } = healthyStatus;
  const others = healthyStatus.conditions.filter(({ type }) => type !== 'Configuration' && type !== 'Ready');
  await mac.daemon({
    ...healthyStatus,
    phase: 'blocked',
    conditions: [{ ...invalid, since }, ...others, { ...summary, since }],
  });
  expect(codesWith('FAIL', await mac.cli(['doctor']))).toEqual(['TT010']);
  expect((await findings()).filter(({ status }) => status === 'fail').map(({ id }) => id)).toEqual([
    'TT010',
    'TT100',
    'TT110',
  ]);
  await rm(mac.io.configPath);
  expect(codesWith('FAIL', await mac.cli(['doctor']))).toEqual(['TT100']);
});

/** Works as an account that is neither root nor an administrator. */
async function asSomebody(work: () => Promise<void>): Promise<void> {
  const groups = process.getgroups?.() ?? [];
  process.setgroups?.([]);
  process.setegid?.(1502);
  process.seteuid?.(1502);
  try {
    await work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
    process.setgroups?.(groups);
  }
}

asRoot('a configuration that only root reads is not called wrong', async () => {
  const { layout, configPath } = mac.io;
  await writeFile(configPath, '[log]\nlevel = "debug"\n', { mode: 0o600 });
  await chmod(layout.root, 0o755);
  await asSomebody(async () => {
    expect(await finding('TT010')).toMatchObject({
      status: 'unknown',
      detail: expect.stringContaining('only root reads it') as unknown,
      fix: ['sudo tuntapctl config check'],
    });
    const { code, errors } = await mac.cli(['config', 'check']);
    expect(code).toBe(1);
    expect(errors).toMatch(
      /is closed to this account:\n +only root reads it: sudo tuntapctl config check\n$/,
    );
  });
});

asRoot('who may not ask the daemon is told to ask as root, which alone helps', async () => {
  await mac.daemon(healthyStatus);
  await chmod(mac.io.layout.root, 0o755);
  await asSomebody(async () => {
    expect(await finding('TT008')).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('is closed to this account') as unknown,
      fix: ['sudo tuntapctl doctor'],
    });
  });
});

asRoot('a program of root’s that was somebody’s is installed again; a folder is not', async () => {
  const { layout } = mac.io;
  const repair = `sudo chown -R root:wheel ${layout.prefix} && sudo chmod -R go-w ${layout.prefix}`;
  await chown(dirname(layout.daemon), 501, 0);
  expect((await finding('TT003')).fix).toEqual([repair]);
  await chown(layout.daemon, 501, 0);
  expect((await finding('TT003')).fix).toEqual([repair, 'sudo make install-daemon']);
});

test('a name that the server has not is sought again before the log is read', async () => {
  await mac.daemon(healthyStatus);
  await mkdir(mac.io.layout.resolvers, { recursive: true });
  await writeFile(join(mac.io.layout.resolvers, 'docker'), resolverText(299));
  const { status, fix } = await finding('TT012', { lookUp: () => Promise.reject(new Error('no')) });
  expect({ status, fix }).toEqual({ status: 'fail', fix: ['tuntapctl up', 'tuntapctl logs -n 50'] });
  // Whoever asks macOS then asks the same server.
  const said = await mac.cli(['doctor'], {
    lookUp: () => Promise.reject(new Error('no')),
    addressesOf: () => Promise.reject(new Error('no')),
  });
  expect(codesWith('FAIL', said)).toEqual(['TT012']);
});

test('a name with another address may stand in /etc/hosts', async () => {
  await mac.daemon(healthyStatus);
  const { status, fix } = await finding('TT013', { addressesOf: () => Promise.resolve(['192.0.2.5']) });
  expect(status).toBe('fail');
  expect(fix[0]).toMatch(/take that line out there: grep -in \S+\.docker \/etc\/hosts$/);
});

test('who takes the room is shown beside tuntapd’s folder, and of the whole volume where that is full', () => {
  const { layout } = mac.io;
  expect(roomFixes([layout.logs], { layout, isDataFull: false })).toEqual([`sudo du -xhd 1 ${layout.logs}`]);
  expect(roomFixes([layout.logs], { layout, isDataFull: true })).toEqual([
    `sudo du -xhd 1 ${layout.logs}`,
    `sudo du -xhd 2 ${join(layout.root, 'System/Volumes/Data')}`,
  ]);
});
