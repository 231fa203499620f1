import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { renderShim } from '../../../daemon/docker-app/shim.js';
import { dockersDevices } from '../../../daemon/vm/dockers-line.js';
import { type Device, guestNics, parseHyperkitArguments } from '../../lab/docker/hyperkit-arguments.js';
import { recorded } from '../vm/hyperkit-argv.js';
import { folder, hyperkit, mac, shellOf, shells, stage, wordsIn } from './shim-stage.js';

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
  ['dash', 5000],
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

const latin1 = (words: readonly string[]): string[] =>
  words.map((word) => Buffer.from(word).toString('latin1'));
const tapped = (args: readonly string[], result: readonly string[] | undefined): boolean =>
  result?.length === args.length + 2;

describe.each(shells)('which VMs are Docker’s, under %s', (shell) => {
  // A line that was cut off may end within an option: hyperkit would not take it either.
  const complete = recorded.filter(({ what }) => !what.endsWith('cut off'));
  test.each(complete.map(({ what, dockers, argv }) => [what, dockers, latin1(argv.slice(1))] as const))(
    '%s: %s',
    (_what, dockers, args) => {
      const [result = []] = throughAll([args], shell);
      if (args.includes('-f')) holdTo(args, result);
      const hasTap = args.some((word) => word.includes('virtio-tap,tap1'));
      expect(tapped(args, result)).toBe(dockers && !hasTap);
    },
  );
});

const home = fc.constantFrom('/Users/lena', '/Volumes/My Disk/lena');
const path = fc
  .tuple(
    home,
    fc.constantFrom(
      '/Library/Containers/com.docker.docker/Data/',
      '/com.dockery/',
      '/.minikube/machines/m/',
      '',
    ),
    fc.constantFrom('vms/0/', 'com.docker.driver.amd64-linux/', 'myvms/0/', 'state/', ''),
    fc.constantFrom('hyperkit.pid', 'vpnkit.eth.sock', 's50', 'mac.0'),
    fc.boolean(),
  )
  .map(([at, data, vm, file, isAbsolute]) => `${isAbsolute ? `${at}${data}` : ''}${vm}${file}`);
const nic = fc
  .tuple(
    fc.constantFrom('virtio-vpnkit', 'virtio-ipc', 'virtio-net'),
    fc.array(fc.tuple(fc.constantFrom('path', 'macfile', 'uuid'), path), { maxLength: 3 }),
  )
  .map(([kind, options]) => [kind, ...options.map(([name, value]) => `${name}=${value}`)].join(','));
const pidFile = path.chain((text) =>
  fc.constantFrom(['-F', text], [`-F${text}`], [`-AuF${text}`], ['-A', '-F', text]),
);
const logged = path.map((text) => ['-l', `com1,null,log=${text}`]);
const plausible = fc
  .tuple(
    nic,
    fc.option(nic),
    fc.array(fc.oneof({ weight: 2, arbitrary: pidFile }, logged), { maxLength: 2 }),
    path,
    fc.boolean(),
  )
  .map(([first, second, options, disk, isLate]) => {
    const rest = options.flat();
    const kernel = ['-f', `kexec,/k,/i,earlyprintk=serial  console=ttyS0 root=${disk} `];
    return [
      ...(isLate ? [] : rest),
      ...['-u', '-s', '0:0,hostbridge', '-s', `1:0,${first}`, '-s', `3,virtio-blk,${disk}`],
      ...(second === null ? [] : ['-s', `2,${second}`]),
      ...kernel,
      ...(isLate ? rest : []),
    ];
  });

test('whatever pid file and NICs a line names, the shim and who reads ps judge alike', () => {
  const seen = { dockers: 0, others: 0 };
  fc.assert(
    fc.property(fc.array(plausible, { minLength: 250, maxLength: 250 }), (lines) => {
      for (const [index, result] of throughAll(lines, 'dash').entries()) {
        const args = lines[index] ?? [];
        const dockers = dockersDevices(args.join(' ')) !== null;
        if (tapped(args, result) !== dockers)
          throw new Error(`${String(dockers)} for ps: ${JSON.stringify(args)}`);
        seen[dockers ? 'dockers' : 'others'] += 1;
      }
    }),
    { numRuns: 8, endOnFailure: true },
  );
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(200);
});

