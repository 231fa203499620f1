/** tuntapctl as a process: what a shell sees of Ctrl-C, of its outputs, and of when it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, chmod, link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createSocket } from 'node:dgram';
import { closeSync, openSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { layoutAt } from '../../../daemon/lib/layout.js';
import { condition, madeUpStatus } from './made-up.js';
import { healthyStatus } from './scenes.js';

const uid = process.getuid?.() ?? 0;
let root: string;
let log: string;
let program: string;
let daemon: Server | null;
let child: ChildProcess | null;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'process-'));
  program = join(root, 'tuntapctl.mjs');
  const repository = join(import.meta.dirname, '../../..');
  await build({
    stdin: {
      contents: `import { layoutAt } from './daemon/lib/layout.js';
        import { runProcess } from './cli/process.js';
        await runProcess(layoutAt(${JSON.stringify(root)}));`,
      resolveDir: repository,
    },
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    loader: { '.sh': 'text' },
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  const layout = layoutAt(root, { uid, gid: 0 });
  log = join(layout.logs, 'tuntapd.log');
  for (const folder of [dirname(layout.socket), layout.logs]) await mkdir(folder, { recursive: true });
  await writeFile(log, 'first\n');
});

afterAll(async () => {
  await rm(root, { recursive: true });
});

beforeEach(() => {
  daemon = null;
  child = null;
});

afterEach(async () => {
  child?.kill('SIGKILL');
  daemon?.closeAllConnections();
  if (daemon) await new Promise((resolve) => daemon?.close(resolve));
});

/** A daemon that answers every question by `body`, or never. Resolves what resolves when it is asked. */
async function serve(body: unknown): Promise<{ readonly asked: Promise<unknown> }> {
  const server = createServer((_request, response) => {
    if (body !== null) response.end(JSON.stringify(body));
  });
  daemon = server;
  const asked = once(server, 'request');
  server.listen(layoutAt(root).socket);
  await once(server, 'listening');
  return { asked };
}

const startAs = (who: { uid?: number; gid?: number }, ...argv: string[]): ChildProcess =>
  (child = spawn(process.execPath, [program, ...argv], who));
const start = (...argv: string[]): ChildProcess => startAs({}, ...argv);

const end = async (of: ChildProcess): Promise<unknown> => {
  const [code, signal] = (await once(of, 'exit')) as [number | null, string | null];
  return code ?? signal;
};

test('Ctrl-C ends a command that waits', async () => {
  const { asked } = await serve(null);
  const status = start('status');
  await asked;
  const ended = end(status);
  status.kill('SIGINT');
  expect(await ended).toBe('SIGINT');
});

test('Ctrl-C is how logs -f is meant to end', async () => {
  const logs = start('logs', '-f');
  if (logs.stdout) await once(logs.stdout, 'data');
  const ended = end(logs);
  logs.kill('SIGINT');
  expect(await ended).toBe(0);
});

test('logs -f ends when its reader has gone', async () => {
  const logs = start('logs', '-f');
  if (logs.stdout) await once(logs.stdout, 'data');
  const ended = end(logs);
  logs.stdout?.destroy();
  await appendFile(log, 'second\n');
  expect(await ended).toBe(0);
});

test('the exit code tells the same when nobody reads the rest: 4 for a degraded daemon', async () => {
  await serve(madeUpStatus({ phase: 'degraded' }));
  const status = start('status');
  status.stdout?.destroy();
  expect(await end(status)).toBe(4);
});

test('nor when nobody reads the complaint: 3 without a daemon', async () => {
  const status = start('status');
  status.stderr?.destroy();
  expect(await end(status)).toBe(3);
});

/** macOS has none. */
const withFullDevice = process.platform === 'linux' ? test : test.skip;

withFullDevice('what cannot be printed is told on stderr', async () => {
  await serve(madeUpStatus());
  const full = openSync('/dev/full', 'w');
  try {
    const status = (child = spawn(process.execPath, [program, 'status'], {
      stdio: ['ignore', full, 'pipe'],
    }));
    let said = '';
    status.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    expect(await once(status, 'close')).toEqual([1, null]);
    expect(said).toMatch(/^tuntapctl: the answer could not be printed: ENOSPC.*\n$/);
  } finally {
    closeSync(full);
  }
});

