import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { glanceAt } from '../../../daemon/mac/glance.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'glance-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('what comes, goes or changes hands is told within about a second; writing into it is not', async () => {
  const [here, absent] = [join(folder, 'console'), join(folder, 'tap0')];
  await writeFile(here, '');
  let told = 0;
  const glance = glanceAt([here, absent, join(here, 'below-a-file')], () => (told += 1));
  await pause(200);
  await writeFile(here, 'somebody types');
  await pause(1200);
  expect(told).toBe(0);
  await chmod(here, 0o600);
  await pause(1200);
  expect(told).toBe(1);
  await writeFile(absent, '');
  await pause(1200);
  expect(told).toBe(2);
  await rm(absent);
  await pause(1200);
  expect(told).toBe(3);
  glance.stop();
  await chmod(here, 0o644);
  await pause(1200);
  expect(told).toBe(3);
}, 20_000);

test('a user who comes and goes between two glances is told of when he was seen meanwhile', async () => {
  const console = join(folder, 'console');
  await writeFile(console, '', { mode: 0o600 });
  let told = 0;
  const glance = glanceAt([console], () => (told += 1));
  await pause(1100);
  await chmod(console, 0o622);
  await glance.mark();
  await chmod(console, 0o600);
  await pause(1200);
  expect(told).toBeGreaterThan(0);
  const before = told;
  await glance.mark();
  await pause(1200);
  expect(told).toBe(before);
  glance.stop();
}, 20_000);
