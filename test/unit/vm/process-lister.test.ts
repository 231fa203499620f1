import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { cleanEnvironment } from '../../../daemon/lib/command.js';
import { listByChild, listByColumns, listEitherWay } from '../../../daemon/vm/processes.js';
import { workerSource, workshop } from '../../product/bundle-crash/world.js';
import { signalAs } from '../inspector.js';

const neighbour = { uid: 1502, gid: 1502 };
const nobody = 4_294_967_294;
const hyperkit = 'com.docker.hyperkit';
const vmArguments = ['-A', '-F', 'vms/0/hyperkit.pid', '-s', '0:0,hostbridge'];

let tools: string;
let base: string;
let started: ChildProcess[] = [];
let lister: ReturnType<typeof listByChild>;

/** The program as a Mac's runtime runs it: ps-list takes another path on Linux. */
const onMac = (name: string): string => join(tools, `${name}-on-mac.mjs`);

beforeAll(async () => {
  tools = await workshop({
    lister: 'daemon/vm/process-lister.ts',
    worker: workerSource,
    watcher: 'daemon/docker-app/watch-worker.ts',
  });
  for (const name of ['lister', 'worker'])
    writeFileSync(
      onMac(name),
      `Object.defineProperty(process, 'platform', { value: 'darwin' });\nawait import('./${name}.mjs');\n`,
    );
  writeFileSync(
    onMac('lister-whole'),
    `process.env.PATH = '${join(tools, 'bin')}';\nawait import('./lister-on-mac.mjs');\n`,
  );
  mkdirSync(join(tools, 'bin'));
  writeFileSync(join(tools, 'bin/ps'), wholeCommandLines, { mode: 0o755 });
});

afterAll(() => {
  rmSync(tools, { recursive: true, force: true });
});

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'processes-'));
  chmodSync(base, 0o755);
  lister = listByChild(onMac('lister'));
});

afterEach(() => {
  lister.stop();
  for (const child of started) child.kill('SIGKILL');
  started = [];
  rmSync(base, { recursive: true, force: true });
});

/** A process that sleeps, from a file called `file`, with a command line of its own choice. */
function run(argv0: string, args: readonly string[] = [], who = neighbour, file = 'Docker'): number {
  const program = join(base, file);
  if (!existsSync(program)) copyFileSync('/usr/bin/perl', program);
  const child = spawn(program, ['-e', 'sleep 300', '--', ...args], { argv0, stdio: 'ignore', ...who });
  started.push(child);
  return child.pid ?? 0;
}

const pids = (list: readonly { pid: number }[]): number[] => list.map(({ pid }) => pid);

/** Pids of the children of this process that run the lister. */
const listers = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
        return (
          Number(parent) === process.pid &&
          readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('lister-on-mac')
        );
      } catch {
        return false;
      }
    })
    .map(Number);

/** Resolves when this process has heard of its child's end; rejects after 5 s. */
async function reaped(pid: number): Promise<void> {
  for (const end = Date.now() + 5000; existsSync(`/proc/${pid}`);) {
    if (Date.now() > end) throw new Error(`${pid} has not ended`);
    await sleep(10);
  }
}

/** The longest that this process's event loop stood still meanwhile, in ms. */
function watchLoop(): { longest: number; stop: () => void } {
  let last = performance.now();
  const watch = {
    longest: 0,
    stop: () => {
      clearInterval(timer);
    },
  };
  const timer = setInterval(() => {
    const now = performance.now();
    watch.longest = Math.max(watch.longest, now - last);
    last = now;
  }, 20);
  return watch;
}

/** Mounts a share whose server never answers; returns what takes it away. */
function deadShare(folder: string): () => void {
  mkdirSync(folder);
  const device = openSync('/dev/fuse', 'r+');
  const options = `fd=3,rootmode=40000,user_id=0,group_id=0,allow_other`;
  execFileSync('/bin/mount', ['-i', '-t', 'fuse', '-o', options, 'dead', folder], {
    stdio: ['ignore', 'inherit', 'inherit', device],
  });
  return () => {
    closeSync(device);
    execFileSync('/bin/umount', ['-l', folder]);
  };
}

