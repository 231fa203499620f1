import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  answerSchema,
  type WorkerAnswer,
  type WorkerRequest,
} from '../../../daemon/docker-app/bundle-protocol.js';
import { workerSource, workshop } from '../../product/bundle-crash/world.js';
import { machO } from '../../lab/docker/mach-o.js';
import { dockerTuntapOsxShim } from './docker-tuntap-osx.js';

const owner = { uid: 501, gid: 20 };
const shim = '#!/bin/sh\n# tuntapd hyperkit shim. \nexec "$0.original" "$@"\n';
const binary = machO('docker 1');
let tools: string;
let worker: string;
let base: string;
let folder: string;
let hyperkit: string;

beforeAll(async () => {
  tools = await workshop({ worker: workerSource });
  worker = join(tools, 'worker.mjs');
});

afterAll(() => {
  rmSync(tools, { recursive: true, force: true });
});

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'bundle-'));
  chmodSync(base, 0o755);
  chownSync(base, owner.uid, owner.gid);
  folder = join(base, 'bin');
  mkdirSync(folder, { mode: 0o755 });
  chownSync(folder, owner.uid, owner.gid);
  hyperkit = join(folder, 'com.docker.hyperkit');
  put(hyperkit, binary);
});

afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

function put(path: string, content: Buffer | string): void {
  writeFileSync(path, content, { mode: 0o755 });
  chownSync(path, owner.uid, owner.gid);
}

const idOf = (path: string): string => {
  const { dev, ino } = lstatSync(path, { bigint: true });
  return `${dev}:${ino}`;
};

function ask(action: WorkerRequest['action'], change: Partial<WorkerRequest> = {}): WorkerAnswer {
  const request: WorkerRequest = {
    action,
    app: base,
    way: ['bin'],
    folder: idOf(folder),
    expected: null,
    name: 'com.docker.hyperkit',
    ...owner,
    shim,
    ...change,
  };
  const { stdout } = spawnSync(process.execPath, [worker], {
    input: JSON.stringify(request),
    encoding: 'utf8',
    timeout: 30_000,
  });
  return answerSchema.parse(JSON.parse(stdout));
}

const kinds = (answer: WorkerAnswer): string[] =>
  answer.ok ? [answer.target.kind, answer.original.kind] : [answer.code];

const identity = (path: string): unknown[] => {
  const { ino, uid, gid, mode, mtimeMs } = lstatSync(path);
  return [ino, uid, gid, mode, mtimeMs, readFileSync(path).toString('hex')];
};

// Giving root up needs root to begin with; who tests as a user cannot see it.
const asRoot = process.getuid?.() === 0 ? describe : describe.skip;

