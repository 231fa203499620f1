import { expect, test } from '@jest/globals';
import { sharedRun } from '../../daemon/lib/shared-run.js';

test('who asks within a second of another has its answer; a second later, or of something else, it is asked anew', async () => {
  let now = 0;
  let asked = 0;
  const run = sharedRun(
    (file) => Promise.resolve({ stdout: `${file} ${(asked += 1)}`, stderr: '', exitCode: 0 }),
    () => now,
  );
  const told = async (...args: string[]): Promise<string> => (await run('scutil', args)).stdout;
  expect(await Promise.all([told('--dns'), told('--dns')])).toEqual(['scutil 1', 'scutil 1']);
  now = 999;
  expect(await told('--dns')).toBe('scutil 1');
  expect(await told('--nwi')).toBe('scutil 2');
  now = 1000;
  expect(await told('--dns')).toBe('scutil 3');
});
