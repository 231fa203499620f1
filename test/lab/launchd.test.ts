import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { build, type PlistValue } from 'plist';
import type { Outcome } from './mac/launchd/errno.js';
import { jobFrom, readJob } from './mac/launchd/job.js';
import { createLaunchd, type Launchd } from './mac/launchd/launchd.js';
import { respawnDelay, startsAgain, startsAtLoad } from './mac/launchd/respawn.js';
import { until } from '../lib/until.js';

const label = 'org.example.thing';
let folder: string;
let log: string[];
let launchd: Launchd;

const start = (macos = '12.7.6'): Launchd =>
  createLaunchd({
    daemons: folder,
    disabledFile: join(folder, 'db/disabled.plist'),
    macos,
    log: (line) => log.push(line),
    userOf: () => null,
    guiUser: () => 501,
  });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'launchd-'));
  log = [];
  launchd = start();
});

afterEach(async () => {
  await launchd.shutdown();
  rmSync(folder, { recursive: true, force: true });
});

/** Writes the plist of a job that runs a shell script; returns its path. */
function write(script: string, extra: Record<string, PlistValue> = {}): string {
  const path = join(folder, `${label}.plist`);
  const plist = { Label: label, ProgramArguments: ['/bin/sh', '-c', script], ...extra };
  writeFileSync(path, build(plist), { mode: 0o644 });
  return path;
}

const ask = async (op: string, payload: Record<string, unknown> = {}): Promise<Outcome> => {
  const handler = launchd.handlers[`launchd.${op}`];
  if (!handler) throw new Error(op);
  return handler({ uid: 0, target: `system/${label}`, ...payload } as never);
};
const bootstrap = (path: string): Promise<Outcome> => ask('bootstrap', { target: 'system', path });
const printed = async (): Promise<string> => (await ask('print')).text ?? '';
const marks = (): string[] => {
  const file = join(folder, 'marks');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
};

describe('a plist that launchd takes for its own', () => {
  test.each<[string, (path: string) => void]>([
    [
      'is group-writable',
      (path) => {
        chmodSync(path, 0o664);
      },
    ],
    [
      'is world-writable',
      (path) => {
        chmodSync(path, 0o646);
      },
    ],
    [
      'belongs to a user',
      (path) => {
        chownSync(path, 501, 20);
      },
    ],
    [
      'is a link',
      (path) => {
        const real = `${path}.real`;
        writeFileSync(real, readFileSync(path));
        rmSync(path);
        symlinkSync(real, path);
      },
    ],
  ])('is refused when it %s', async (_what, spoil) => {
    const path = write('sleep 60', { RunAtLoad: true });
    spoil(path);
    expect(await bootstrap(path)).toEqual({
      status: 5,
      detail: `${path}: Path had bad ownership/permissions`,
    });
    expect(launchd.pids()).toEqual([]);
  });

  test.each<[string, string]>([
    ['no XML', 'nonsense'],
    [
      '<true></true>',
      build({ Label: 'a', Program: '/bin/ls', RunAtLoad: true }).replace('<true/>', '<true></true>'),
    ],
    ['no Label', build({ Program: '/bin/ls' })],
    ['no program', build({ Label: 'a' })],
    [
      'a number as environment value',
      build({ Label: 'a', Program: '/bin/ls', EnvironmentVariables: { A: 1 } }),
    ],
    ['a string for RunAtLoad', build({ Label: 'a', Program: '/bin/ls', RunAtLoad: 'yes' })],
  ])('is refused with %s', (_what, text) => {
    expect(jobFrom(text, '/x.plist')).toHaveProperty('refused');
  });

  test('is taken with launchd’s defaults', () => {
    const reading = readJob(write('true'));
    expect(reading).toMatchObject({
      job: { label, program: '/bin/sh', runAtLoad: false, keepAlive: false, throttle: 10, exitTimeOut: 5 },
    });
  });
});

