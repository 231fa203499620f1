/** A lab Mac on a Debian that somebody uses: systemd, a firewall, a Docker Engine and emulators are there already. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { inRegistry, keeperOf, labEntries, registered } from './registry.js';
import { until } from '../lib/until.js';

jest.setTimeout(90_000);

const place = '/proc/sys/fs/binfmt_misc';
/** Bears this process's id, as the registry is one for the whole machine. */
const foreign = `foreign-${process.pid}`;
const machO = Buffer.from('cffaedfe07000001030000000200000000000000000000000000000000000000', 'hex');
/** A Mach-O of somebody else's: nobody but the emulator made here takes it. */
const theirs = Buffer.concat([machO, Buffer.from(foreign)]);
const bytes = (buffer: Buffer): string => buffer.toString('hex').replaceAll(/../g, String.raw`\x$&`);

// What a shell does to its namespaces to make such a Debian of them.
const mounted = `mountpoint --quiet ${place} || mount -t binfmt_misc binfmt_misc ${place}`;
// As systemd leaves it until somebody looks. Nobody answers there, so whoever looks waits for ever.
const automount = `exec 7> >(exec cat >/dev/null)
  mount -t autofs -o "fd=7,pgrp=$$,minproto=5,maxproto=5,direct" systemd-1 ${place}`;
const inUse = `mount --make-rshared /
  exec {checkout}<.
  mount -t tmpfs -o noexec tmpfs /tmp
  [ -e "$PWD" ] || { mkdir -p "$PWD" && mount --no-canonicalize --bind "/proc/self/fd/$checkout" "$PWD"; }
  mount -t tmpfs tmpfs /run
  (exec -a dockerd /usr/bin/perl -MIO::Socket::UNIX -e '
    my $socket = IO::Socket::UNIX->new(Local => "/run/docker.sock", Listen => 1); sleep') &
  until [ -S /run/docker.sock ]; do sleep 0.1; done
  ip link set lo up
  ip link add docker0 type bridge
  ip address add 172.17.0.1/16 dev docker0
  iptables --policy FORWARD DROP
  iptables --policy INPUT DROP
  echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
  echo 1 >/proc/sys/net/ipv4/ip_forward`;

interface Debian {
  /** The command line that runs one on it. */
  readonly on: (argv: readonly string[]) => [string, string[]];
  /** Its mounts, links, rules and sockets, and all that the registry of the machine holds but for labs'. */
  readonly state: () => string;
  readonly end: () => void;
}

const hosts = new Set<ChildProcess>();
const endHost = (host: ChildProcess): void => {
  if (hosts.delete(host) && host.pid !== undefined) process.kill(-host.pid, 'SIGKILL');
};

async function debian(arrangement: string): Promise<Debian> {
  const host = spawn(
    'unshare',
    [
      ...['--mount', '--net', '--kill-child', '--fork', '--', 'bash', '-euc'],
      `${arrangement}\necho arranged $$; exec sleep infinity`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], detached: true },
  );
  hosts.add(host);
  const pid = await new Promise<string>((resolve, reject) => {
    host.stdout.on('data', (chunk: Buffer) => {
      const found = /arranged (\d+)/.exec(chunk.toString())?.[1];
      if (found !== undefined) resolve(found);
    });
    host.once('exit', (code) => {
      reject(new Error(`the Debian could not be arranged: ${code ?? 'killed'}`));
    });
  });
  const on = (argv: readonly string[]): [string, string[]] => [
    'nsenter',
    ['--target', pid, '--mount', '--net', `--wd=${process.cwd()}`, '--', ...argv],
  ];
  // A dead mount of another test's goes from here, too, when its folder is removed.
  const look = `grep -v ' - fuse dead ' /proc/self/mountinfo; ip link; ip address; ip route; iptables-save | grep -v '^#'; ls -l /run/*.sock 2>/dev/null; ls /mnt`;
  return {
    on,
    state: () =>
      [execFileSync(...on(['sh', '-c', look]), { encoding: 'utf8' }), ...registered()]
        .filter((line) => !line.startsWith('tuntapd-lab-'))
        .join('\n'),
    end: () => {
      endHost(host);
    },
  };
}

const enter = (...argv: string[]): string[] => [
  // As after `su` with an umask of one's own: no locale, none of root's folders on the PATH.
  ...[
    'env',
    '--unset=LANG',
    'PATH=/usr/local/bin:/usr/bin:/bin:/usr/games',
    'DOCKER_HOST=tcp://192.0.2.1:2375',
  ],
  ...['sh', '-c', 'umask 077; exec "$@"', 'sh', process.execPath],
  ...['start.mjs', 'run.ts'].map((name) => join(import.meta.dirname, name)),
  ...argv,
];

