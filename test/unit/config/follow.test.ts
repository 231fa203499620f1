import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { followConfig } from '../../../config/follow.js';

let folder: string;
let path: string;
const owner = process.getuid?.() ?? 0;

beforeEach(async () => {
  folder = await mkdtemp(join(homedir(), '.tuntapd-follow-'));
  path = join(folder, 'config.toml');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

const write = (text: string): Promise<void> => writeFile(path, text, { mode: 0o644 });

test('the first look tells what there is, the next ones only what changed', async () => {
  const look = followConfig(path, { owner });
  expect(await look()).toMatchObject({ config: { tap: { device: 'tap1' } } });
  expect(await look()).toBeNull();
  await write('[tap]\ndevice = "tap2"\n');
  expect(await look()).toMatchObject({ config: { tap: { device: 'tap2' } } });
  expect(await look()).toBeNull();
  await rm(path);
  expect(await look()).toMatchObject({ config: { tap: { device: 'tap1' } } });
});

test('what is wrong is said until it is mended, and what is mended is taken', async () => {
  const look = followConfig(path, { owner });
  await write('[tap]\ndevice = "tun7"\n');
  const problem = { problem: expect.stringContaining('tap.device') as unknown };
  expect(await look()).toMatchObject(problem);
  expect(await look()).toMatchObject(problem);
  await write('[tap]\ndevice = "tap7"\n');
  expect(await look()).toMatchObject({ config: { tap: { device: 'tap7' } } });
  expect(await look()).toBeNull();
});

test('a folder that others may write is a problem, and doing what the problem says ends it', async () => {
  await write('[tap]\ndevice = "tap7"\n');
  await chmod(folder, 0o777);
  const look = followConfig(path, { owner });
  expect(await look()).toMatchObject({
    problem: expect.stringContaining(`sudo chmod go-w ${folder}`) as unknown,
  });
  await chmod(folder, 0o755);
  expect(await look()).toMatchObject({ config: { tap: { device: 'tap7' } } });
  expect(await look()).toBeNull();
});
