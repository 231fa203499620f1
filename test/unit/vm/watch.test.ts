import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Vm } from '../../../daemon/core/observation.js';
import { watchVm } from '../../../daemon/vm/watch.js';
import { mountDead } from '../../lib/dead-mount.js';

let folder: string;
let child: ChildProcess;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'watch-'));
  child = spawn('/bin/sleep', ['60']);
});

afterEach(async () => {
  child.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

const vmOf = (pid: number): Vm => ({
  id: `${pid}@2024-03-01T08:00:00.000Z`,
  pid,
  uid: 504,
  startedAt: '2024-03-01T08:00:00.000Z',
  startedWithTap: true,
  tapIsForeign: false,
  executable: null,
});

test('the end of a VM is told once, and soon; nothing is told before', async () => {
  let told = 0;
  const watch = watchVm({ pidFiles: () => [], onChange: () => (told += 1) });
  watch.setVm(vmOf(child.pid ?? 0));
  await pause(1300);
  expect(told).toBe(0);
  child.kill('SIGKILL');
  await pause(1500);
  expect(told).toBe(1);
  await pause(1200);
  expect(told).toBe(1);
  watch.stop();
});

test('a pid file that appears, is written anew or goes is a reason to look, and so is the first sight of its place', async () => {
  let told = 0;
  const path = join(folder, 'hyperkit.pid');
  let places: string[] = [];
  const watch = watchVm({ pidFiles: () => places, onChange: () => (told += 1) });
  await pause(1300);
  expect(told).toBe(0);
  places = [path];
  await pause(1400);
  expect(told).toBe(1);
  await writeFile(path, '4711');
  await pause(1400);
  expect(told).toBe(2);
  await rm(path);
  await pause(1400);
  expect(told).toBe(3);
  watch.stop();
  await writeFile(path, '4712 ');
  await pause(1200);
  expect(told).toBe(3);
}, 20_000);

test('a VM that starts in the very second in which another one ends is told of, after it wrote its pid file', async () => {
  let told = 0;
  const path = join(folder, 'hyperkit.pid');
  await writeFile(path, '4711');
  const watch = watchVm({ pidFiles: () => [path], onChange: () => (told += 1) });
  watch.setVm(vmOf(child.pid ?? 0));
  await pause(1300);
  child.kill('SIGKILL');
  // A pass that came between saw neither of the two.
  watch.setVm(null);
  const before = told;
  await writeFile(path, '4712 ');
  await pause(1400);
  expect(told).toBe(before + 1);
  watch.stop();
});

const asRoot = process.getuid?.() === 0 ? test : test.skip;

asRoot(
  'pid files on a disk that does not answer hold one thread, and those of the next user none',
  async () => {
    let told = 0;
    const dead = await mountDead(join(folder, 'dead'));
    const path = join(folder, 'hyperkit.pid');
    let places = [join(dead.folder, 'hyperkit.pid'), join(dead.folder, 'hypervisor.pid')];
    const watch = watchVm({ pidFiles: () => places, onChange: () => (told += 1) });
    try {
      await pause(4000);
      const hanging = readdirSync('/proc/self/task').filter((task) =>
        readFileSync(`/proc/self/task/${task}/wchan`, 'utf8').includes('fuse'),
      );
      const states = readdirSync('/proc/self/task').filter((task) =>
        /\) D /.test(readFileSync(`/proc/self/task/${task}/stat`, 'utf8')),
      );
      expect(Math.max(hanging.length, states.length)).toBeLessThanOrEqual(1);
      places = [path];
      await pause(2500);
      const before = told;
      await writeFile(path, '4711');
      await pause(1500);
      expect(told).toBe(before + 1);
    } finally {
      watch.stop();
      dead.end();
    }
  },
  20_000,
);
