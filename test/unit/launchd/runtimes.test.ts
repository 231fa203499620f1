/** Which runtime a macOS gets: the rule that TypeScript asks and the one that a shell asks before any runtime is. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { current, old, runtimeFor, unsupported } from '../../../daemon/lib/runtimes.js';

let checkout: string;

beforeAll(() => {
  checkout = realpathSync(mkdtempSync(join(tmpdir(), 'runtimes-')));
  const program = (path: string, text: string): void => {
    mkdirSync(join(checkout, path, '..'), { recursive: true });
    writeFileSync(join(checkout, path), text);
    chmodSync(join(checkout, path), 0o755);
  };
  const script = readFileSync(join(process.cwd(), 'launchd/runtime.sh'), 'utf8');
  program('launchd/runtime.sh', script.replace('/usr/bin/sw_vers', join(checkout, 'sw_vers')));
  // As on a Mac: what the environment says of compatibility decides what it answers.
  program(
    'sw_vers',
    `#!/bin/sh\n[ -z "\${SYSTEM_VERSION_COMPAT:-}" ] || exec echo 10.16\ncat ${checkout}/macos\n`,
  );
  for (const name of ['node-made-x64', 'node-made-old-x64']) program(`node_modules/${name}/bin/node`, '');
});

afterAll(() => {
  rmSync(checkout, { recursive: true, force: true });
});

function askedByShell(macos: string): { status: number | null; stdout: string; stderr: string } {
  writeFileSync(join(checkout, 'macos'), `${macos}\n`);
  return spawnSync(join(checkout, 'launchd/runtime.sh'), {
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin', SYSTEM_VERSION_COMPAT: '1' },
  });
}

describe.each([
  ['26.1', current],
  ['15.7.2', current],
  ['14.0', current],
  ['13.10', current],
  ['13.5', current],
  ['13.4.1', old],
  ['13.0', old],
  ['12.7.6', old],
  ['11', old],
  ['10.15.7', old],
  ['10.15', old],
  ['10.14.6', null],
  ['10.9', null],
  ['9.2', null],
  ['', null],
  ['macOS 14', null],
])('macOS %j', (macos, runtime) => {
  test('has its runtime, asked by TypeScript and by the shell', () => {
    expect(runtimeFor(macos)).toBe(runtime);
    const { status, stdout, stderr } = askedByShell(macos);
    const name = runtime === current ? 'node-made-x64' : 'node-made-old-x64';
    if (runtime)
      expect({ status, stdout }).toEqual({
        status: 0,
        stdout: `${checkout}/node_modules/${name}/bin/node\n`,
      });
    else {
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toContain(macos);
    }
  });
});

test('shell and TypeScript agree on every version', () => {
  fc.assert(
    fc.property(fc.tuple(fc.nat(30), fc.nat(20), fc.nat(9)), fc.constantFrom(1, 2, 3), (numbers, length) => {
      const macos = numbers.slice(0, length).join('.');
      const { stdout } = askedByShell(macos);
      const told = stdout === '' ? null : stdout.includes('-old-') ? old : current;
      expect(runtimeFor(macos)).toBe(told);
    }),
    { numRuns: 60 },
  );
});

test('what nobody mends any more is said, with what would help', () => {
  expect(unsupported(old, '12.7.6')).toMatch(
    /^node 20\.\d+\.\d+ gets no security fixes since April 2026, and macOS 12\.7\.6 runs no newer one; macOS 13\.5 and newer get node 26\./,
  );
  expect(unsupported(current, '14.0')).toBeNull();
});
