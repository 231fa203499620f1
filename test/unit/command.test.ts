/** What the daemon runs comes back, whatever the command does: one that hangs must not take the loop with it. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect, test } from '@jest/globals';
import { CommandError, run } from '../../daemon/lib/command.js';
import { mountDead } from '../lib/dead-mount.js';

const folder = mkdtempSync(join(tmpdir(), 'command-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const sh = (script: string, timeout = 10_000): ReturnType<typeof run> =>
  run('/bin/sh', ['-c', script], { timeout });

test('returns both streams and whatever exit status it had', async () => {
  expect(await sh('echo out; echo err >&2; exit 77')).toEqual({
    stdout: 'out\n',
    stderr: 'err\n',
    exitCode: 77,
  });
});

test('runs it in a clean environment, at the root, with nothing to read', async () => {
  const { stdout } = await sh('pwd; echo $PATH $LC_ALL $TZ $HOME.; read -r word || echo nothing');
  expect(stdout).toBe('/\n/usr/bin:/bin:/usr/sbin:/sbin C UTC0 .\nnothing\n');
});

test('a command that takes too long is asked to end, so that sudo takes along what it runs', async () => {
  const mark = join(folder, 'asked');
  const began = performance.now();
  await expect(sh(`trap 'echo asked >${mark}; exit' TERM; while :; do sleep 0.1; done`, 500)).rejects.toThrow(
    new CommandError(
      `/bin/sh -c 'trap '\\''echo asked >${mark}; exit'\\'' TERM; while :; do sleep 0.1; done': took longer than 0.5 s`,
    ),
  );
  expect(existsSync(mark) && readFileSync(mark, 'utf8')).toBe('asked\n');
  expect(performance.now() - began).toBeLessThan(3000);
});

test('and when it does not, it is killed', async () => {
  const began = performance.now();
  await expect(sh(`trap '' TERM; while :; do sleep 0.1; done`, 500)).rejects.toThrow('took longer than');
  expect(performance.now() - began).toBeLessThan(5000);
});

test.each([
  ['after too long', 'echo said; sleep 20 & wait', 500, /took longer than 0\.5 s/],
  ['after its own end', 'echo said; sleep 20 & exit 3', 10_000, null],
])(
  '%s nobody waits for a process that it left behind with its output open',
  async (_when, script, timeout, why) => {
    const began = performance.now();
    const done = sh(script, timeout);
    if (why) await expect(done).rejects.toThrow(why);
    else expect(await done).toEqual({ stdout: 'said\n', stderr: '', exitCode: 3 });
    expect(performance.now() - began).toBeLessThan(5000);
  },
);

const asRoot = process.getuid?.() === 0 ? test : test.skip;

asRoot('one that no signal ends is not waited for either', async () => {
  const dead = await mountDead(join(folder, 'dead'));
  try {
    const began = performance.now();
    const command = sh(`exec cat ${dead.folder}/anything`, 500);
    await expect(command).rejects.toThrow(/took longer than 0\.5 s/);
    expect(performance.now() - began).toBeLessThan(5000);
    const ended = command.catch((error: unknown) => (error instanceof CommandError ? error.ended : null));
    expect(await Promise.race([ended, pause(500, 'still there')])).toBe('still there');
    dead.end();
    expect(await Promise.race([ended, pause(5000, 'still there')])).toBeUndefined();
  } finally {
    dead.end();
    // It ends now, and its end is heard.
    await pause(500);
  }
});