test('the child finds a VM with its uid, start and command line, and is nobody', async () => {
  const pid = run(hyperkit, vmArguments);
  const found = (await lister.list()).find((one) => one.pid === pid);
  expect(found).toMatchObject({ uid: neighbour.uid, cmd: expect.stringContaining('-F vms/0/hyperkit.pid') });
  expect(Math.abs(Date.now() - (found?.startTime?.getTime() ?? 0))).toBeLessThan(60_000);
});

test('one child answers every question, and another one once it has ended', async () => {
  const vm = run(hyperkit, vmArguments);
  await lister.list();
  const [first, ...others] = listers();
  expect(others).toEqual([]);
  expect((await Promise.all([lister.list(), lister.list()])).map(pids)).toEqual([
    expect.arrayContaining([vm]),
    expect.arrayContaining([vm]),
  ]);
  expect(listers()).toEqual([first]);
  process.kill(first ?? 0, 'SIGKILL');
  await reaped(first ?? 0);
  expect(pids(await lister.list())).toContain(vm);
  expect(listers()).toHaveLength(1);
});

test('the child ends with whoever started it', async () => {
  const child = spawn(process.execPath, [onMac('lister')], { env: cleanEnvironment });
  started.push(child);
  const end = new Promise((resolve) => child.once('exit', resolve));
  child.stdin.write('\n');
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.stdin.end();
  expect(await end).toBe(0);
});

test('a child that hangs is gone when its question has failed, and the next one has an answer', async () => {
  const release = deadShare(join(base, 'share'));
  const hanging = run(`${base}/share/Docker.app/Contents/MacOS/Docker`);
  try {
    const asked = expect(lister.list()).rejects.toThrow(/took longer than 4/);
    for (const end = Date.now() + 3000; listers().length === 0 && Date.now() < end;) await sleep(10);
    const [child] = listers();
    await asked;
    await reaped(child ?? 0);
  } finally {
    release();
  }
  expect(pids(await lister.list())).toContain(hanging);
});

/**
 * macOS's `ps` for ps-list: whole command lines, where Debian's cuts each at 128 kB. A Mac's kernel allows a process 1 MB
 * of arguments; so that 64 MB, all that ps-list reads, are reached by fewer processes, these have 1.9 MB.
 */
const wholeCommandLines = `#!/usr/bin/perl
my %show = map { $_ => 1 } split /,/, $ARGV[1];
for my $pid (sort { $a <=> $b } grep { /^\\d+$/ } map { m{([^/]+)$} } glob '/proc/*') {
  my @stat = stat "/proc/$pid" or next;
  open my $file, '<', "/proc/$pid/cmdline" or next;
  my $line = do { local $/; <$file> } // next;
  $line =~ s/\\0+$//;
  my ($argv0) = split /\\0/, $line;
  $line =~ tr/\\0\\n/ ?/;
  my $started = scalar gmtime $stat[10];
  print $show{'args='} ? "$pid $line\\n" : "$pid 1 $stat[4] 0.0 0.0 $started $argv0\\n";
}
`;

/** As many processes of the neighbour's, each with 1.9 MB of arguments and looking like Docker's; returns what ends them. */
async function flood(count: number): Promise<() => void> {
  const program = join(base, 'hyperkit');
  copyFileSync('/usr/bin/perl', program);
  const script = `
    my @words = ('-A', '-F', 'vms/0/hyperkit.pid', ('x' x 100_000) x 19);
    for (1 .. ${count}) { fork or exec { '${program}' } '${hyperkit}', '-e', 'sleep 300', '--', @words }
    print "begun\\n"; sleep 300;`;
  const parent = spawn('/usr/bin/perl', ['-e', '$| = 1;' + script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
    ...neighbour,
  });
  await new Promise((resolve) => parent.stdout.once('data', resolve));
  return () => {
    process.kill(-(parent.pid ?? 0), 'SIGKILL');
  };
}

