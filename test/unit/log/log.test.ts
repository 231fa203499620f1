import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Log, openLog } from '../../../daemon/runtime/log.js';

let root: string;
let folder: string;
let complaints: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'log-'));
  folder = join(root, 'tuntapd');
  complaints = [];
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

const open = (change: { maxSize?: number; maxFiles?: number; level?: 'info' | 'debug' } = {}): Log =>
  openLog({
    folder,
    level: 'info',
    maxSize: 65_536,
    maxFiles: 3,
    gid: process.getgid?.() ?? 0,
    complain: (message) => complaints.push(message),
    ...change,
  });

const linesOf = async (name: string): Promise<Record<string, unknown>[]> =>
  (await readFile(join(folder, name), 'utf8'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('one JSON object a line: time, level, message, then the details', async () => {
  const log = open();
  log.info('looked', { pass: 'p1', step: { kind: 'add-route' } });
  log.warn('two\nlines', { cause: new Error('broken') });
  log.debug('not at this level');
  log.log('error', 'bad', { size: 10n });
  await log.flush();
  const lines = await linesOf('tuntapd.log');
  expect(lines.map(({ level, message }) => [level, message])).toEqual([
    ['info', 'looked'],
    ['warn', 'two\nlines'],
    ['error', 'bad'],
  ]);
  expect(Object.keys(lines[0] ?? {})).toEqual(['time', 'level', 'message', 'pass', 'step']);
  expect(lines[1]).toMatchObject({ cause: { message: 'broken' } });
  expect(Number.isNaN(Date.parse(String(lines[0]?.['time'])))).toBe(false);
});

test('a line is in the file as soon as it is logged, whatever ends the process', async () => {
  open().info('before the crash');
  expect(await linesOf('tuntapd.log')).toHaveLength(1);
});

test('modes of folder and files, after rotation too; no line is lost; old files go', async () => {
  const log = open({ maxSize: 2000, maxFiles: 2 });
  for (let index = 0; index < 60; index += 1) log.info(`line ${index}`, { filler: 'x'.repeat(50) });
  await log.flush();
  expect((await readdir(folder)).sort()).toEqual(['tuntapd.log', 'tuntapd.log.1', 'tuntapd.log.2']);
  expect((await stat(folder)).mode & 0o777).toBe(0o750);
  const kept: unknown[] = [];
  for (const name of ['tuntapd.log.2', 'tuntapd.log.1', 'tuntapd.log']) {
    const { mode, size } = await stat(join(folder, name));
    expect(mode & 0o777).toBe(0o640);
    expect(size).toBeLessThanOrEqual(2000);
    kept.push(...(await linesOf(name)).map(({ message }) => message));
  }
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, index) => `line ${60 - kept.length + index}`));
});

test('when fewer files are to be kept, the next rotation removes the others', async () => {
  await mkdir(folder);
  for (let index = 1; index <= 9; index += 1) await writeFile(join(folder, `tuntapd.log.${index}`), '');
  const log = open({ maxSize: 100, maxFiles: 2 });
  log.info('one', { filler: 'x'.repeat(50) });
  log.info('two', { filler: 'x'.repeat(50) });
  await log.flush();
  expect((await readdir(folder)).sort()).toEqual(['tuntapd.log', 'tuntapd.log.1', 'tuntapd.log.2']);
});

test('a log that cannot be written ends nothing, complains once, and tells later how much is lost', async () => {
  await writeFile(folder, 'in the way');
  const log = open();
  log.info('lost 1');
  log.info('lost 2');
  expect(complaints).toHaveLength(1);
  await rm(folder);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  log.info('kept');
  await log.flush();
  const messages = (await linesOf('tuntapd.log')).map(({ message }) => message);
  expect(messages).toEqual([expect.stringMatching(/^2 log lines were lost/), 'kept']);
});

test('a log that was removed is made anew', async () => {
  const log = open();
  log.info('one');
  await rm(folder, { recursive: true });
  log.info('two');
  await log.flush();
  expect(await linesOf('tuntapd.log')).toMatchObject([{ message: 'two' }]);
});

test('a link planted in its place is not followed', async () => {
  await mkdir(folder);
  await writeFile(join(root, 'precious'), '');
  await symlink(join(root, 'precious'), join(folder, 'tuntapd.log'));
  const log = open();
  log.info('evil');
  await log.flush();
  expect(await readFile(join(root, 'precious'), 'utf8')).toBe('');
});

test('flush can be called twice, and lines after it are harmless', async () => {
  const log = open();
  log.info('one');
  await Promise.all([log.flush(), log.flush()]);
  log.info('after the end');
  await new Promise((resolve) => setImmediate(resolve));
  expect(await linesOf('tuntapd.log')).toHaveLength(1);
  expect(complaints).toEqual([]);
});
