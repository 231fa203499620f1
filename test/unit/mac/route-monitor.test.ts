import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { watchRoutes } from '../../../daemon/mac/route-monitor.js';

let folder: string;
let stop: () => void = () => undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'route-monitor-'));
});
afterEach(() => {
  stop();
  rmSync(folder, { recursive: true });
});

/** A monitor that notes its pid, and then does as it is told; like `route` it says nothing of its own. */
const monitor = (then: string): [string, ...string[]] => [
  '/bin/sh',
  '-c',
  `echo $$ >> ${folder}/pids; ${then}`,
];
const pids = (): number[] => {
  try {
    return readFileSync(`${folder}/pids`, 'utf8').trim().split('\n').map(Number);
  } catch {
    return [];
  }
};
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
async function eventually(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 5000; !holds();) {
    if (Date.now() > end) throw new Error('it never held');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('what it says is a trigger', async () => {
  let triggers = 0;
  stop = watchRoutes(
    () => (triggers += 1),
    monitor('echo got message of size 132; echo RTM_ADD: Add Route: len 132; exec sleep 60'),
    20,
  ).stop;
  await eventually(() => triggers === 1);
});

test('when it ends another one is started, and what changed meanwhile is looked for', async () => {
  let triggers = 0;
  stop = watchRoutes(() => (triggers += 1), monitor('exec sleep 60'), 20).stop;
  await eventually(() => pids().length === 1);
  expect(triggers).toBe(0);
  process.kill(pids()[0] ?? 0, 'SIGKILL');
  await eventually(() => triggers === 1 && pids().length === 2);
  expect(isAlive(pids()[1] ?? 0)).toBe(true);
});

test('one that ends at once is started ever more rarely', async () => {
  stop = watchRoutes(() => undefined, monitor('exit 1'), 20).stop;
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(pids().length).toBeGreaterThan(1);
  expect(pids().length).toBeLessThan(7);
});

test('one that cannot be started is no reason to end', async () => {
  stop = watchRoutes(() => undefined, ['/nowhere/route', 'monitor'], 10).stop;
  await new Promise((resolve) => setTimeout(resolve, 100));
});

test('stopped, it has ended and stays so', async () => {
  const watch = watchRoutes(() => undefined, monitor('exec sleep 60'), 20);
  await eventually(() => pids().length === 1);
  watch.stop();
  await eventually(() => !isAlive(pids()[0] ?? 0));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(pids()).toHaveLength(1);
  expect(execFileSync('/bin/ps', ['-eo', 'args=']).toString()).not.toContain(folder);
});

test.each([
  ['RTM_MISS: Lookup failed on this address: len 132', false],
  ['RTM_LOSING: Kernel Suspects Partitioning: len 132', false],
  ['RTM_GET: Report Metrics: len 132', false],
  ['locks:  inits: RTM_ADD: 5', false],
  ['RTM_DELETE: Delete Route: len 132', true],
  ['RTM_IFINFO: iface status change: len 112, if# 5', true],
  ['RTM_NEWADDR: address being added to iface: len 76', true],
])('%s: a trigger: %s, also when it comes in two parts', async (line, isTrigger) => {
  let triggers = 0;
  const parts = `printf '\\n%s' '${line.slice(0, 6)}'; sleep 0.1; printf '%s\\n' '${line.slice(6)}'`;
  stop = watchRoutes(() => (triggers += 1), monitor(`${parts}; exec sleep 60`), 20).stop;
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(triggers).toBe(isTrigger ? 1 : 0);
});