/** Where a NIC may go after the last one without moving any, and without showing a guest what it has not seen. */
function bestPlace(devices: readonly Device[]): string | null {
  const at = devices.map(({ bus, slot, func }) => ({ bus, slot, func }));
  const isTaken = (slot: number, func?: number): boolean =>
    at.some((one) => one.bus === last.bus && one.slot === slot && (func === undefined || one.func === func));
  const order = ({ bus, slot, func }: { bus: number; slot: number; func: number }): number =>
    (bus * 32 + slot) * 8 + func;
  const last = devices
    .filter(({ driver: name }) => ['virtio-vpnkit', 'virtio-ipc', 'virtio-net', 'virtio-tap'].includes(name))
    .reduce((a, b) => (order(b) > order(a) ? b : a));
  const places = Array.from({ length: 256 }, (_, index) => ({ slot: index >> 3, func: index & 7 })).filter(
    ({ slot, func }) =>
      order({ bus: last.bus, slot, func }) > order(last) &&
      !isTaken(slot, func) &&
      (func === 0 ? !isTaken(slot) : isTaken(slot, 0)),
  );
  const found =
    places.find(({ slot }) => slot === last.slot) ?? places.find(({ func }) => func === 0) ?? places[0];
  return found ? [...(last.bus > 0 ? [last.bus] : []), found.slot, found.func].join(':') : null;
}

/** Crowded near the end of a bus, where places run out. */
const crowded = fc
  .tuple(
    fc.constantFrom(0, 0, 0, 2),
    fc.integer({ min: 27, max: 31 }),
    fc.integer({ min: 0, max: 7 }),
    fc.uniqueArray(fc.tuple(fc.integer({ min: 26, max: 31 }), fc.integer({ min: 0, max: 7 })), {
      selector: ([slot, func]) => slot * 8 + func,
      maxLength: 24,
    }),
    fc.subarray([26, 27, 28, 29, 30, 31]),
    fc.subarray([26, 27, 28, 29, 30, 31]),
  )
  .map(([bus, slot, func, single, full, whole]) => {
    const used = new Set([`${slot}:${func}`]);
    const others = [
      ...whole.flatMap((one) => [0, 1, 2, 3, 4, 5, 6, 7].map((number_) => [one, number_] as const)),
      ...full.map((one) => [one, 0] as const),
      ...single,
    ].flatMap(([one, two]) => {
      const name = `${one}:${two}`;
      if (used.has(name)) return [];
      used.add(name);
      return ['-s', `${bus}:${name},virtio-rnd`];
    });
    return [
      ...docker.filter((word) => word !== '31,lpc' && word !== '0:0,hostbridge' && word !== '-s'),
    ].concat(['-s', `${bus}:${slot}:${func},virtio-vpnkit,path=x`], others);
  });

test('the place is the best one that is left, and there is one as long as any is left', () => {
  const seen = { none: 0, beside: 0 };
  fc.assert(
    fc.property(fc.array(crowded, { minLength: 500, maxLength: 500 }), (lines) => {
      for (const [index, result] of throughAll(lines, 'dash').entries()) {
        const args = lines[index] ?? [];
        const line = parseHyperkitArguments(args);
        if (!line.ok || !line.vm) throw new Error(`no line of hyperkit’s: ${JSON.stringify(args)}`);
        const place = bestPlace(line.vm.devices);
        const added = tapped(args, result) ? (result[1]?.split(',')[0] ?? '') : null;
        if (added !== place)
          throw new Error(`${String(added)} instead of ${String(place)}: ${JSON.stringify(args)}`);
        holdTo(args, result);
        if (place === null) seen.none += 1;
        else if (place.startsWith('31:') && !place.endsWith(':0')) seen.beside += 1;
      }
    }),
    { numRuns: 6, endOnFailure: true },
  );
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(20);
});
