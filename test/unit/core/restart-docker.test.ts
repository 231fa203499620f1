/** Docker is quit by what macOS says and by what becomes of its processes: here two real ones stand for them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Run } from '../../../daemon/lib/command.js';
import type { MemoryKeeper } from '../../../daemon/runtime/memory.js';
import { quitForRestart } from '../../../daemon/runtime/restart-docker.js';
import { up } from './worlds.js';

const user = { name: 'lena', uid: 504, gid: 20, home: '/Users/lena' };
const startedAt = '2021-06-01T07:30:05.000Z';
let gui: ChildProcess;
let vm: ChildProcess;
let memory: Pick<MemoryKeeper, 'now' | 'record'>;

beforeEach(() => {
  gui = spawn('/bin/sleep', ['60']);
  vm = spawn('/bin/sleep', ['60']);
  let now = up;
  memory = {
    now: () => now,
    record: (part) => {
      now = { ...now, ...part };
      return Promise.resolve();
    },
  };
});

afterEach(() => {
  gui.kill('SIGKILL');
  vm.kill('SIGKILL');
});

/** What the docker of a Docker Desktop before 4.37 answers. */
const noPlugin = {
  stdout: '',
  stderr: "docker: 'desktop' is not a docker command.\nSee 'docker --help'\n",
  exitCode: 1,
};
const isDockersCli = (args: readonly string[]): boolean => args.includes('desktop');

/** A docker that does this to the world and answers so; whatever else is run is a mistake. */
const dockerCli =
  (act: () => void, answer: Awaited<ReturnType<Run>>): Run =>
  (_file, args) => {
    if (!isDockersCli(args)) throw new Error(`nobody should run ${args.join(' ')}`);
    act();
    return Promise.resolve(answer);
  };

/** An osascript that says this and ends with 1; Docker ends `later` ms after it, or never. */
const osascript =
  (says: string, later: number | null): Run =>
  (_file, args) => {
    if (isDockersCli(args)) return Promise.resolve(noPlugin);
    if (later !== null)
      setTimeout(() => {
        gui.kill();
        vm.kill();
      }, later);
    return Promise.resolve({ stdout: '', stderr: `0:17: execution error: ${says}\n`, exitCode: 1 });
  };

const quit = (command: Run, patience?: number): Promise<void> => {
  const app = '/Applications/Docker.app';
  const step = {
    kind: 'quit-docker',
    key: 'quit',
    why: 'its VM runs without the tap',
    app,
    bundle: '1:42',
    user,
    gui: { pid: gui.pid ?? 0, app, startedAt, gui: true, virtualization: false },
    vm: {
      id: `${vm.pid ?? 0}@${startedAt}`,
      pid: vm.pid ?? 0,
      uid: 504,
      startedAt,
      startedWithTap: false,
      tapIsForeign: false,
      executable: null,
    },
  } as const;
  return quitForRestart(step, memory, command, patience);
};

test.each(['Docker got an error: Connection is invalid. (-609)', 'Application isn’t running. (-600)'])(
  '“%s” of a Docker that is ending: it is waited for, and opened again',
  async (says) => {
    await quit(osascript(says, 1000));
    expect(memory.now().restart.reopen).toMatchObject({ app: '/Applications/Docker.app', uid: 504 });
    expect(memory.now().restart.attempts).toMatchObject([{ failed: null }]);
  },
);

test('a person who cancels is left alone at once, and nothing is to be opened', async () => {
  const said = 'Docker got an error: User canceled. (-128)';
  await expect(quit(osascript(said, null))).rejects.toThrow(/Docker did not quit: .*\(-128\)/);
  expect(memory.now().restart.reopen).toBeNull();
  expect(gui.exitCode).toBeNull();
});

test('a Docker that went while its VM is still ending is opened again after that', async () => {
  const ends: Run = (_file, args) => {
    if (isDockersCli(args)) return Promise.resolve(noPlugin);
    gui.kill();
    return Promise.resolve({ stdout: '', stderr: '', exitCode: 0 });
  };
  await expect(quit(ends, 500)).rejects.toThrow('Docker quit, but its VM has not ended');
  expect(memory.now().restart).toMatchObject({
    reopen: { app: '/Applications/Docker.app' },
    attempts: [{ failed: 'Docker quit, but its VM has not ended' }],
  });
});

test('opening it is owed from when it is gone, however long that took', async () => {
  const before = Date.now();
  await quit(osascript('Docker got an error: Connection is invalid. (-609)', 1500));
  expect(memory.now().restart.reopen?.at).toBeGreaterThanOrEqual(before + 1500);
});

const done = { stdout: '', stderr: '', exitCode: 0 };

test('Docker’s own command restarts it, as its user: nothing else is asked, and nothing is to be opened', async () => {
  let line: readonly string[] = [];
  const cli = dockerCli(() => vm.kill(), done);
  await quit((file, args, options) => {
    line = [file, ...args];
    return cli(file, args, options);
  });
  expect(line.slice(0, 3)).toEqual(['/bin/launchctl', 'asuser', '504']);
  expect(line.slice(-3)).toEqual([
    '/Applications/Docker.app/Contents/Resources/bin/docker',
    'desktop',
    'restart',
  ]);
  expect(gui.exitCode).toBeNull();
  expect(memory.now().restart).toMatchObject({ reopen: null, attempts: [{ failed: null }] });
});

test('a restart by its own command that ends Docker too: opening it is owed, as after an update', async () => {
  await quit(
    dockerCli(() => {
      vm.kill();
      gui.kill();
    }, done),
  );
  expect(memory.now().restart).toMatchObject({
    reopen: { app: '/Applications/Docker.app', uid: 504 },
    attempts: [{ failed: null }],
  });
});

test('a restart that takes too long has ended the VM: Docker is not quit as well, but opened if it does not come', async () => {
  const cli: Run = async (_file, args) => {
    if (!isDockersCli(args)) throw new Error('nobody should quit a Docker that is starting');
    vm.kill();
    await new Promise((resolve) => vm.once('exit', resolve));
    throw new Error('took longer than 60 s');
  };
  await quit(cli);
  expect(memory.now().restart).toMatchObject({ reopen: { uid: 504 }, attempts: [{ failed: null }] });
});

test.each([
  ['an older docker', noPlugin],
  ['no docker at all', { stdout: '', stderr: 'sudo: docker: command not found\n', exitCode: 1 }],
  ['a docker that says it did, and did not', done],
])('with %s it is quit as ever', async (_what, answer) => {
  const command: Run = (_file, args) => {
    if (isDockersCli(args)) return Promise.resolve(answer);
    gui.kill();
    vm.kill();
    return Promise.resolve(done);
  };
  await quit(command, 500);
  expect([gui.killed, vm.killed]).toEqual([true, true]);
  expect(memory.now().restart.reopen).toMatchObject({ app: '/Applications/Docker.app' });
});
