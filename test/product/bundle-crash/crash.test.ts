/**
 * Kills the installer before and after every file-system call that touches the bundle or the journal. Killed after a
 * call is killed before the next one; and a call that only looks leaves the world as it was, so of those in a row
 * one kill is every moment between them.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { childIn } from '../../../daemon/docker-app/bundle-child.js';
import type { WorkerRequest } from '../../../daemon/docker-app/bundle-protocol.js';
import { guestNics, parseHyperkitArguments } from '../../lab/docker/hyperkit-arguments.js';
import { machO } from '../../lab/docker/mach-o.js';
import { later, live, shim } from './daemon.js';
import { type Call, describeCall, enumerate, killBefore, namesIn, type Program, trace } from './trace.js';
import {
  bin,
  childProgram,
  copy,
  hyperkit,
  inParallel,
  journalled,
  newBundle,
  owner,
  sha256,
  workerSource,
  workshop,
} from './world.js';

const binaries = { '4.1.1': machO('4.1.1 hyperkit'), '4.2.0': machO('4.2.0 hyperkit') };

let work: string;
/** A command line of Docker's, and as the shim passes it on. */
const args = [
  ...['-A', '-F', 'vms/0/hyperkit.pid', '-f', 'kexec,kernel,initrd,console=ttyS0'],
  ...['-s', '0:0,hostbridge', '-s', '1:0,virtio-vpnkit,path=x', '-s', '31,lpc'],
];
let shimmed: string[];

beforeAll(async () => {
  jest.spyOn(Date, 'now').mockReturnValue(later);
  work = await workshop({ driver: 'test/product/bundle-crash/driver.ts', worker: workerSource });
  const printer = join(work, 'com.docker.hyperkit');
  writeFileSync(printer, shim, { mode: 0o755 });
  writeFileSync(`${printer}.original`, '#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done\n', {
    mode: 0o755,
  });
  shimmed = spawnSync(printer, args, { encoding: 'utf8' }).stdout.split('\0').slice(0, -1);
});
afterAll(() => {
  jest.restoreAllMocks();
  rmSync(work, { recursive: true, force: true });
});

/** The drivers of the NICs in the guest of the VM that hyperkit's path would start; throws when it starts none. */
function boot(base: string): readonly string[] {
  const path = join(base, hyperkit);
  const isExecutable = (file: string): boolean => (statSync(file).mode & 0o111) === 0o111;
  const isShim = readFileSync(path, 'utf8') === shim && isExecutable(path);
  const binary = isShim ? `${path}.original` : path;
  const content = readFileSync(binary);
  if (!isExecutable(binary) || !Object.values(binaries).some((whole) => whole.equals(content)))
    throw new Error('hyperkit is not complete');
  const parsed = parseHyperkitArguments(isShim ? shimmed : args);
  if (!parsed.ok || !parsed.vm) throw new Error('hyperkit does not start a VM');
  // Whoever starts it with the shim in place has its original in the journal.
  if (isShim) expect(journalled(base)).toBe(sha256(content));
  return guestNics(parsed.vm.devices).map((nic) => nic.driver);
}

/** Everything that a next run could see, whatever its inodes and its process are. */
function stateOf(base: string): string {
  const folder = join(base, bin);
  const inodes: number[] = [];
  const files = readdirSync(folder)
    .toSorted()
    .map((name) => {
      const { ino, mode, uid } = lstatSync(join(folder, name));
      if (!inodes.includes(ino)) inodes.push(ino);
      return [
        name.replace(/\d+$/, 'PID'),
        inodes.indexOf(ino),
        mode,
        uid,
        sha256(readFileSync(join(folder, name))),
      ].join(' ');
    });
  return [...files, journalled(base), existsSync(join(base, 'state/.originals.json.new'))].join('\n');
}

/** Whether the world just before this call is another one than just before the call that it follows. */
const isMoment = (call: Call, index: number, calls: readonly Call[]): boolean =>
  call.changes || calls[index - 1]?.changes !== false;

interface Scenario {
  readonly wanted: 'up' | 'restored';
  readonly arrange: (base: string) => Promise<void>;
  readonly newest: Buffer;
  /** What puts names and content in place, the journal's and the child's, in this order. */
  readonly changes: readonly string[];
}

const run = async (base: string, wanted: Scenario['wanted']): Promise<void> => {
  expect(await live({ base, wanted, ask: childIn(join(work, 'worker.mjs')) })).toEqual([]);
};

const temporary = '.com.docker.hyperkit.tuntapd-PID';
const writeJournal = [
  'mkdir BASE/state',
  'openat BASE/state/.originals.json.new',
  'write BASE/state/.originals.json.new',
  'fsync BASE/state/.originals.json.new',
  'chmod BASE/state/.originals.json.new',
  'rename BASE/state/.originals.json.new BASE/state/originals.json',
  'fsync BASE/state',
];
const install = [
  `fsync BASE/${hyperkit}`,
  `link com.docker.hyperkit ${temporary}`,
  `rename ${temporary} com.docker.hyperkit.original`,
  `fsync BASE/${bin}`,
  `openat ${temporary}`,
  `write BASE/${bin}/${temporary}`,
  `fchmod BASE/${bin}/${temporary}`,
  `fsync BASE/${bin}/${temporary}`,
  `rename ${temporary} com.docker.hyperkit`,
  `fsync BASE/${bin}`,
];