let emulated: string;
let holder: ChildProcess;
beforeAll(async () => {
  const builds = join(import.meta.dirname, '../../build');
  mkdirSync(builds, { recursive: true });
  emulated = join(builds, foreign);
  writeFileSync(emulated, theirs, { mode: 0o755 });
  // Newer kernels forget every entry once nobody has the registry mounted.
  holder = spawn(...inRegistry('echo held; exec sleep infinity'), { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => holder.stdout?.once('data', resolve));
  const mask = Buffer.concat([Buffer.alloc(16, 0xff), Buffer.alloc(16), Buffer.alloc(foreign.length, 0xff)]);
  registered(
    `printf %s ':${foreign}:M::${bytes(theirs)}:${bytes(mask)}:/bin/echo:' >register
     printf %s ':${foreign}-jar:E::${foreign}::/bin/echo:' >register`,
  );
});
afterAll(() => {
  // Of a test that was given up.
  for (const host of hosts) endHost(host);
  registered(`for entry in ${foreign}*; do [ ! -e "$entry" ] || echo -1 >"$entry"; done`);
  holder.kill();
  rmSync(emulated, { force: true });
});

/** Runs `work` on such a Debian, and ends that. */
async function onDebian(arrangement: string, work: (host: Debian) => void | Promise<void>): Promise<void> {
  const host = await debian(arrangement);
  const before = host.state();
  try {
    await work(host);
    await until('no trace of the lab', 20, () => Promise.resolve(host.state() === before));
  } finally {
    host.end();
  }
}

const used = `${inUse}\n${mounted}`;

test.each([
  ['binfmt_misc mounted by systemd', mounted],
  ['an automount of systemd’s that waits', automount],
  ['binfmt_misc mounted, a firewall, no IPv6, an engine, a /tmp without exec', used],
])('with %s: a Mac boots, runs its own Mach-O and sees none of the host’s engine', (_what, arrangement) =>
  onDebian(arrangement, (host) => {
    const hyperkit = '/Applications/Docker.app/Contents/Resources/bin/com.docker.hyperkit';
    const script = `/usr/bin/sw_vers -productVersion; ${hyperkit} -Z 2>&1 | head -n 1
      ls /run/docker.sock /var/run/docker.sock 2>/dev/null; /sbin/ifconfig -a | grep docker0
      /bin/ps -axo args= | grep dockerd | grep -v grep; echo "docker: $DOCKER_HOST"
      printf '#!/bin/sh\necho executed\n' >/tmp/script; chmod 755 /tmp/script; /tmp/script`;
    const [file, args] = host.on(enter('--user', 'person', '--', '/bin/sh', '-c', script));
    const { stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', timeout: 80_000 });
    expect({ stdout, stderr }).toEqual({
      stdout: '12.7.6\nhyperkit: illegal option -- Z\ndocker: \nexecuted\n',
      stderr: 'booting the Mac\n',
    });
  }),
);

test.each(['the runner', 'the keeper'])(
  'nothing is left after SIGKILL to %s, and others’ entries serve meanwhile and afterwards',
  (whom) =>
    onDebian(used, async (host) => {
      const [file, args] = host.on(enter('--', '/bin/sh', '-c', 'echo up; exec sleep 1000'));
      const runner = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
      await new Promise((resolve, reject) => {
        runner.stdout.once('data', resolve);
        runner.once('exit', (code) => {
          reject(new Error(`no Mac boots there: ${code ?? 'killed'}`));
        });
      });
      const keeper = keeperOf(runner.pid);
      const emulate = (): string => execFileSync(emulated, ['ran'], { encoding: 'utf8' });
      expect(emulate()).toBe(`${emulated} ran\n`);
      if (whom === 'the runner') runner.kill('SIGKILL');
      else process.kill(keeper, 'SIGKILL');
      await until('the entry’s end', 20, () =>
        Promise.resolve(!labEntries().includes(`tuntapd-lab-${keeper}`) && !existsSync(`/proc/${keeper}`)),
      );
      expect(emulate()).toBe(`${emulated} ran\n`);
      runner.kill('SIGKILL');
    }),
);

test('what is missing is said before anything is made', () => {
  const nothing = join(import.meta.dirname, '../../build', `${foreign}-path`);
  mkdirSync(nothing, { recursive: true });
  const { stderr, status } = spawnSync(
    '/bin/bash',
    [join(import.meta.dirname, 'enter.sh'), process.cwd(), nothing, '', '{}'],
    { encoding: 'utf8', env: { PATH: nothing } },
  );
  rmSync(nothing, { recursive: true });
  expect(stderr).toMatch(/^the lab needs \S+: test\/lab\/dependencies\.sh installs what Debian has of it\n$/);
  expect(status).toBe(1);
});