withFullDevice('a complaint that cannot be printed leaves the exit code: 3 without a daemon', async () => {
  const full = openSync('/dev/full', 'w');
  try {
    child = spawn(process.execPath, [program, 'status'], { stdio: ['ignore', 'pipe', full] });
    expect(await end(child)).toBe(3);
  } finally {
    closeSync(full);
  }
});

test('a reader that takes its time gets all of it', async () => {
  const message = 'x'.repeat(3_000_000);
  await serve(madeUpStatus({ conditions: [{ ...condition('Ready'), message }] }));
  const status = start('status', '--json');
  const ended = once(status, 'close');
  await new Promise((resolve) => setTimeout(resolve, 500));
  let said = '';
  status.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  expect(await ended).toEqual([0, null]);
  expect(JSON.parse(said)).toMatchObject({ conditions: [{ message }] });
});

const asRoot = uid === 0 ? test : test.skip;

/** Silence where glibc asks for names, in a mount namespace of its own. */
async function inSilence(use: (...argv: string[]) => ChildProcess): Promise<string> {
  const silent = createSocket('udp4');
  // An address of this run's own: another may be at work on the same machine.
  const address = `127.79.${(process.pid >> 8) & 255}.${process.pid & 255}`;
  silent.bind(53, address);
  await once(silent, 'listening');
  await writeFile(join(root, 'resolv.conf'), `nameserver ${address}\noptions timeout:30 attempts:5\n`);
  await writeFile(join(root, 'nsswitch.conf'), 'hosts: dns\n');
  const binds = ['resolv.conf', 'nsswitch.conf'].map(
    (file) => `mount --bind ${join(root, file)} /etc/${file}`,
  );
  try {
    const running = use('unshare', '--mount', 'sh', '-c', `${binds.join(' && ')} && exec "$0" "$@"`);
    let said = '';
    running.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await once(running, 'close');
    return said;
  } finally {
    silent.close();
  }
}

const asRootOfLinux = process.platform === 'linux' ? asRoot : test.skip;

asRootOfLinux('doctor ends once it has answered, although macOS is still looking for a name', async () => {
  await serve(healthyStatus);
  const began = performance.now();
  const said = await inSilence(
    (...[file = '', ...argv]) =>
      (child = spawn(file, [...argv, process.execPath, program, 'doctor', 'TT013', '--json'])),
  );
  expect(JSON.parse(said)).toMatchObject([
    {
      id: 'TT013',
      status: 'fail',
      detail: expect.stringContaining('(no answer within 10 s)') as unknown,
    },
  ]);
  expect(performance.now() - began).toBeLessThan(20_000);
});

asRoot.each([
  ['up', 1502, 'tuntapd.sock', /for root and for administrators of this Mac \(group admin\).*sudo/],
  ['status', 1502, 'tuntapd.sock', /for root and for administrators of this Mac \(group admin\).*sudo/],
  ['shim restore', 1502, 'tuntapd-root.sock', /for root alone.*sudo tuntapctl shim restore/],
])(
  '%s without the right to ask: what was tried, what that means and what to do, and 1',
  async (command, other, socket, words) => {
    const { socket: path, rootSocket } = layoutAt(root);
    const { asked } = await serve({ done: true, problems: [] });
    // The second socket is another name of the first: nobody gets as far as to tell.
    await rm(rootSocket, { force: true });
    await link(path, rootSocket);
    await chmod(path, 0o660);
    for (const folder of [root, dirname(path), dirname(dirname(path))]) await chmod(folder, 0o755);
    let isAsked = false;
    void asked.then(() => (isAsked = true));
    let said = '';
    const running = startAs({ uid: other, gid: other }, ...command.split(' '));
    running.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    expect(await once(running, 'close')).toEqual([1, null]);
    expect(said).toContain('tuntapd could not be asked');
    expect(said).toContain(`${join(dirname(path), socket)} is closed to this account`);
    expect(said).toMatch(words);
    expect(said.trim().split('\n')).toHaveLength(1);
    expect(isAsked).toBe(false);
  },
);
