/** Docker is quit by what macOS says and by what becomes of its processes: here two real ones stand for them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Run } from '../../../daemon/command.js';
import type { MemoryKeeper } from '../../../daemon/memory.js';
import { quitForRestart } from '../../../daemon/restart-docker.js';
import { up } from './worlds.js';

const user = { name: 'lena', uid: 504, gid: 20, home: '/Users/lena' };
const startedAt = '2021-06-01T07:30:05.000Z';
let gui: ChildProcess;
let vm: ChildProcess;
let memory: MemoryKeeper;

beforeEach(() => {
  gui = spawn('/bin/sleep', ['60']);
  vm = spawn('/bin/sleep', ['60']);
  let now = up;
  memory = {
    now: () => now,
    change: (part) => {
      now = { ...now, ...part };
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
});

afterEach(() => {
  gui.kill('SIGKILL');
  vm.kill('SIGKILL');
});

/** An osascript that says this and ends with 1; Docker ends `later` ms after it, or never. */
const osascript =
  (says: string, later: number | null): Run =>
  () => {
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
  const ends: Run = () => {
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
