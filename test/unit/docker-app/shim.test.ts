import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { renderShim } from '../../../daemon/docker-app/shim.js';
import { guestNics, parseHyperkitArguments } from '../../lab/docker/hyperkit-arguments.js';

let folder: string;
const mac = '02:74:75:6e:74:61';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'shim-'));
  const hyperkit = join(folder, 'com.docker.hyperkit');
  writeFileSync(hyperkit, renderShim({ device: 'tap1', mac, wait: 0 }));
  writeFileSync(`${hyperkit}.original`, '#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done\n');
  for (const path of [hyperkit, `${hyperkit}.original`]) chmodSync(path, 0o755);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const shells: Record<string, string[]> = {
  dash: ['dash'],
  'bash --posix': ['bash', '--posix'],
  zsh: ['zsh', '--emulate', 'sh'],
};

/** The arguments with which the original is started. */
function through(
  args: readonly string[],
  shell: string[] = ['/bin/sh'],
  path = join(folder, 'com.docker.hyperkit'),
): string[] {
  const [program = '', ...options] = shell;
  const { stdout, stderr, status } = spawnSync(program, [...options, path, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${shell.join(' ')} ended with ${status ?? 'a signal'}: ${stderr}`);
  return stdout.split('\0').slice(0, -1);
}

const docker = ['-A', '-u', '-F', 'vms/0/hyperkit.pid', '-s', '0:0,hostbridge', '-s', '31,lpc'];
const vpnkit = (place: string): string[] => ['-s', `${place},virtio-vpnkit,path=vpnkit.eth.sock`];
const tapAt = (place: string): string[] => ['-s', `${place},virtio-tap,tap1,mac=${mac}`];

describe.each(Object.entries(shells))('under %s', (_name, shell) => {
  test.each<[string, string[], string]>([
    ['the next function of the NIC’s slot', vpnkit('1:0'), '1:1'],
    ['after the last of two NICs', [...vpnkit('2:0'), '-s', '3:0,virtio-net'], '3:1'],
    ['past a disk on the next function', [...vpnkit('1:0'), '-s', '1:1,ahci-hd,x'], '1:2'],
    [
      'the next free slot after function 7',
      [...vpnkit('2:0'), ...[1, 2, 3, 4, 5, 6, 7].flatMap((func) => ['-s', `2:${func},virtio-rnd`])],
      '3:0',
    ],
    ['joined options, a bus and leading zeros', ['-s0:01:00,virtio-vpnkit,path=x'], '1:1'],
  ])('the tap comes %s', (_what, nics, place) => {
    const args = [...docker, ...nics];
    expect(through(args, shell)).toEqual([...tapAt(place), ...args]);
  });

  test.each<[string, string[]]>([
    ['a NIC that is only the argument of another option', [...docker, '-Y', '-s1:0,virtio-vpnkit,path=x']],
    ['no NIC', docker],
    ['our tap is there already', [...docker, ...vpnkit('1:0'), ...tapAt('1:1')]],
    ['version', ['-v']],
    ['help among flags', ['-Ah', ...docker, ...vpnkit('1:0')]],
    ['an option it does not know', [...docker, ...vpnkit('1:0'), '-Z']],
    ['a place it does not understand', [...docker, '-s', 'x:y,virtio-vpnkit']],
    ['a slot too high', [...docker, '-s', '99,virtio-vpnkit']],
    ['octal to a careless shell', [...docker, '-s', '08:09,virtio-vpnkit']],
    ['an option without its argument', [...docker, ...vpnkit('1:0'), '-s']],
    [
      'minikube’s VM',
      ['-A', '-u', '-F', '/Users/person/.minikube/machines/m/hyperkit.pid', '-s', '1:0,virtio-net'],
    ],
    ['nothing at all', []],
    ['odd words', [...docker, '', ' two  blanks ', ';&"$(x)`y`', '*', 'new\nline', ',,']],
  ])('started as it is: %s', (_what, args) => {
    expect(through(args, shell)).toEqual(args);
  });
});

test('reached through a symlink it finds the original beside the real file', () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'link-'));
  try {
    symlinkSync(join(folder, 'com.docker.hyperkit'), join(elsewhere, 'hyperkit'));
    expect(through(docker, ['/bin/sh'], join(elsewhere, 'hyperkit'))).toEqual(docker);
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});

test('without an original it says which file is missing and ends with 127', () => {
  const alone = join(folder, 'alone');
  writeFileSync(alone, renderShim({ device: 'tap1', mac, wait: 0 }), { mode: 0o755 });
  const { status, stderr } = spawnSync(alone, docker, { encoding: 'utf8' });
  expect(status).toBe(127);
  expect(stderr).toContain(`${alone}.original`);
});

const place = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0, max: 33 }), fc.integer({ min: 0, max: 8 }))
    .map(([slot, func]) => `${slot}:${func}`),
  fc.integer({ min: 0, max: 31 }).map(String),
  fc.string({ maxLength: 4 }),
);
const driver = fc.constantFrom(
  'virtio-vpnkit',
  'virtio-net',
  'virtio-ipc',
  'virtio-tap',
  'ahci-hd',
  'virtio-rnd',
  'lpc',
);
const device = fc
  .tuple(place, driver, fc.constantFrom('', ',', ',a=b;c d', ',tap1', ',tap2,mac=x'))
  .map(([where, name, options]) => `${where},${name}${options}`);
const word = fc.oneof(
  device.map((text) => ['-s', text]),
  device.map((text) => [`-s${text}`]),
  fc.constantFrom(
    ['-A'],
    ['-Au'],
    ['-c', '2'],
    ['-F', 'vms/0/hyperkit.pid'],
    ['--'],
    ['-f', 'kexec,a,,b'],
    ['-Z'],
  ),
  fc
    .string({ maxLength: 6 })
    .filter((text) => !text.includes('\0'))
    .map((text) => [text]),
);

/** What the original is started with, for each of many command lines: one shell starts them all, one by one. */
function throughAll(lines: readonly (readonly string[])[], shell: readonly string[]): string[][] {
  const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
  const end = 'end of one command line';
  const shim = join(folder, 'com.docker.hyperkit');
  const script = lines
    .map((args) => `${[...shell, shim, ...args].map(quoted).join(' ')} || exit\nprintf '%s\\0' '${end}'\n`)
    .join('');
  const { stdout, stderr, status } = spawnSync('/bin/sh', [], {
    input: script,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`ended with ${status ?? 'a signal'}: ${stderr}`);
  const results: string[][] = [[]];
  for (const word of stdout.split('\0').slice(0, -1)) {
    if (word === end) results.push([]);
    else results.at(-1)?.push(word);
  }
  return results.slice(0, -1);
}

/** Throws when `result` is not what may become of `args`. */
function holdTo(args: readonly string[], result: readonly string[]): void {
  if (result.length === args.length) {
    expect(result).toEqual(args);
    return;
  }
  expect(result.slice(2)).toEqual(args);
  expect(result[0]).toBe('-s');
  const before = parseHyperkitArguments(args);
  const after = parseHyperkitArguments(result);
  if (!before.ok || !before.vm) return;
  if (!after.ok || !after.vm) throw new Error(`hyperkit would refuse ${JSON.stringify(result)}`);
  const names = guestNics(before.vm.devices).map(({ options }) => options);
  const nics = guestNics(after.vm.devices);
  expect(nics.slice(0, names.length).map(({ options }) => options)).toEqual(names);
  expect(nics.at(-1)?.options).toBe(`tap1,mac=${mac}`);
}

const lineOf = (words: readonly (readonly string[])[]): string[] => words.flat();
const any = fc.array(word, { maxLength: 8 }).map(lineOf);
/** Docker's own shape, disturbed: most of these get the tap. */
const dockerish = fc
  .tuple(place, fc.array(word, { maxLength: 5 }))
  .map(([where, words]) => [...docker, ...vpnkit(where), ...lineOf(words)]);

test.each([
  ['dash', 10_000],
  ['bash --posix', 1000],
  ['zsh', 1000],
])(
  'for any command line, under %s: one -s pair in front or nothing, accepted by hyperkit whenever the line was, NICs keep their names, once is enough',
  (name, count) => {
    const shell = shells[name] ?? [];
    const each = 500;
    let taps = 0;
    fc.assert(
      fc.property(fc.array(fc.oneof(any, dockerish), { minLength: each, maxLength: each }), (lines) => {
        const results = throughAll(lines, shell);
        expect(results).toHaveLength(lines.length);
        for (const [index, result] of results.entries()) holdTo(lines[index] ?? [], result);
        const tapped = results.filter((result, index) => result.length > (lines[index]?.length ?? 0));
        taps += tapped.length;
        expect(throughAll(tapped, shell)).toEqual(tapped);
      }),
      { numRuns: count / each, endOnFailure: true },
    );
    // A generator that hardly ever makes a line worth a tap would prove nothing.
    expect(taps).toBeGreaterThan(count / 10);
  },
  300_000,
);

const real = '../shared/hyperkit-argv.jsonl';
if (existsSync(real)) {
  const lines = readFileSync(real, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { product: string; truncated: boolean; argv: string[] });
  const complete = lines.filter(
    ({ product, truncated }) => !truncated && /^docker-(for-mac|desktop)$/.test(product),
  );
  test.each(complete.map(({ argv }) => [argv.slice(argv[0]?.startsWith('-') === true ? 0 : 1)]))(
    'a real command line of Docker gets eth1 on the tap: %j',
    (argv) => {
      const result = through(argv);
      expect(result.slice(2)).toEqual(argv);
      const parsed = parseHyperkitArguments(result);
      expect(parsed.ok && parsed.vm && guestNics(parsed.vm.devices).at(-1)?.driver).toBe('virtio-tap');
    },
  );
}
