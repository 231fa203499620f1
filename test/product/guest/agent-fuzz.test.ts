/**
 * The agent fed with thousands of requests that make some sense, little or none: its source under sanitizers, and the
 * programs that lie in the repository, for both processors.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

/** The exit status of a program that a sanitizer stopped. */
const caught = 99;
const folder = mkdtempSync(join(tmpdir(), 'agent-fuzz-'));
const checkout = join(import.meta.dirname, '../../..');
const shipped = join(checkout, 'daemon/guest/agent');
/** Where build.sh keeps the compilers that the agent is built with. */
const compilers = join(process.env['TUNTAPD_LAB_CACHE'] ?? '/var/cache/tuntapd-lab', 'compilers-bookworm');

function run(file: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(file, args, { encoding: 'utf8' });
  if (status !== 0) throw error ?? new Error(stderr);
}

const watched = '-std=c11 -O1 -g -fno-builtin -fsanitize=address,undefined -fno-sanitize-recover=all'.split(
  ' ',
);

/** For the processor of this machine, with its own compiler. */
function buildHere(): void {
  run('gcc', [...watched, '-o', join(folder, 'amd64'), join(import.meta.dirname, 'agent-fuzz.c')]);
}

/** For arm64, with the compiler that the agent is built with: its suite has the sanitizers for that processor, too. */
function buildCross(): void {
  run(join(shipped, 'build.sh'), [join(folder, 'built')]);
  const room = mkdtempSync(join(compilers, 'tmp/fuzz-'));
  try {
    for (const path of ['daemon/guest/agent', 'test/product/guest'])
      cpSync(join(checkout, path), join(room, path), { recursive: true });
    const inside = room.slice(compilers.length);
    const libraries = ['libasan.so.8', 'libubsan.so.1', 'libc.so.6', 'ld-linux-aarch64.so.1'];
    const own = ['-DWITHOUT_CRT', '-nostartfiles', '-nodefaultlibs', '-L/usr/aarch64-linux-gnu/lib'];
    run('chroot', [
      ...[compilers, 'aarch64-linux-gnu-gcc-12', ...watched, ...own],
      ...['-o', join(inside, 'arm64'), join(inside, 'test/product/guest/agent-fuzz.c')],
      ...libraries.map((name) => `-l:${name}`),
    ]);
    cpSync(join(room, 'arm64'), join(folder, 'arm64'));
  } finally {
    rmSync(room, { recursive: true, force: true });
  }
}

beforeAll(() => {
  buildHere();
  buildCross();
}, 600_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** The same numbers each time (mulberry32), from 0 up to a limit. */
function numbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};
const frame = (letter: string, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat([Buffer.from(letter, 'latin1'), ...parts]);
  return Buffer.concat([u32(body.length).reverse(), body]);
};

