import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { renderShim } from '../../../daemon/docker-app/shim.js';
import { type Device, guestNics, parseHyperkitArguments } from '../../lab/docker/hyperkit-arguments.js';
import { folder, hyperkit, mac, shellOf, stage, wordsIn } from './shim-stage.js';

beforeAll(() => {
  // Thousands of lines are not for the log of the machine that runs this.
  stage(renderShim({ device: 'tap1', mac, wait: 0 }).replaceAll('/usr/bin/logger', ':'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/**
 * What the original is started with, for each of many command lines: one shell starts them all, one by one. Words are
 * bytes, one a character.
 */
function throughAll(lines: readonly (readonly string[])[], shell: string): string[][] {
  const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
  const end = 'end of one command line';
  const script = lines
    .map(
      (args) =>
        `${[shellOf(shell), hyperkit, ...args].map(quoted).join(' ')} || exit\nprintf '%s\\0' '${end}'\n`,
    )
    .join('');
  const { stdout, stderr, status } = spawnSync('/bin/sh', [], {
    input: Buffer.from(script, 'latin1'),
    maxBuffer: 1 << 28,
    env: { LC_ALL: 'C.UTF-8' },
  });
  if (status !== 0 || stderr.length > 0)
    throw new Error(`ended with ${status ?? 'a signal'}: ${stderr.toString()}`);
  const results: string[][] = [[]];
  for (const word of wordsIn(stdout.toString('latin1'))) {
    if (word === end) results.push([]);
    else results.at(-1)?.push(word);
  }
  return results.slice(0, -1);
}

const describeNic = ({ driver, options }: Device): string => `${driver},${options}`;

/** Throws when `result` is not what may become of `args`; else whether hyperkit starts a VM, and one with the tap. */
function holdTo(args: readonly string[], result: readonly string[]): 'refused' | 'unchanged' | 'tapped' {
  const before = parseHyperkitArguments(args);
  const accepted = before.ok && before.vm ? before.vm : null;
  if (result.length === args.length) {
    expect(result).toEqual(args);
    return accepted ? 'unchanged' : 'refused';
  }
  expect(result.slice(2)).toEqual(args);
  expect(result[0]).toBe('-s');
  if (before.ok && !before.vm) throw new Error(`there is no VM to start: ${JSON.stringify(args)}`);
  if (!accepted) return 'refused';
  const after = parseHyperkitArguments(result);
  if (!after.ok || !after.vm) throw new Error(`hyperkit would refuse ${JSON.stringify(result)}`);
  const names = guestNics(accepted.devices).map(describeNic);
  expect(guestNics(after.vm.devices).map(describeNic)).toEqual([...names, `virtio-tap,tap1,mac=${mac}`]);
  expect(after.vm.devices).toHaveLength(accepted.devices.length + 1);
  return 'tapped';
}

const meaningful = Array.from('\n\t ,:;&"\'\\$`-s01*[~=');
/** Any bytes but NUL: arguments are no text, least of all UTF-8. */
const bytes = fc
  .array(
    fc.oneof(
      fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
      fc.constantFrom(...meaningful),
    ),
    { maxLength: 6 },
  )
  .map((characters) => characters.join(''));
/** A number, mostly plain; else in one of the ways that sscanf, getopt or a shell may see differently. */
const number = (max: number): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.integer({ min: 0, max }).map(String) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom('0', '00', '0'.repeat(200), '0'.repeat(600)), fc.integer({ min: 0, max }))
        .map(([zeros, value]) => `${zeros}${value}`),
    },
    fc.constantFrom(
      ...[
        '',
        '+1',
        '-1',
        '-0',
        ' 1',
        '\t1',
        '\n1',
        '1 ',
        '08',
        '0x1',
        '1x',
        '1e1',
        '\xb2',
        '\xd9\xa1',
        '4294967297',
      ],
      ...['99999999999999999999', '18446744073709551616', '9223372036854775808'],
    ),
  );
const place = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(number(31), number(7)).map((numbers) => numbers.join(':')) },
  { weight: 4, arbitrary: number(32) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.oneof(number(2), number(256)), number(31), number(8))
      .map((numbers) => numbers.join(':')),
  },
  fc.tuple(number(1), number(1), number(1), number(1)).map((numbers) => numbers.join(':')),
  bytes,
);
const driver = fc.oneof(
  fc.constantFrom('virtio-vpnkit', 'virtio-net', 'virtio-ipc', 'virtio-tap', 'ahci-hd', 'virtio-rnd', 'lpc'),
  { weight: 20, arbitrary: fc.constantFrom('virtio-blk', 'virtio-net', 'virtio-sock') },
  bytes,
);
const settings = fc.oneof(
  fc.constantFrom('', ',', ',,', ',a=b;c  d', ',tap2,mac=x', ',path=vms/0/"a" & b'),
  fc.constantFrom(',tap1', ',tap11', ',tap1,mac=x'),
  bytes,
);
const device = fc.tuple(place, driver, settings).map(([where, name, rest]) => `${where},${name}${rest}`);
const word = fc.oneof(
  { weight: 8, arbitrary: device.map((text) => ['-s', text]) },
  { weight: 4, arbitrary: device.map((text) => [`-s${text}`]) },
  { weight: 2, arbitrary: device.map((text) => [`-Aus${text}`]) },
  {
    weight: 8,
    arbitrary: fc.constantFrom(
      ['-A'],
      ['-Au'],
      ['-c', '2'],
      ['-m1G'],
      ['-F', 'vms/0/hyperkit.pid'],
      ['-f', 'kexec,a,,b'],
      ['-l', 'com1,autopty=vms/0/tty,asl'],
      ['-U', '-s1:0,lpc'],
    ),
  },
  fc.constantFrom(
    ['-F', '/tmp/x.pid'],
    ['--'],
    ['-'],
    ['-Z'],
    ['-v'],
    ['-AM'],
    ['-Y'],
    ['-s'],
    ['--help'],
    ['word'],
  ),
  bytes.map((text) => [text]),
  bytes.map((text) => [`-${text}`]),
);