describe('KeepAlive', () => {
  const around = { exists: (path: string) => path === '/there', loaded: (name: string) => name === 'a' };
  const fine = { code: 0, signal: null };
  const failed = { code: 3, signal: null };
  const crashed = { code: null, signal: 'SIGSEGV' };
  const killed = { code: null, signal: 'SIGKILL' };
  test.each([
    [true, fine, true],
    [false, crashed, false],
    [{ SuccessfulExit: false }, fine, false],
    [{ SuccessfulExit: false }, failed, true],
    [{ SuccessfulExit: false }, killed, true],
    [{ SuccessfulExit: true }, fine, true],
    [{ Crashed: true }, crashed, true],
    [{ Crashed: true }, killed, false],
    [{ Crashed: true }, failed, false],
    [{ PathState: { '/there': true } }, fine, true],
    [{ PathState: { '/there': false } }, fine, false],
    [{ OtherJobEnabled: { a: true } }, fine, true],
    [{ Crashed: true, SuccessfulExit: true }, fine, true],
  ])('%j after %j: %j', (keepAlive, ending, again) => {
    expect(startsAgain(keepAlive, ending, around)).toBe(again);
  });
  test('implies RunAtLoad', () => {
    expect(startsAtLoad(false, true, around)).toBe(true);
    expect(startsAtLoad(false, { SuccessfulExit: false }, around)).toBe(true);
    expect(startsAtLoad(false, false, around)).toBe(false);
  });
  test.each([
    [10, 0, 4_000, 6_000],
    [10, 0, 12_000, 0],
    [1, 0, 0, 1_000],
  ])('throttle %i s, started at %i, ended at %i: waits %i ms', (throttle, started, now, delay) => {
    expect(respawnDelay(throttle, started, now)).toBe(delay);
  });
});

test('a job runs with launchd’s bare environment, its own variables, folder and files, in a group of its own', async () => {
  mkdirSync(join(folder, 'work'));
  await bootstrap(
    write('/usr/bin/env; pwd; echo oops >&2; ps -o pgid= -p $$; echo $$; sleep 60', {
      RunAtLoad: true,
      EnvironmentVariables: { MINE: 'yes' },
      WorkingDirectory: join(folder, 'work'),
      StandardOutPath: join(folder, 'out'),
      StandardErrorPath: join(folder, 'err'),
    }),
  );
  const pid = launchd.pids()[0] ?? 0;
  const out = await until('its output', 5, () => {
    const text = readFileSync(join(folder, 'out'), 'utf8');
    return Promise.resolve(text.trim().split('\n').at(-1) === String(pid) && text);
  });
  const environment = out
    .split('\n')
    .filter((line) => /^\w+=/.test(line) && !/^(PWD|OLDPWD|SHLVL|_)=/.test(line));
  expect(environment.sort()).toEqual([
    'MINE=yes',
    'PATH=/usr/bin:/bin:/usr/sbin:/sbin',
    `XPC_SERVICE_NAME=${label}`,
  ]);
  expect(out).toContain(`${join(folder, 'work')}\n`);
  expect(Number(out.trim().split('\n').at(-2))).toBe(pid);
  expect(readFileSync(join(folder, 'err'), 'utf8')).toBe('oops\n');
});

test('a job that is kept alive starts again, not sooner than its throttle', async () => {
  await bootstrap(
    write(`cut -d' ' -f22 /proc/$$/stat >> ${folder}/marks; exit 3`, {
      KeepAlive: true,
      ThrottleInterval: 1,
    }),
  );
  // When each process began, in hundredths of a second (proc_pid_stat(5)).
  const times = (await until('three starts', 30, () => Promise.resolve(marks().length >= 3 && marks()))).map(
    Number,
  );
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(90);
  expect((times[2] ?? 0) - (times[1] ?? 0)).toBeGreaterThan(90);
  expect(log.join('\n')).toContain('Service only ran for 0 seconds. Pushing respawn out by 1 seconds.');
  expect(await printed()).toMatch(/^\tlast exit code = 3$/m);
});

test('a program that is not there ends with 78', async () => {
  await bootstrap(write('', { ProgramArguments: ['/nowhere/program'], RunAtLoad: true }));
  await until('the ending', 3, async () => /last exit code = 78/.test(await printed()));
  expect((await ask('list', { label })).text).toContain('"LastExitStatus" = 19968;');
});

test('a job that ignores SIGTERM drains until ExitTimeOut: bootout 36, bootstrap refused, then gone', async () => {
  const path = write(`trap '' TERM; echo on >> ${folder}/marks; while :; do sleep 0.1; done`, {
    RunAtLoad: true,
    ExitTimeOut: 2,
  });
  expect(await bootstrap(path)).toEqual({ status: 0 });
  await until('its start', 3, () => Promise.resolve(marks().length === 1));
  const began = Date.now();
  expect(await ask('bootout')).toEqual({ status: 36 });
  expect(await bootstrap(path)).toEqual({ status: 5 });
  await until('its end', 5, async () => (await ask('print')).status === 113);
  expect(Date.now() - began).toBeGreaterThan(1800);
  expect(await ask('bootout')).toEqual({ status: 3 });
  expect(await bootstrap(path)).toEqual({ status: 0 });
});

