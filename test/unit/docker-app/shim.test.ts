import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { renderShim } from '../../../daemon/docker-app/shim.js';
import { parseHyperkitArguments } from '../../lab/docker/hyperkit-arguments.js';
import { folder, hyperkit, mac, script, shellOf, shells, stage, wordsIn } from './shim-stage.js';

const shim = renderShim({ device: 'tap1', mac, wait: 5 });
const log = join(folder, 'log');
const dev = join(folder, 'dev');
const naps = join(folder, 'naps');

/** The shim with the machine's logger, sleep and devices replaced by some of the test. */
const harmless = (text: string): string =>
  text
    .replaceAll('/usr/bin/logger', join(folder, 'logger'))
    .replaceAll('/bin/sleep', join(folder, 'sleep'))
    .replaceAll('/dev/t', `${dev}/t`)
    .replaceAll('/dev/$', `${dev}/$`);

beforeAll(() => {
  stage(harmless(shim));
  script(join(folder, 'logger'), `#!/bin/sh\nprintf '%s\\n' "$*" >>'${log}'\n`);
  script(
    join(folder, 'sleep'),
    `#!/bin/sh\necho "$1" >>'${naps}'\nread -r after <'${naps}.until' || exit\n[ "$(wc -l <'${naps}')" -lt "$after" ] || echo >'${dev}/tap1'\n`,
  );
});

