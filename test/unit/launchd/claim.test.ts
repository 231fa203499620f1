/** Installations and removals at once, by processes of their own. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { build } from 'esbuild';
import { type Layout, layoutAt } from '../../../daemon/lib/layout.js';
import { mac } from '../../../launchd/macos.js';
import { byCommand, remove } from '../../../launchd/removal.js';
import { fakeLaunchd } from './fake-launchd.js';

// A loser waits a while for the other one to withdraw, and a loaded machine is slow.
jest.setTimeout(60_000);

interface Contender {
  readonly child: ChildProcessWithoutNullStreams;
  readonly version: string;
  /** Resolves once it has said `word`; never when it ends without. */
  readonly says: (word: string) => Promise<void>;
  readonly goOn: () => void;
  readonly end: Promise<{ readonly status: number | null; readonly stderr: string }>;
}

let programs: string;
let root: string;
let layout: Layout;
let contenders: Contender[];

beforeAll(async () => {
  programs = await mkdtemp(join(tmpdir(), 'contender-'));
  await build({
    entryPoints: [join(process.cwd(), 'test/unit/launchd/contender.ts')],
    outfile: join(programs, 'contender.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
});

afterAll(() => rm(programs, { recursive: true, force: true }));

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'mac-')));
  const gid = process.getgid?.() ?? 0;
  layout = layoutAt(root, { uid: process.getuid?.() ?? 0, gid }, gid);
  await writeFile(join(root, 'runtime'), 'the official runtime');
  contenders = [];
});

afterEach(async () => {
  for (const { child, end } of contenders) {
    child.kill('SIGKILL');
    await end;
  }
  await rm(root, { recursive: true, force: true });
});

async function contender(version: string): Promise<Contender> {
  const child = spawn(process.execPath, [join(programs, 'contender.mjs'), root, version]);
  let heard = '';
  child.stdout.setEncoding('utf8').on('data', (more: string) => (heard += more));
  const stderr = text(child.stderr);
  const one: Contender = {
    child,
    version,
    says: async (word) => {
      while (!heard.split('\n').includes(word)) await once(child.stdout, 'data');
    },
    goOn: () => void child.stdin.write('\n'),
    end: once(child, 'close').then(async ([status]) => ({
      status: status as number | null,
      stderr: await stderr,
    })),
  };
  contenders.push(one);
  await one.says('ready');
  return one;
}

async function holder(version: string): Promise<Contender> {
  const one = await contender(version);
  one.goOn();
  await one.says('holds');
  return one;
}

const removing = () => {
  const outside = { ...fakeLaunchd(layout.socket, () => null), pause: mac.pause };
  return remove({
    outside,
    layout,
    purge: true,
    force: false,
    wording: byCommand,
    timeout: 50,
    say: () => undefined,
  });
};

const inVarDb = (): string[] => readdirSync(join(root, 'var/db'));

test.each([1, 2, 3])('of two that install at the same moment one does, round %i', async () => {
  const both = await Promise.all([contender('1'), contender('2')]);
  for (const one of both) one.goOn();
  const loser = await Promise.race(both.map(async (one) => ({ one, ...(await one.end) })));
  const [winner] = both.filter((one) => one !== loser.one);
  if (!winner) throw new Error('no winner');
  expect(loser).toMatchObject({ status: 1 });
  expect(loser.stderr).toContain(`tuntapd is being installed already (pid ${winner.child.pid ?? ''})`);
  // Before that nobody listens for the line.
  await winner.says('holds');
  winner.goOn();
  expect(await winner.end).toEqual({ status: 0, stderr: '' });
  expect(readFileSync(layout.daemon, 'utf8')).toBe(winner.version);
  expect(readdirSync(join(root, 'opt'))).toEqual(['tuntapd']);
  expect(inVarDb()).toEqual(['tuntapd']);
});

test('nothing is removed while another one installs', async () => {
  const { child, goOn, end } = await holder('1');
  await expect(removing()).rejects.toThrow(`tuntapd is being installed already (pid ${child.pid ?? ''})`);
  expect(existsSync(layout.staged)).toBe(true);
  goOn();
  expect((await end).status).toBe(0);
  expect(existsSync(layout.prefix)).toBe(true);
});

describe('what keeps nobody waiting', () => {
  afterEach(async () => {
    const next = await holder('2');
    next.goOn();
    expect(await next.end).toEqual({ status: 0, stderr: '' });
    expect(inVarDb()).toEqual(['tuntapd']);
  });

  test('one that was killed half-way', async () => {
    const { child, end } = await holder('1');
    child.kill('SIGKILL');
    await end;
    expect(inVarDb()).not.toEqual([]);
  });

  test('one whose pid is another process’s by now', async () => {
    await mkdir(layout.claims, { recursive: true });
    await writeFile(join(layout.claims, `${process.ppid}-1000000000-install`), '');
  });

  test('what is no claim', async () => {
    await mkdir(join(layout.claims, 'anything'), { recursive: true });
  });
});

test('the uninstaller takes away what one left that was killed', async () => {
  const { child, end } = await holder('1');
  child.kill('SIGKILL');
  await end;
  await removing();
  expect(inVarDb()).toEqual([]);
  expect(readdirSync(join(root, 'opt'))).toEqual([]);
});