test('from macOS 13 a bootstrap during the drain is 37', async () => {
  launchd = start('14.6.1');
  const path = write(`trap '' TERM; echo on >> ${folder}/marks; while :; do sleep 0.1; done`, {
    RunAtLoad: true,
    ExitTimeOut: 2,
  });
  await bootstrap(path);
  await until('its start', 3, () => Promise.resolve(marks().length === 1));
  await ask('bootout');
  expect(await bootstrap(path)).toEqual({ status: 37 });
});

test('what is loaded is not loaded twice, and an ordinary user loads nothing', async () => {
  const path = write('sleep 60');
  expect(await ask('bootstrap', { target: 'system', path, uid: 501 })).toEqual({
    status: 5,
    text: 'Try re-running the command as root for richer errors.',
  });
  expect(await bootstrap(path)).toEqual({ status: 0 });
  expect(await bootstrap(path)).toEqual({ status: 5 });
  expect(await ask('bootout', { target: 'system', path })).toEqual({ status: 0 });
  expect(await ask('bootout', { target: 'system', path })).toEqual({ status: 5 });
});

test('disable outlives a restart of launchd and refuses with 119 until enable', async () => {
  const path = write('sleep 60', { RunAtLoad: true });
  await ask('enable', { disabled: true });
  launchd = start();
  expect(await bootstrap(path)).toEqual({ status: 119, detail: `${path}: Service is disabled` });
  expect((await ask('print-disabled', { target: 'system' })).text).toBe(
    `disabled services = {\n\t"${label}" => true\n}\n`,
  );
  await ask('enable', { disabled: false });
  expect(await bootstrap(path)).toEqual({ status: 0 });
});

test('kickstart: no-op on a running job, -k gives it a new process, a stopped one is started', async () => {
  await bootstrap(write('exec sleep 60'));
  expect(launchd.pids()).toEqual([]);
  const first = await ask('kickstart', { kill: false });
  expect(first.pid).toBe(launchd.pids()[0]);
  expect((await ask('kickstart', { kill: false })).pid).toBe(first.pid);
  const second = await ask('kickstart', { kill: true });
  expect(second.pid).not.toBe(first.pid);
  expect(launchd.pids()).toEqual([second.pid]);
});

test('print shows the job in macOS’s layout, running and not, old and new', async () => {
  const path = write('exec sleep 60', { RunAtLoad: true });
  await bootstrap(path);
  expect(await printed()).toMatch(
    /^system\/org\.example\.thing = \{\n\tactive count = 1\n\tpath = .*\n\ttype = LaunchDaemon\n\tstate = running\n/,
  );
  expect(await printed()).toMatch(/^\tpid = \d+$/m);
  expect(await printed()).toMatch(/^\tlast exit code = \(never exited\)$/m);
  expect((await ask('list')).text).toBe(`PID\tStatus\tLabel\n${launchd.pids()[0] ?? ''}\t0\t${label}\n`);
  process.kill(launchd.pids()[0] ?? 0, 'SIGKILL');
  await until('its end', 3, () => Promise.resolve(launchd.pids().length === 0));
  expect(await printed()).toMatch(/^\tstate = not running$/m);
  expect((await ask('list')).text).toBe(`PID\tStatus\tLabel\n-\t-9\t${label}\n`);
  await ask('bootout');
  launchd = start('10.15.7');
  await bootstrap(path);
  expect(await printed()).toMatch(/^org\.example\.thing = \{/);
});

test.each([
  ['system/none', 113, 'Could not find service "none" in domain for system'],
  ['gui/501/none', 113, 'Could not find service "none" in domain for user gui: 501'],
])('print %s: %i', async (target, status, text) => {
  expect(await ask('print', { target })).toEqual({ status, text });
});

test('the GUI domain of somebody who is not logged in is 125', async () => {
  expect((await ask('bootstrap', { target: 'gui/777', path: write('true') })).status).toBe(125);
});
