/** Every program of the product keeps SIGUSR1 from opening Node's inspector in it, tuntapctl too, which root runs by sudo. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { cleanEnvironment } from '../../daemon/lib/command.js';
import { workshop } from '../product/bundle-crash/world.js';
import { signalAs } from './inspector.js';

const repository = join(import.meta.dirname, '../..');
const asRoot = process.getuid?.() === 0 ? describe : describe.skip;

let tools: string;
let child: ChildProcess | null = null;

beforeAll(async () => {
  tools = await workshop({ tuntapctl: 'cli/tuntapctl.ts' });
});
afterEach(() => {
  child?.kill('SIGKILL');
  child = null;
});
afterAll(() => {
  rmSync(tools, { recursive: true, force: true });
});

/** What is built, as the build itself names it. */
const programs = [
  ...readFileSync(join(repository, 'launchd/compile.mjs'), 'utf8').matchAll(
    /^ {2}'?[\w-]+'?: '((?:daemon|cli|launchd)\/[\w/-]+\.ts)',$/gm,
  ),
].map(([, path = '']) => path);

test('there are programs', () => {
  expect(programs).toEqual(expect.arrayContaining(['daemon/main.ts', 'cli/tuntapctl.ts']));
  expect(programs.length).toBeGreaterThanOrEqual(8);
});

test.each(programs)('%s ignores the signal before it does anything else', (path) => {
  const source = readFileSync(join(repository, path), 'utf8');
  const [, first] = /^import (?:[^'\n]* from )?'([^']+)';$/m.exec(source) ?? [];
  expect(first).toMatch(/\/no-inspector\.js$/);
});

asRoot('SIGUSR1 opens no inspector in tuntapctl', () => {
  test.each([
    ['that root runs', 0],
    ['that a user runs', 1502],
  ])('%s', async (_who, uid) => {
    // It waits for the daemon's log, or for its next line.
    child = spawn(process.execPath, [join(tools, 'tuntapctl.mjs'), 'logs', '-f'], {
      env: cleanEnvironment,
      cwd: '/',
      uid,
      gid: uid,
    });
    const { stdout, stderr } = child;
    if (!stdout || !stderr) throw new Error('it has no output');
    await Promise.race([once(stdout, 'data'), once(stderr, 'data')]);
    expect(await signalAs(uid, child)).toEqual({ said: '', listening: false });
    expect(child.exitCode ?? child.signalCode).toBeNull();
  });
});