beforeEach(() => {
  rmSync(dev, { recursive: true, force: true });
  mkdirSync(dev);
  writeFileSync(log, '');
  writeFileSync(naps, '');
  writeFileSync(`${naps}.until`, '');
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const lines = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1);

interface Where {
  readonly shell?: string;
  readonly path?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** The arguments with which the original is started. */
function through(
  args: readonly string[],
  { shell = '/bin/sh', path = hyperkit, cwd = '/', env = {} }: Where = {},
): string[] {
  const { stdout, stderr, status } = spawnSync(shell, [path, ...args], { encoding: 'utf8', cwd, env });
  if (status !== 0) throw new Error(`${shell} ended with ${status ?? 'a signal'}: ${stderr}`);
  expect(stderr).toBe('');
  return wordsIn(stdout);
}

const firmware = ['-f', 'kexec,kernel,initrd,console=ttyS0  "a b";&'];
const docker = [
  ...['-A', '-u', '-F', 'vms/0/hyperkit.pid', '-s', '0:0,hostbridge', '-s', '31,lpc'],
  ...firmware,
];
const vpnkit = (place: string): string[] => ['-s', `${place},virtio-vpnkit,path=vpnkit.eth.sock`];
const tapAt = (place: string): string[] => ['-s', `${place},virtio-tap,tap1,mac=${mac}`];
const functions = (slot: number, ...numbers: number[]): string[] =>
  numbers.flatMap((func) => ['-s', `${slot}:${func},virtio-rnd`]);
const minikube = '/Users/person/.minikube/machines/m/hyperkit.pid';

describe.each(shells)('under %s', (name) => {
  const shell = shellOf(name);

  test.each<[string, string[], string]>([
    ['the next function of the NIC’s slot', vpnkit('1:0'), '1:1'],
    ['after one NIC on a function', [...vpnkit('2:7'), ...functions(2, 0)], '3:0'],
    ['after a NIC that no guest sees', vpnkit('2:7'), '3:0'],
    ['after the last of two NICs', [...vpnkit('2:0'), '-s', '3:0,virtio-net'], '3:1'],
    [
      'after the last NIC in PCI order, not in the order of arguments',
      [...vpnkit('3'), ...vpnkit('2')],
      '3:1',
    ],
    ['past a disk on the next function', [...vpnkit('1:0'), '-s', '1:1,ahci-hd,x'], '1:2'],
    ['the next free slot after function 7', [...vpnkit('2:0'), ...functions(2, 1, 2, 3, 4, 5, 6, 7)], '3:0'],
    [
      'past slots in use, even by function 1 alone',
      [...vpnkit('2:0'), ...functions(2, 1, 2, 3, 4, 5, 6, 7), ...functions(3, 1), ...functions(4, 0)],
      '5:0',
    ],
    ['at 31:1 beside lpc, when lpc is no obstacle', [...vpnkit('30:0'), ...functions(30, 1, 2)], '30:3'],
    ['at 31:1 beside lpc, when nothing else is left', [...vpnkit('30:7'), ...functions(30, 0)], '31:1'],
    [
      'beside a later device when no slot is empty',
      [...vpnkit('29:7'), ...functions(29, 0), ...functions(30, 0, 1)],
      '30:2',
    ],
    ['joined options, a bus and leading zeros', ['-s0:01:00,virtio-vpnkit,path=x'], '1:1'],
    ['leading zeros that would be octal', vpnkit('010:01'), '11:0'],
    ['on the bus of the last NIC', [...vpnkit('1:0'), '-s', '2:3:0,virtio-net'], '2:3:1'],
    ['next to a disk on another bus', [...vpnkit('1:0'), '-s', '255:1:1,virtio-blk,x'], '1:1'],
    ['next to the tap of somebody else', [...vpnkit('1:0'), '-s', '1:1,virtio-tap,tap2'], '1:2'],
    ['next to the tap of a longer name', [...vpnkit('1:0'), '-s', '1:1,virtio-tap,tap11'], '1:2'],
    ['by virtio-ipc', ['-s', '2:0,virtio-ipc,path=x'], '2:1'],
    ['by virtio-net', ['-s', '2:0,virtio-net'], '2:1'],
    ['whatever stands behind the options', [...vpnkit('1:0'), '--', '-s', '9,virtio-net', '-Z'], '1:1'],
    ['whatever stands behind a word', [...vpnkit('1:0'), 'word', '-s', '9,virtio-net', '-Z'], '1:1'],
    [
      'with odd words',
      [
        ...vpnkit('1:0'),
        '-l',
        'com1,,',
        '--',
        '',
        ' two  blanks ',
        ';&"$(x)`y`',
        '*',
        'new\nline',
        "'",
        '\\',
      ],
      '1:1',
    ],
  ])('the tap comes %s', (_what, nics, place) => {
    const args = [...docker, ...nics];
    const result = through(args, { shell });
    expect(result).toEqual([...tapAt(place), ...args]);
    expect(parseHyperkitArguments(result).ok).toBe(true);
    expect(lines(log)).toEqual([]);
  });

  test.each<[string, string[], string]>([
    [
      'a NIC that is only the argument of another option',
      [...docker, '-Y', '-s1:0,virtio-vpnkit,path=x'],
      'there is no NIC that the tap could come after',
    ],
    ['no NIC', docker, 'there is no NIC that the tap could come after'],
    [
      'our tap is there already',
      [...docker, ...vpnkit('1:0'), ...tapAt('1:1')],
      'the NIC on tap1 is already there',
    ],
    [
      'our tap is there without a MAC',
      [...docker, ...vpnkit('1:0'), '-s', '2:1,virtio-tap,tap1'],
      'the NIC on tap1 is already there',
    ],
    ['an option it does not know', [...docker, ...vpnkit('1:0'), '-Z'], 'option -Z is not understood'],
    ['a long option', [...docker, ...vpnkit('1:0'), '--help'], 'option -- is not understood'],
    [
      'a place it does not understand',
      [...docker, '-s', 'x:y,virtio-vpnkit'],
      '-s x:y,virtio-vpnkit is not understood',
    ],
    ['a slot too high', [...docker, '-s', '99,virtio-vpnkit'], '-s 99,virtio-vpnkit is not understood'],
    ['a function too high', [...docker, '-s', '1:8,virtio-vpnkit'], '-s 1:8,virtio-vpnkit is not understood'],
    [
      'a number that overflows',
      [...docker, ...vpnkit('1'), '-s', '4294967297,lpc'],
      '-s 4294967297,lpc is not understood',
    ],
    [
      'octal to a careless shell',
      [...docker, '-s', '08:09,virtio-net'],
      '-s 08:09,virtio-net is not understood',
    ],
    [
      'dangerzone’s VM, with a vpnkit of its own and no pid file',
      ['-A', ...firmware, '-s', '2:0,virtio-vpnkit,path=/Users/person/dangerzone/vm/vpnkit.eth.sock'],
      'it is not a VM of Docker Desktop (no pid file, no NIC in the folder of one)',
    ],
    [
      'a pid file without a name',
      ['-A', '-F', '', ...firmware, ...vpnkit('1:0')],
      'it is not a VM of Docker Desktop (-F )',
    ],
    ['no driver', [...docker, ...vpnkit('1:0'), '-s', '2'], '-s 2 is not understood'],
    ['an empty device', [...docker, ...vpnkit('1:0'), '-s', ''], '-s  is not understood'],
    [
      'no free place',
      [...docker, ...vpnkit('31:1'), ...functions(31, 2, 3, 4, 5, 6, 7)],
      'no PCI place is free after the last NIC',
    ],
    ['an option without its argument', [...docker, ...vpnkit('1:0'), '-s'], 'option -s has no argument'],
    ['more than a line', [...docker, ...vpnkit('1:0'), '-s', 'two\nlines'], '-s two ...'],
    [
      'minikube’s VM',
      ['-A', '-u', '-F', minikube, '-s', '1:0,virtio-net', ...firmware],
      `it is not a VM of Docker Desktop (-F ${minikube})`,
    ],
    [
      'minikube’s VM on Docker’s vpnkit',
      [
        ...['-A', '-u', '-F', minikube, ...firmware],
        ...[
          '-s',
          '1:0,virtio-vpnkit,path=/Users/person/Library/Containers/com.docker.docker/Data/vpnkit.eth.sock',
        ],
      ],
      `it is not a VM of Docker Desktop (-F ${minikube})`,
    ],
    [
      'linuxkit’s VM',
      ['-A', '-F', 'image-state/hyperkit.pid', ...vpnkit('1:0'), ...firmware],
      'it is not a VM of Docker Desktop (-F image-state/hyperkit.pid)',
    ],
    [
      'multipass’ VM',
      ['-A', '-u', '-s', '2:0,virtio-net', ...firmware],
      'it is not a VM of Docker Desktop (no pid file, no NIC in the folder of one)',
    ],
    ['nothing at all', [], 'there is no NIC that the tap could come after'],
  ])('started as it is, and one line tells why: %s', (_what, args, why) => {
    expect(through(args, { shell })).toEqual(args);
    expect(lines(log)).toEqual([`-t tuntapd hyperkit shim: hyperkit is started as it is: ${why}`]);
  });

  test.each<[string, string[]]>([
    ['version', ['-v']],
    ['help among flags', ['-Ah', ...docker, ...vpnkit('1:0')]],
    ['the MAC address', [...docker, ...vpnkit('1:0'), '-M']],
  ])('started as it is without a word, there is no VM: %s', (_what, args) => {
    expect(through(args, { shell })).toEqual(args);
    expect(lines(log)).toEqual([]);
  });

  test('forks nothing on its way, be there the device or no tap at all', () => {
    const args = [...docker, ...vpnkit('1:0')];
    // The limit of a user who runs nothing else; root has none.
    const user = process.getuid?.() === 0 ? { uid: 54_321, gid: 54_321 } : {};
    const alone = (path: string): ReturnType<typeof spawnSync> =>
      spawnSync('/bin/bash', ['-c', 'ulimit -u 1; exec "$@"', '-', shell, path, ...args], {
        cwd: '/',
        ...user,
      });
    const forking = join(folder, 'forking');
    script(forking, '#!/bin/sh\nx=$(/bin/echo x)\n[ "$x" = x ]\n');
    expect(alone(forking).status).not.toBe(0);
    expect(wordsIn(alone(hyperkit).stdout.toString())).toEqual([...tapAt('1:1'), ...args]);
    for (const device of ['tap0', 'tap1']) {
      writeFileSync(join(dev, device), '');
      chmodSync(join(dev, device), 0o666);
    }
    expect(wordsIn(alone(hyperkit).stdout.toString())).toEqual([...tapAt('1:1'), ...args]);
  });

  test('hands on every descriptor as it got it, and no other', () => {
    const path = join(folder, `descriptors-${name}`);
    script(path, shim);
    script(`${path}.original`, '#!/bin/sh\nexec /bin/ls -l /proc/self/fd\n');
    const of = (program: string[]): string[] =>
      spawnSync(
        '/bin/bash',
        [
          '-c',
          'exec 3<"$0" 9>/dev/null 10<"$0" 11<&0 255<"$0"; exec "$@"',
          hyperkit,
          ...program,
          ...docker,
          ...vpnkit('1:0'),
        ],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
      )
        .stdout.split('\n')
        .map((line) => /\d+ -> .*/.exec(line)?.[0].replace(/(pipe|socket):.*|\/proc.*/, '$1') ?? '');
    const inherited = of([`${path}.original`]);
    expect(inherited.filter((line) => line.endsWith(hyperkit))).toHaveLength(3);
    expect(of([shell, path])).toEqual(inherited);
  });

  test('an environment that has a shell end at the first surprise changes nothing', () => {
    const args = [...docker, ...vpnkit('1:0')];
    const env = {
      SHELLOPTS: 'errexit:nounset',
      ENV: '/nowhere',
      BASH_ENV: '/nowhere',
      IFS: '0123',
      LC_ALL: 'C.UTF-8',
    };
    expect(through(args, { shell, env })).toEqual([...tapAt('1:1'), ...args]);
    expect(through(docker, { shell, env })).toEqual(docker);
  });

  test.each<[string, string[], string]>([
    ['missing', [], 'missing'],
    ['not executable', ['644'], 'plain'],
    ['a folder', ['folder'], 'folder'],
  ])('an original that is %s: a message for people there and in the log, and 127', (_what, made, called) => {
    const path = join(folder, `${called}-${name}`);
    script(path, harmless(shim));
    if (made[0] === '644') writeFileSync(`${path}.original`, '', { mode: 0o644 });
    if (made[0] === 'folder') mkdirSync(`${path}.original`);
    const { status, stdout, stderr } = spawnSync(shell, [path, ...docker], { encoding: 'utf8' });
    const message = `${path}.original is missing or not executable: Docker cannot start its VM. Reinstall Docker Desktop, the shim comes back by itself`;
    expect({ status, stdout, stderr }).toEqual({ status: 127, stdout: '', stderr: `tuntapd: ${message}\n` });
    expect(lines(log)).toEqual([`-t tuntapd hyperkit shim: ${message}`]);
  });

  describe('while the tap is not ready', () => {
    const args = [...docker, ...vpnkit('1:0')];

    test('it waits four looks a second, and starts Docker with the tap once it is', () => {
      writeFileSync(join(dev, 'tap0'), '');
      writeFileSync(`${naps}.until`, '3\n');
      expect(through(args, { shell })).toEqual([...tapAt('1:1'), ...args]);
      expect(lines(naps)).toEqual(['0.25', '0.25', '0.25']);
      expect(lines(log)).toEqual([]);
    });

    test('it starts Docker without the tap when the time is up', () => {
      writeFileSync(join(dev, 'tap0'), '');
      writeFileSync(`${naps}.until`, '99\n');
      expect(through(args, { shell })).toEqual(args);
      expect(lines(naps)).toEqual(new Array(20).fill('0.25'));
      expect(lines(log)).toEqual([
        `-t tuntapd hyperkit shim: hyperkit is started as it is: ${dev}/tap1 did not become writable in time`,
      ]);
    });

    test('it waits for a device that is somebody else’s, also where the kext’s first one is not there', () => {
      const user = process.getuid?.() === 0 ? { uid: 54_321, gid: 54_321 } : {};
      writeFileSync(join(dev, 'tap1'), '', { mode: 0o400 });
      writeFileSync(`${naps}.until`, '99\n');
      for (const file of [log, naps]) chmodSync(file, 0o666);
      const { stdout } = spawnSync(shell, [hyperkit, ...args], { encoding: 'utf8', cwd: '/', ...user });
      expect(wordsIn(stdout)).toEqual(args);
      expect(lines(naps)).toHaveLength(20);
    });

    test('it looks once where sleep cannot run', () => {
      writeFileSync(join(dev, 'tap0'), '');
      expect(through(args, { shell })).toEqual(args);
      expect(lines(naps)).toHaveLength(1);
    });

    test('it does not wait for what would not get the tap anyway', () => {
      writeFileSync(join(dev, 'tap0'), '');
      expect(through(docker, { shell })).toEqual(docker);
      expect(lines(naps)).toEqual([]);
    });
  });
});

describe('the original is found', () => {
  const tapped = [...tapAt('1:1'), ...docker, ...vpnkit('1:0')];
  const args = tapped.slice(2);

  test.each<[string, string, string]>([
    ['from another folder by a relative path', '..', `${folder.split('/').at(-1) ?? ''}/com.docker.hyperkit`],
    ['by a bare name', '.', 'com.docker.hyperkit'],
    ['through a symlink', 'links', 'absolute'],
    ['through a relative symlink', '/', join(folder, 'links/relative')],
    ['through a chain of symlinks', 'links', './chain'],
  ])('%s', (_what, cwd, path) => {
    const links = join(folder, 'links');
    rmSync(links, { recursive: true, force: true });
    mkdirSync(links);
    symlinkSync(hyperkit, join(links, 'absolute'));
    symlinkSync('../com.docker.hyperkit', join(links, 'relative'));
    symlinkSync('relative', join(links, 'chain'));
    for (const name of shells)
      expect(
        through(args, { shell: shellOf(name), path, cwd: join(cwd === '/' ? '' : folder, cwd) }),
      ).toEqual(tapped);
  });

  test('by a bare argv[0], as Docker starts hyperkit', () => {
    const { stdout } = spawnSync(hyperkit, args, {
      argv0: 'com.docker.hyperkit',
      encoding: 'utf8',
      cwd: dirname(folder),
    });
    expect(wordsIn(stdout)).toEqual(tapped);
  });

  test('nowhere, when symlinks go round in a circle', () => {
    const circle = join(folder, 'circle');
    symlinkSync('circle', circle);
    const copy = join(folder, 'copy');
    copyFileSync(hyperkit, copy);
    for (const name of shells) {
      const { status } = spawnSync(shellOf(name), ['-c', `. '${copy}'`, circle], { encoding: 'utf8' });
      expect(status).toBe(127);
    }
  });
});