/** A stream of some requests, the last of which may be anything. No command in it exists, so none is run. */
function streamOf(seed: number, most: number): Buffer {
  const upTo = numbers(seed);
  const pick = <T>(...list: readonly [T, ...T[]]): T => list[upTo(list.length)] ?? list[0];
  const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => upTo(256)));
  // Each asks for an acknowledgement: nobody waits for an answer.
  const message = (protocol: number, body: Buffer): Buffer => {
    const head = [u32(16 + body.length), u32(16 + upTo(100)).subarray(0, 2), u32(5).subarray(0, 2), noise(8)];
    return frame('N', u32(protocol), ...head, body);
  };
  const netlink = (): Buffer => message(pick(0, 0, 99), noise(upTo(pick(8, 200, 3000))));
  const command = (): Buffer => {
    const word = (): Buffer =>
      Buffer.concat([Buffer.from('/nonexistent/'), noise(upTo(20)), Buffer.from(pick('\0', '\0', ''))]);
    const words = Array.from({ length: upTo(pick(4, 90)) }, word);
    return frame(
      'X',
      u32(pick(1, 1, 0, 2 ** 32 - 1)),
      u32(upTo(60)),
      u32(pick(1, 2, 0, 64, 2 ** 31, 2 ** 32 - 1)),
      ...words,
    );
  };
  const names = [
    'proc',
    'sys',
    'self',
    '1',
    'ns',
    'net',
    'mnt',
    'fd',
    'class',
    'stat',
    '..',
    '.',
    '',
    'x'.repeat(300),
  ] as const;
  const path = (): Buffer =>
    frame(
      'R',
      Buffer.from(
        `/${pick('proc', 'sys', 'procx')}${Array.from({ length: upTo(pick(4, 30)) }, () => `/${pick(...names)}`).join('')}`,
      ),
      noise(pick(0, 0, 0, 3)),
    );
  const announcement = (): Buffer =>
    pick(frame('A', u32(upTo(4)), noise(12), Buffer.from([8, 6]), noise(28)), frame('A', noise(upTo(60))));
  const requests = Array.from({ length: 1 + upTo(most) }, () => pick(netlink, command, path, announcement)());
  const last = pick(
    () => frame('Q'),
    () => frame(pick('Z', '\0', 'n'), noise(upTo(50))),
    () => u32(0),
    () => Buffer.concat([u32(upTo(70_000)).reverse(), Buffer.from('R/proc/'), noise(upTo(500))]),
    () => frame('R', Buffer.alloc(65_535, '/proc')),
    () => frame('X', u32(1), u32(10), u32(1), Buffer.alloc(65_520, 'x')),
    () => message(0, Buffer.alloc(65_515)),
    () => noise(3),
  )();
  return Buffer.concat([...requests, last]);
}

const arm64 = ['qemu-aarch64', '-L', join(compilers, 'usr/aarch64-linux-gnu')];

test.each([
  ['amd64 under sanitizers', { streams: 150, most: 40 }, [join(folder, 'amd64')]],
  // Emulated they take seconds to start.
  ['arm64 under sanitizers', { streams: 4, most: 400 }, [...arm64, join(folder, 'arm64')]],
  ['amd64 as it lies here', { streams: 150, most: 40 }, [join(shipped, 'amd64.agent')]],
  ['arm64 as it lies here', { streams: 50, most: 40 }, [...arm64, join(shipped, 'arm64.agent')]],
])(
  'no request makes the agent for %s do what the language does not define, or hang',
  (_what, { streams, most }, command) => {
    const room = mkdtempSync(join(folder, 'streams-'));
    for (let seed = 0; seed < streams; seed += 1)
      writeFileSync(join(room, `${String(seed).padStart(4, '0')}.requests`), streamOf(seed, most));
    const script = `
      room=$1; shift
      for requests in "$room"/*.requests; do
        timeout -s KILL 60 "$@" <"$requests" >"$room/answers" 2>"$room/words"
        status=$?
        # 0: the end of stdin or Q. 4: a frame that makes no sense.
        case $status in 0|4) echo "$status"; continue; esac
        echo "$requests ended with $status"; head -c 3000 "$room/words"; exit 1
      done`;
    const isolated = ['--net', '--pid', '--mount', '--mount-proc', '--fork', '--kill-child'];
    const { stdout, stderr, status } = spawnSync(
      'unshare',
      [...isolated, 'sh', '-c', script, 'sh', room, ...command],
      {
        encoding: 'utf8',
        timeout: 240_000,
        env: {
          PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
          ASAN_OPTIONS: `detect_leaks=0:exitcode=${caught}`,
          UBSAN_OPTIONS: `print_stacktrace=1:exitcode=${caught}`,
        },
      },
    );
    expect({ stderr, status, words: stdout.replace(/^[04]\n/gm, '') }).toEqual({
      stderr: '',
      status: 0,
      words: '',
    });
    const ends = stdout.trim().split('\n');
    expect(ends).toHaveLength(streams);
    // Both kinds of ends are reached.
    expect(new Set(ends)).toEqual(new Set(['0', '4']));
  },
  300_000,
);
