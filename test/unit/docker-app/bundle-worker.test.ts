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
import { build } from 'esbuild';
import {
  answerSchema,
  type WorkerAnswer,
  type WorkerRequest,
} from '../../../daemon/docker-app/bundle-protocol.js';
import { machO } from '../../lab/docker/mach-o.js';

const owner = { uid: 501, gid: 20 };
const shim = '#!/bin/sh\n# tuntapd hyperkit shim, version 1.\nexec "$0.original" "$@"\n';
const binary = machO('docker 1');
let tools: string;
let worker: string;
let base: string;
let folder: string;
let hyperkit: string;

beforeAll(async () => {
  tools = mkdtempSync(join(tmpdir(), 'worker-'));
  chmodSync(tools, 0o755);
  worker = join(tools, 'worker.mjs');
  await build({
    entryPoints: ['daemon/docker-app/bundle-worker.ts'],
    outfile: worker,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
  chmodSync(worker, 0o644);
});

afterAll(() => {
  rmSync(tools, { recursive: true, force: true });
});

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'bundle-'));
  chmodSync(base, 0o755);
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

function ask(action: WorkerRequest['action'], change: Partial<WorkerRequest> = {}): WorkerAnswer {
  const { dev, ino } = lstatSync(folder);
  const request = {
    action,
    folder,
    device: dev,
    inode: ino,
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
        linkSync(hyperkit, join(folder, '.com.docker.hyperkit.tuntapd-new'));
      },
      ['mach-o', 'missing'],
      ['shim', 'mach-o'],
    ],
    [
      'cut off with all three names on one file',
      () => {
        linkSync(hyperkit, `${hyperkit}.original`);
        linkSync(hyperkit, join(folder, '.com.docker.hyperkit.tuntapd-new'));
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
        put(hyperkit, '#!/bin/sh\n# tuntapd hyperkit shim, version 0.\n');
      },
      ['outdated-shim', 'mach-o'],
      ['shim', 'mach-o'],
    ],
    [
      'with docker-tuntap-osx’s shim',
      () => {
        renameSync(hyperkit, `${hyperkit}.original`);
        put(hyperkit, '#!/bin/bash\nargs+=("2:1,virtio-tap,tap1")\nexec $0.original "$@"\n');
      },
      ['docker-tuntap-osx-shim', 'mach-o'],
      ['shim', 'mach-o'],
    ],
    [
      'with a half-copied hyperkit',
      () => {
        put(hyperkit, binary.subarray(0, 4100));
      },
      ['incomplete', 'missing'],
      ['INCOMPLETE'],
    ],
    [
      'with an empty hyperkit',
      () => {
        put(hyperkit, '');
      },
      ['incomplete', 'missing'],
      ['INCOMPLETE'],
    ],
    [
      'with somebody else’s script',
      () => {
        put(hyperkit, '#!/bin/sh\necho mine\n');
      },
      ['foreign-script', 'missing'],
      ['FOREIGN-SCRIPT'],
    ],
    [
      'with a symlink',
      () => {
        rmSync(hyperkit);
        symlinkSync('/bin/sh', hyperkit);
      },
      ['refused', 'missing'],
      ['REFUSED'],
    ],
    [
      'with a FIFO',
      () => {
        rmSync(hyperkit);
        spawnSync('mkfifo', [hyperkit]);
      },
      ['refused', 'missing'],
      ['REFUSED'],
    ],
    [
      'with a hard link from elsewhere',
      () => {
        linkSync(hyperkit, join(base, 'elsewhere'));
      },
      ['refused', 'missing'],
      ['REFUSED'],
    ],
    [
      'with a file of root',
      () => {
        chownSync(hyperkit, 0, 0);
      },
      ['refused', 'missing'],
      ['REFUSED'],
    ],
  ])('%s', (_what, arrange, inspected, installed) => {
    arrange();
    expect(kinds(ask('inspect'))).toEqual(inspected);
    expect(kinds(ask('install'))).toEqual(installed);
    // Nothing of ours stays behind beside the two files.
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('a folder swapped for a symlink to root’s own gets nothing', () => {
    const { dev, ino } = lstatSync(folder);
    const precious = join(base, 'precious');
    mkdirSync(precious);
    put(join(precious, 'com.docker.hyperkit'), binary);
    renameSync(folder, join(base, 'moved'));
    symlinkSync(precious, folder);
    const before = identity(join(precious, 'com.docker.hyperkit'));
    expect(kinds(ask('install', { device: dev, inode: ino }))).toEqual(['MOVED']);
    // Even told that root's folder is the right one, the user that the child has become may not write there.
    const swapped = lstatSync(precious);
    expect(kinds(ask('install', { device: swapped.dev, inode: swapped.ino }))).toEqual(['OWNER']);
    expect(identity(join(precious, 'com.docker.hyperkit'))).toEqual(before);
    expect(readdirSync(precious)).toEqual(['com.docker.hyperkit']);
  });
});
