/** What macOS makes of a resolver file, and how it is had to forget what it has kept. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { CommandResult } from '../../../daemon/lib/command.js';
import { forgetNames } from '../../../daemon/mac/mdns-responder.js';
import { askTaken, parseTaken } from '../../../daemon/mac/taken-resolver.js';

const text = readFileSync(join(import.meta.dirname, '../../fixtures/scutil/with-our-resolver.txt'), 'utf8');
const saying =
  (stdout: string, stderr = '', exitCode = 0) =>
  (): Promise<CommandResult> =>
    Promise.resolve({ stdout, stderr, exitCode });

describe('scutil --dns', () => {
  test.each<[string, number, ReturnType<typeof parseTaken>]>([
    ['docker', 299, { isOffline: true }],
    ['docker.test', 298, { isOffline: false }],
    ['docker', 298, null],
    ['scoped', 299, null],
    ['local', 299, null],
    ['dock', 299, null],
  ])('%s at port %i', (zone, port, taken) => {
    expect(parseTaken(text, zone, port)).toEqual(taken);
  });

  test('without any resolver there is none, and what is no such text says nothing', async () => {
    expect(parseTaken('No DNS configuration available\n', 'docker', 299)).toBeNull();
    expect(parseTaken('usage: scutil', 'docker', 299)).toBeUndefined();
    expect(await askTaken('docker', 299, saying('', 'it hangs', 1))).toMatchObject({
      known: false,
      why: 'scutil --dns: it hangs',
    });
    expect(await askTaken('docker', 299, saying(text))).toMatchObject({ value: { isOffline: true } });
  });
});

test('mDNSResponder alone is signalled, as macOS runs it and no user can', async () => {
  const signalled: number[] = [];
  const hangUp = (pid: number): void => {
    signalled.push(pid);
  };
  const list = [
    '  100    65 mDNSResponder   ',
    '  101     0 mDNSResponderHel',
    '  102   501 mDNSResponder   ',
    '  103    65 other           ',
    ' 6565     0 launchd         ',
    '',
  ].join('\n');
  expect(await forgetNames(saying(list), hangUp)).toBe(true);
  expect(signalled).toEqual([100]);
  expect(await forgetNames(saying('    1     0 launchd\n'), hangUp)).toBe(false);
  await expect(forgetNames(saying('', 'ps: no', 1), hangUp)).rejects.toThrow('ps: no');
  expect(signalled).toEqual([100]);
});
