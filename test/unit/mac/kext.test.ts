import { expect, test } from '@jest/globals';
import type { CommandResult } from '../../../daemon/lib/command.js';
import { loadKext } from '../../../daemon/mac/kext.js';

const kext = '/Library/Extensions/tap.kext';
const busy: CommandResult = { stdout: '', stderr: 'kernelmanagerd is busy', exitCode: 71 };
const silent: CommandResult = { stdout: '', stderr: '', exitCode: 0 };
const refused: CommandResult = { stdout: '', stderr: 'denied by system policy', exitCode: 27 };

/** A Mac whose kextload says these words in turn, and which has the kext with the last of them if `loads`. */
function mac(said: readonly CommandResult[], loads: boolean) {
  const tried: string[] = [];
  const load = (): Promise<void> =>
    loadKext(kext, {
      command: (_file, [bundle = '']) => {
        tried.push(bundle);
        return Promise.resolve(said[tried.length - 1] ?? silent);
      },
      loaded: () => Promise.resolve(loads && tried.length >= said.length),
      pause: 1,
    });
  return { tried, load };
}

test('a kext that is loaded by now is not loaded again', async () => {
  const { tried, load } = mac([], true);
  await load();
  expect(tried).toEqual([]);
});

test.each([
  ['at once', [silent]],
  ['when the system is no longer busy', [busy, busy, silent]],
  ['when kextload had only said so', [silent, silent]],
])('it is there %s', async (_when, said) => {
  const { tried, load } = mac(said, true);
  await load();
  expect(tried).toEqual(said.map(() => kext));
});

test('what macOS refuses is asked for once, since each time shows a dialog', async () => {
  const { tried, load } = mac([refused], false);
  await expect(load()).rejects.toMatchObject({
    reason: 'KextNotApproved',
    blocked: true,
    once: true,
    message: expect.stringContaining('denied by system policy'),
  });
  expect(tried).toHaveLength(1);
});

test('where it is allowed is told by the name of that place up to macOS 12, too', async () => {
  const { load } = mac([refused], false);
  await expect(load()).rejects.toThrow(
    'System Settings > Privacy & Security (up to macOS 12: System Preferences > Security & Privacy)',
  );
});

test('what never comes is given up after a few times, in kextload’s own words', async () => {
  const { tried, load } = mac([busy, busy, busy, busy, busy, busy], false);
  await expect(load()).rejects.toMatchObject({
    reason: 'KextNotLoaded',
    message: `${kext} could not be loaded, tried 5 times (kextload ended with 71): kernelmanagerd is busy`,
  });
  expect(tried).toHaveLength(5);
});

test.each([
  [
    'failed to load - (libkern/kext) kext (kmod) start/stop routine failed; check the system/kernel logs for errors or try kextutil(8).',
    true,
  ],
  ['(kernel) Kext net.tunnelblick.tap start failed (result 0x5).', true],
  ['failed to load - (libkern/kext) not found.', false],
])('a driver that refuses to start may have another one in its way: %s', async (stderr, isTold) => {
  const { load } = mac(
    Array.from({ length: 6 }, () => ({ stdout: '', stderr, exitCode: 71 })),
    false,
  );
  const error: unknown = await load().catch((failure: unknown) => failure);
  expect(error).toMatchObject({ reason: 'KextNotLoaded' });
  expect(/Another program’s driver .*restart the Mac$/.test(String(error))).toBe(isTold);
});
