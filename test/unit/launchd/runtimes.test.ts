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
import {
  machineOf,
  type Processor,
  runtimeFor,
  runtimes,
  unsupported,
} from '../../../daemon/lib/runtimes.js';

const processors = ['x64', 'arm64'] as const;
/** What npm calls the older runtime of each, and what the kernel calls its processor. */
const oldName = { x64: 'node-made-old-x64', arm64: 'node-made-11-arm64' };
const kernel = { x64: 'X86_64', arm64: 'ARM64_T8103' };

let checkout: string;

beforeAll(() => {
  checkout = realpathSync(mkdtempSync(join(tmpdir(), 'runtimes-')));
  const program = (path: string, text: string): void => {
    mkdirSync(join(checkout, path, '..'), { recursive: true });
    writeFileSync(join(checkout, path), text);
    chmodSync(join(checkout, path), 0o755);
  };
  const script = readFileSync(join(process.cwd(), 'launchd/runtime.sh'), 'utf8');
  program('launchd/runtime.sh', script.replaceAll(/\/usr\/bin\/(?=sw_vers|uname)/g, `${checkout}/`));
  // As on a Mac: what the environment says of compatibility decides what it answers.
  program(
    'sw_vers',
    `#!/bin/sh\n[ -z "\${SYSTEM_VERSION_COMPAT:-}" ] || exec echo 10.16\ncat ${checkout}/macos\n`,
  );
  // A terminal by Rosetta, whose machine is that of an Intel Mac on either processor.
  program('uname', `#!/bin/sh\ncase $1 in -v) cat ${checkout}/kernel ;; *) echo x86_64 ;; esac\n`);
  for (const processor of processors)
    for (const name of [`node-made-${processor}`, oldName[processor]])
      program(`node_modules/${name}/bin/node`, '');
});

afterAll(() => {
  rmSync(checkout, { recursive: true, force: true });
});

function askedByShell(
  macos: string,
  processor: Processor,
): { status: number | null; stdout: string; stderr: string } {
  writeFileSync(
    join(checkout, 'kernel'),
    `Darwin Kernel Version 23.6.0: Mon Jul 29 2024; root:xnu-10063.141.2~1/RELEASE_${kernel[processor]}\n`,
  );
  writeFileSync(join(checkout, 'macos'), `${macos}\n`);
  return spawnSync(join(checkout, 'launchd/runtime.sh'), {
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin', SYSTEM_VERSION_COMPAT: '1' },
  });
}

type Which = keyof (typeof runtimes)['x64'];
const [current, old] = ['current', 'old'] as const;

describe.each<[string, Which | null]>([
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
])('macOS %j', (macos, which) => {
  test.each(processors)('has its runtime for %s, asked by TypeScript and by the shell', (processor) => {
    expect(runtimeFor(macos, processor)).toBe(which && runtimes[processor][which]);
    const { status, stdout, stderr } = askedByShell(macos, processor);
    const name = which === current ? `node-made-${processor}` : oldName[processor];
    if (which)
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
    fc.property(
      fc.tuple(fc.nat(30), fc.nat(20), fc.nat(9)),
      fc.constantFrom(1, 2, 3),
      fc.constantFrom(...processors),
      (numbers, length, processor) => {
        const macos = numbers.slice(0, length).join('.');
        const { stdout } = askedByShell(macos, processor);
        const of = runtimes[processor];
        const told = stdout === '' ? null : stdout.includes(oldName[processor]) ? of.old : of.current;
        expect(runtimeFor(macos, processor)).toBe(told);
      },
    ),
    { numRuns: 60 },
  );
});

test('what nobody mends any more is said, with what would help', () => {
  expect(unsupported(runtimes.x64.old, '12.7.6')).toMatch(
    /^node 20\.\d+\.\d+ gets no security fixes since April 2026, and macOS 12\.7\.6 runs no newer one; macOS 13\.5 and newer get node 26\./,
  );
  expect(unsupported(runtimes.x64.current, '14.0')).toBeNull();
  expect(unsupported(runtimes.arm64.old, '12.7.6')).toBeNull();
});

const darwin = (processor: string, machine: string): string =>
  `Darwin Kernel Version 20.1.0: Sat Oct 31 00:07:10 PDT 2020; root:xnu-7195.50.7~2/RELEASE_${processor} ${machine}\n`;

test.each([
  ['an Intel Mac', darwin('X86_64', 'x86_64'), { processor: 'x64', isTranslated: false }],
  ['Apple silicon', darwin('ARM64_T8101', 'arm64'), { processor: 'arm64', isTranslated: false }],
  [
    'Apple silicon, seen by Rosetta',
    darwin('ARM64_T8101', 'x86_64'),
    { processor: 'arm64', isTranslated: true },
  ],
])('uname tells %s', (_what, said, machine) => {
  expect(machineOf(said)).toEqual(machine);
});