const lineOf = (words: readonly (readonly string[])[]): string[] => words.flat();
const any = fc.array(word, { maxLength: 8 }).map(lineOf);
const docker = [
  '-A',
  '-u',
  '-F',
  'vms/0/hyperkit.pid',
  '-s',
  '0:0,hostbridge',
  '-s',
  '31,lpc',
  '-f',
  'kexec,a,b,c d',
];
/** Docker's own shape, disturbed: many of these get the tap. */
const dockerish = fc
  .tuple(place, fc.array(word, { maxLength: 5 }))
  .map(([where, words]) => [
    ...docker,
    '-s',
    `${where},virtio-vpnkit,path=vpnkit.eth.sock`,
    ...lineOf(words),
  ]);

test.each([
  ['dash', 10_000],
  ['bash', 1000],
  ['zsh', 1000],
])(
  'for any command line, under %s: one -s pair in front or nothing, accepted by hyperkit whenever the line was, NICs keep their names, once is enough',
  (shell, count) => {
    const each = 500;
    const seen = { refused: 0, unchanged: 0, tapped: 0 };
    fc.assert(
      fc.property(
        fc.array(fc.oneof(any, { weight: 3, arbitrary: dockerish }), { minLength: each, maxLength: each }),
        (lines) => {
          const results = throughAll(lines, shell);
          expect(results).toHaveLength(lines.length);
          for (const [index, result] of results.entries()) seen[holdTo(lines[index] ?? [], result)] += 1;
          const tapped = results.filter((result, index) => result.length > (lines[index]?.length ?? 0));
          expect(throughAll(tapped, shell)).toEqual(tapped);
        },
      ),
      { numRuns: count / each, endOnFailure: true },
    );
    // A generator that hardly ever makes a line that hyperkit takes would prove nothing.
    expect(seen.tapped).toBeGreaterThan(count / 10);
    expect(seen.unchanged).toBeGreaterThan(count / 100);
  },
  300_000,
);

const real = '../shared/hyperkit-argv.jsonl';
if (existsSync(real)) {
  const recorded = readFileSync(real, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { product: string; truncated: boolean; argv: string[] });
  const isDocker = /^docker-(for-mac|desktop)$/;
  const complete = recorded.filter(({ truncated, argv }) => !truncated && argv.includes('-s'));
  const args = (argv: string[]): string[] => argv.slice(argv[0]?.startsWith('-') === true ? 0 : 1);
  const latin1 = (words: string[]): string[] => words.map((word) => Buffer.from(word).toString('latin1'));
  test.each(complete.map(({ product, argv }) => [product, latin1(args(argv))] as const))(
    'a real command line of %s: %j',
    (product, argv) => {
      const [result = []] = throughAll([argv], 'bash');
      expect(holdTo(argv, result)).toBe(isDocker.test(product) ? 'tapped' : 'unchanged');
    },
  );
}