const scenarios: Record<string, Scenario> = {
  install: {
    wanted: 'up',
    arrange: () => Promise.resolve(),
    newest: binaries['4.1.1'],
    changes: [...writeJournal, ...install],
  },
  'an update in place': {
    wanted: 'up',
    arrange: async (base) => {
      await run(base, 'up');
      writeFileSync(join(base, hyperkit), binaries['4.2.0']);
    },
    newest: binaries['4.2.0'],
    changes: [...writeJournal, ...install],
  },
  restore: {
    wanted: 'restored',
    arrange: (base) => run(base, 'up'),
    newest: binaries['4.1.1'],
    // The journal forgets it last.
    changes: [
      `fsync BASE/${hyperkit}.original`,
      'rename com.docker.hyperkit.original com.docker.hyperkit',
      `fsync BASE/${bin}`,
      ...writeJournal,
    ],
  },
};

describe.each(Object.entries(scenarios))('%s', (name, { wanted, arrange, newest, changes: expected }) => {
  const daemon = (base: string): Program => ({
    command: [process.execPath, join(work, 'driver.mjs'), join(work, 'worker.mjs')],
    input: JSON.stringify({ base, wanted }),
    base,
    log: `${base}.trace`,
  });

  const expectEnd = (base: string): void => {
    const names = ['com.docker.hyperkit', 'com.docker.hyperkit.original'];
    expect(boot(base)).toEqual(wanted === 'up' ? ['virtio-vpnkit', 'virtio-tap'] : ['virtio-vpnkit']);
    expect(readdirSync(join(base, bin)).toSorted()).toEqual(wanted === 'up' ? names : names.slice(0, 1));
    const original = join(base, wanted === 'up' ? `${hyperkit}.original` : hyperkit);
    expect(readFileSync(original).equals(newest)).toBe(true);
    expect(lstatSync(original)).toMatchObject({ ...owner, mode: 0o100755, nlink: 1 });
    // What is given back is no longer tuntapd's to remember.
    expect(journalled(base)).toBe(wanted === 'up' ? sha256(newest) : null);
  };

  /** A world as a child was asked in it, and the request. */
  interface Moment {
    readonly world: string;
    readonly request: WorkerRequest;
  }

  test('a kill at any moment leaves a hyperkit that boots, and the next run ends it', async () => {
    const home = join(work, name.replaceAll(' ', '-'));
    mkdirSync(home);
    const start = newBundle(join(home, 'start'));
    await arrange(start);

    // The order, in one trace of the daemon with its children.
    const whole = join(home, 'whole');
    copy(start, whole);
    const { calls, stdout } = await trace({ ...daemon(whole), withChildren: true });
    expect(stdout).toBe('[]');
    expectEnd(whole);
    const changes = calls.filter((call) => call.changes).map(describeCall);
    expect(changes.map((change) => change.replaceAll(/tuntapd-\d+/g, 'tuntapd-PID'))).toEqual(expected);

    // The world at every request to a child.
    const played = join(home, 'played');
    copy(start, played);
    const moments: Moment[] = [];
    const child = childIn(join(work, 'worker.mjs'));
    const failures = await live({
      base: played,
      wanted,
      ask: (request) => {
        const world = join(home, `moment${moments.length}`);
        copy(played, world);
        moments.push({ world, request });
        return child(request);
      },
    });
    expect(failures).toEqual([]);

    const known = new Set<string>();
    let kills = 0;
    let survived = 0;
    const killAtEach = async (from: string, program: (base: string) => Program): Promise<void> => {
      const once = join(home, 'once');
      copy(from, once);
      const names = namesIn((await trace(program(once))).calls);
      copy(from, once);
      const found = await enumerate(program(once), names);
      const kill = async (call: Call, slot: number): Promise<void> => {
        const base = join(home, `slot${slot}`);
        copy(from, base);
        await killBefore(call, found, program(base));
        kills += 1;
        boot(base);
        const state = stateOf(base);
        if (known.has(state)) return;
        known.add(state);
        await run(base, wanted);
        expectEnd(base);
      };
      await inParallel(found.calls.filter(isMoment), kill);
      survived += found.calls.length;
    };
    await killAtEach(start, daemon);
    for (const { world, request } of moments)
      await killAtEach(world, (base) => childProgram(join(work, 'worker.mjs'), base, request));
    console.log(
      `${name}: ${kills} kills for ${survived} calls of the daemon and its ${moments.length} children, ${known.size} states`,
    );
    // Every change is a kill of its own, whatever the daemon and its children look at.
    expect(kills).toBeGreaterThan(expected.length + moments.length);
  }, 600_000);
});