asRoot('in a bundle that belongs to a user', () => {
  test('install and restore leave the original what it was: the very same file', () => {
    const before = identity(hyperkit);
    expect(kinds(ask('install'))).toEqual(['shim', 'mach-o']);
    expect(readFileSync(hyperkit, 'utf8')).toBe(shim);
    expect(identity(`${hyperkit}.original`)).toEqual(before);
    expect(lstatSync(hyperkit)).toMatchObject({ uid: 501, gid: 20 });
    expect(kinds(ask('restore'))).toEqual(['mach-o', 'missing']);
    expect(identity(hyperkit)).toEqual(before);
    expect(readdirSync(folder)).toEqual(['com.docker.hyperkit']);
  });

  test('a FIFO in the place of Info.plist holds nobody: the version is not known', () => {
    const inside = join(base, 'Contents/bin');
    mkdirSync(inside, { recursive: true });
    for (const path of [join(base, 'Contents'), inside]) chownSync(path, owner.uid, owner.gid);
    put(join(inside, 'com.docker.hyperkit'), binary);
    spawnSync('mkfifo', [join(base, 'Contents/Info.plist')]);
    expect(ask('inspect', { way: ['Contents', 'bin'], folder: idOf(inside) })).toMatchObject({
      ok: true,
      version: null,
      target: { kind: 'mach-o' },
    });
  });

  test('done twice is done once', () => {
    ask('install');
    const files = readdirSync(folder).map((name) => identity(join(folder, name)));
    expect(kinds(ask('install'))).toEqual(['shim', 'mach-o']);
    expect(readdirSync(folder).map((name) => identity(join(folder, name)))).toEqual(files);
    ask('restore');
    expect(kinds(ask('restore'))).toEqual(['mach-o', 'missing']);
  });

  test('an update in place: the new hyperkit becomes the original', () => {
    ask('install');
    rmSync(hyperkit);
    const next = machO('docker 2');
    put(hyperkit, next);
    expect(kinds(ask('install'))).toEqual(['shim', 'mach-o']);
    expect(readFileSync(`${hyperkit}.original`)).toEqual(next);
  });

  test.each<[string, () => void, string[], string[]]>([
    [
      'cut off between link and rename',
      () => {
        linkSync(hyperkit, `${hyperkit}.original`);
      },
      ['mach-o', 'mach-o'],
      ['shim', 'mach-o'],
    ],
    [
      'cut off between the temporary link and its rename',
      () => {
        linkSync(hyperkit, join(folder, '.com.docker.hyperkit.tuntapd-4711'));
      },
      ['mach-o', 'missing'],
      ['shim', 'mach-o'],
    ],
    [
      'cut off with all three names on one file',
      () => {
        linkSync(hyperkit, `${hyperkit}.original`);
        linkSync(hyperkit, join(folder, '.com.docker.hyperkit.tuntapd-4711'));
      },
      ['mach-o', 'mach-o'],
      ['shim', 'mach-o'],
    ],
    [
      'with hyperkit gone',
      () => {
        renameSync(hyperkit, `${hyperkit}.original`);
      },
      ['missing', 'mach-o'],
      ['shim', 'mach-o'],
    ],
    [
      'with an older shim of ours',
      () => {
        renameSync(hyperkit, `${hyperkit}.original`);
        put(hyperkit, '#!/bin/sh\n# tuntapd hyperkit shim, version 1. \n');
      },
      ['outdated-shim', 'mach-o'],
      ['shim', 'mach-o'],
    ],
    [
      'with docker-tuntap-osx’s shim',
      () => {
        renameSync(hyperkit, `${hyperkit}.original`);
        put(hyperkit, dockerTuntapOsxShim);
      },
      ['docker-tuntap-osx-shim', 'mach-o'],
      ['shim', 'mach-o'],
    ],
    [
      'with a planted file under our temporary name',
      () => {
        symlinkSync('/etc/passwd', join(folder, '.com.docker.hyperkit.tuntapd-1'));
        spawnSync('mkfifo', [join(folder, '.com.docker.hyperkit.tuntapd-2')]);
      },
      ['mach-o', 'missing'],
      ['shim', 'mach-o'],
    ],
    [
      'with an older version’s original',
      () => {
        put(`${hyperkit}.original`, machO('docker 0'));
      },
      ['mach-o', 'mach-o'],
      ['shim', 'mach-o'],
    ],
    [
      'with a shim that is not executable',
      () => {
        renameSync(hyperkit, `${hyperkit}.original`);
        put(hyperkit, shim);
        chmodSync(hyperkit, 0o644);
      },
      ['outdated-shim', 'mach-o'],
      ['shim', 'mach-o'],
    ],
    [
      'with a shim and no original',
      () => {
        put(hyperkit, shim);
      },
      ['shim', 'missing'],
      ['BLOCKED'],
    ],
    [
      'with a symlink in the original’s place',
      () => {
        symlinkSync('/etc/passwd', `${hyperkit}.original`);
      },
      ['mach-o', 'refused'],
      ['BLOCKED'],
    ],
    [
      'with a half-copied hyperkit',
      () => {
        put(hyperkit, binary.subarray(0, 4100));
      },
      ['incomplete', 'missing'],
      ['WAIT'],
    ],
    [
      'with an empty hyperkit',
      () => {
        put(hyperkit, '');
      },
      ['incomplete', 'missing'],
      ['WAIT'],
    ],
    [
      'with somebody else’s script',
      () => {
        put(hyperkit, '#!/bin/sh\necho mine\n');
      },
      ['foreign-script', 'missing'],
      ['BLOCKED'],
    ],
    [
      'with a symlink',
      () => {
        rmSync(hyperkit);
        symlinkSync('/bin/sh', hyperkit);
      },
      ['refused', 'missing'],
      ['BLOCKED'],
    ],
    [
      'with a FIFO',
      () => {
        rmSync(hyperkit);
        spawnSync('mkfifo', [hyperkit]);
      },
      ['refused', 'missing'],
      ['BLOCKED'],
    ],
    [
      'with a hard link from elsewhere',
      () => {
        linkSync(hyperkit, join(base, 'elsewhere'));
      },
      ['refused', 'missing'],
      ['BLOCKED'],
    ],
    [
      'with a file of root',
      () => {
        chownSync(hyperkit, 0, 0);
      },
      ['refused', 'missing'],
      ['BLOCKED'],
    ],
  ])('%s', (_what, arrange, inspected, installed) => {
    arrange();
    expect(kinds(ask('inspect'))).toEqual(inspected);
    expect(kinds(ask('install'))).toEqual(installed);
    // Nothing of ours stays behind beside the two files.
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('only the file that was journalled becomes the original, or is given back', () => {
    const other = 'ab'.repeat(32);
    const before = identity(hyperkit);
    expect(kinds(ask('install', { expected: other }))).toEqual(['CHANGED']);
    expect(identity(hyperkit)).toEqual(before);
    expect(readdirSync(folder)).toEqual(['com.docker.hyperkit']);
    const { target } = ask('inspect') as Extract<WorkerAnswer, { ok: true }>;
    expect(kinds(ask('install', { expected: target.sha256 }))).toEqual(['shim', 'mach-o']);
    expect(kinds(ask('restore', { expected: other }))).toEqual(['CHANGED']);
    expect(kinds(ask('restore', { expected: target.sha256 }))).toEqual(['mach-o', 'missing']);
    expect(identity(hyperkit)).toEqual(before);
  });

  test('a folder swapped for a symlink to root’s own, or for that folder itself, gets nothing', () => {
    const precious = join(base, 'precious');
    mkdirSync(precious);
    put(join(precious, 'com.docker.hyperkit'), binary);
    const before = identity(join(precious, 'com.docker.hyperkit'));
    renameSync(folder, join(base, 'moved'));
    symlinkSync(precious, folder);
    expect(kinds(ask('install'))).toEqual(['LINK']);
    rmSync(folder);
    renameSync(precious, folder);
    // Even told that root's folder is the right one, the user that the child has become may not write there.
    expect(kinds(ask('install'))).toEqual(['OWNER']);
    expect(kinds(ask('install', { folder: idOf(join(base, 'moved')) }))).toEqual(['OWNER']);
    expect(identity(hyperkit)).toEqual(before);
    expect(readdirSync(folder)).toEqual(['com.docker.hyperkit']);
  });
});

asRoot('in a bundle that belongs to root', () => {
  const root = { uid: 0, gid: 0 };
  beforeEach(() => {
    for (const path of [base, folder, hyperkit]) chownSync(path, 0, 0);
  });

  test('it is worked on when nobody else can write it', () => {
    const before = identity(hyperkit);
    expect(kinds(ask('install', root))).toEqual(['shim', 'mach-o']);
    expect(lstatSync(hyperkit)).toMatchObject({ uid: 0, mode: 0o100755 });
    expect(kinds(ask('restore', root))).toEqual(['mach-o', 'missing']);
    expect(identity(hyperkit)).toEqual(before);
  });

  test.each<[string, () => void, string[]]>([
    [
      'the app may be written by its group',
      () => {
        chmodSync(base, 0o775);
      },
      ['WRITABLE'],
    ],
    [
      'its folder may be written by everybody',
      () => {
        chmodSync(folder, 0o777);
      },
      ['WRITABLE'],
    ],
    [
      'its folder is a user’s',
      () => {
        chownSync(folder, owner.uid, owner.gid);
      },
      ['OWNER'],
    ],
    [
      'hyperkit may be written by its group',
      () => {
        chmodSync(hyperkit, 0o775);
      },
      ['BLOCKED'],
    ],
    [
      'hyperkit is a user’s',
      () => {
        chownSync(hyperkit, owner.uid, owner.gid);
      },
      ['BLOCKED'],
    ],
  ])('refused: %s', (_what, arrange, refusal) => {
    arrange();
    const before = identity(hyperkit);
    expect(kinds(ask('install', root))).toEqual(refusal);
    expect(identity(hyperkit)).toEqual(before);
    expect(readdirSync(folder)).toEqual(['com.docker.hyperkit']);
  });
});