test.each([20, 60])(
  'a VM is found in time among %i processes of another user with megabytes of arguments',
  async (count) => {
    const end = await flood(count);
    const mac = listByChild(onMac('lister-whole'));
    try {
      await sleep(1100);
      const vm = run(hyperkit, vmArguments, { uid: 1501, gid: 1501 }, 'hyperkit');
      const loop = watchLoop();
      const began = performance.now();
      const list = await listEitherWay(mac.list)();
      const took = performance.now() - began;
      loop.stop();
      expect(list.filter(({ uid }) => uid === 1501).map(({ pid }) => pid)).toEqual([vm]);
      expect(took).toBeLessThan(10_000);
      expect(loop.longest).toBeLessThan(1000);
      expect(list.filter(({ uid }) => uid === neighbour.uid).length).toBeLessThanOrEqual(32);
    } finally {
      mac.stop();
      end();
    }
  },
);

test('a command line on a dead share holds neither the loop nor the list', async () => {
  const share = join(base, 'share');
  const release = deadShare(share);
  try {
    run(`${share}/Docker.app/Contents/MacOS/Docker`);
    const vm = run(hyperkit, vmArguments, neighbour, hyperkit);
    const loop = watchLoop();
    await expect(lister.list()).rejects.toThrow(/took longer than 4/);
    const list = await listByColumns();
    loop.stop();
    expect(pids(list)).toContain(vm);
    expect(loop.longest).toBeLessThan(1000);
  } finally {
    release();
  }
});

test('SIGUSR1 of its own uid opens no inspector in the child that waits for a question', async () => {
  const child = spawn(process.execPath, [onMac('lister')], { env: cleanEnvironment });
  started.push(child);
  expect(await signalAs(nobody, child)).toEqual({ said: '', listening: false });
});

test('SIGUSR1 of its own uid opens no inspector in the child that lists processes', async () => {
  const release = deadShare(join(base, 'share'));
  try {
    run(`${base}/share/Docker.app/Contents/MacOS/Docker`);
    const child = spawn(process.execPath, [onMac('lister')], { env: cleanEnvironment });
    started.push(child);
    child.stdin.write('\n');
    expect(await signalAs(nobody, child)).toEqual({ said: '', listening: false });
  } finally {
    release();
  }
});

test('SIGUSR1 of the owner opens no inspector in the child that watches his folders', async () => {
  const child = spawn(process.execPath, [join(tools, 'watcher.mjs')], { env: cleanEnvironment });
  started.push(child);
  child.stdin.write(`${JSON.stringify(neighbour)}\n${JSON.stringify([base])}\n`);
  expect(await signalAs(neighbour.uid, child)).toEqual({ said: '', listening: false });
});

test('SIGUSR1 of the owner opens no inspector in the child that works in his bundle', async () => {
  const folder = join(base, 'Docker.app');
  mkdirSync(folder);
  chownSync(folder, neighbour.uid, neighbour.gid);
  const { dev, ino } = statSync(folder, { bigint: true });
  // It reads the file that it looks at, which takes long enough for a signal to come.
  writeFileSync(join(folder, 'hyperkit'), Buffer.alloc(300_000_000));
  chownSync(join(folder, 'hyperkit'), neighbour.uid, neighbour.gid);
  const child = spawn(process.execPath, [join(tools, 'worker.mjs')], { env: cleanEnvironment });
  started.push(child);
  let said = '';
  let signals = '';
  const ended = new Promise((resolve) => child.once('close', resolve));
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const hammer = spawn(
    '/usr/bin/perl',
    [
      '-e',
      `$| = 1; my $sent = 0; while (-e "/proc/${child.pid ?? 0}") { $sent += kill("USR1", ${child.pid ?? 0}); last if $sent >= 200; select(undef, undef, undef, 0.005); } print $sent;`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], ...neighbour },
  );
  started.push(hammer);
  hammer.stdout.on('data', (chunk: Buffer) => (signals += chunk.toString()));
  const hammered = new Promise((resolve) => hammer.once('close', resolve));
  child.stdin.end(
    JSON.stringify({
      action: 'inspect',
      app: base,
      way: ['Docker.app'],
      name: 'hyperkit',
      folder: `${dev}:${ino}`,
      shim: '#!/bin/sh\n',
      expected: null,
      ...neighbour,
    }),
  );
  await ended;
  await hammered;
  // The signal may end it, at its very end: the owner may do that anyway.
  expect(Number(signals)).toBeGreaterThan(0);
  expect(said).not.toContain('Debugger');
});
