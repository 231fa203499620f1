import { chmod, lstat, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type ControlHandlers, type ControlServer, serveControl } from '../../../daemon/control/server.js';
import { createFeed } from '../../../daemon/control/stream.js';
import { statusSchema } from '../../../daemon/api/messages.js';
import { madeUpStatus } from '../cli/made-up.js';

let folder: string;
let socketPath: string;
let rootSocketPath: string;
let servers: ControlServer[];
let logged: string[];
const done = { done: true, problems: [] };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'control-'));
  socketPath = join(folder, 'tuntapd.sock');
  rootSocketPath = join(folder, 'tuntapd-root.sock');
  servers = [];
  logged = [];
});

afterEach(async () => {
  for (const server of servers) await server.close();
  await rm(folder, { recursive: true });
});

async function serve(handlers: Partial<ControlHandlers> = {}, timeout = 5000): Promise<ControlServer> {
  const server = await serveControl({
    socketPath,
    rootSocketPath,
    gid: process.getgid?.() ?? 0,
    timeout,
    log: (_level, message) => logged.push(message),
    handlers: {
      version: () => ({ version: '1.2.3', pid: 7 }),
      status: () => madeUpStatus(),
      follow: () => () => undefined,
      metrics: () => 'tuntapd_up 1\n',
      up: () => Promise.resolve(done),
      down: () => Promise.resolve(done),
      restart: () => Promise.resolve(done),
      restore: () => Promise.resolve(done),
      leave: () => Promise.resolve({ done: false, problems: ['hyperkit is in use'] }),
      ...handlers,
    },
  });
  servers.push(server);
  return server;
}

function ask(
  method: string,
  path: string,
  body = '',
  at = socketPath,
): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: at, method, path, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown });
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

test('answers what is asked', async () => {
  await serve();
  expect(await ask('GET', '/v1/version')).toEqual({ status: 200, body: { version: '1.2.3', pid: 7 } });
  const status = await ask('GET', '/v1/status');
  expect(statusSchema.parse(status.body)).toEqual(madeUpStatus());
  expect(await ask('POST', '/v1/up')).toEqual({ status: 200, body: done });
  expect(await ask('POST', '/v1/leave', '', rootSocketPath)).toEqual({
    status: 200,
    body: { done: false, problems: ['hyperkit is in use'] },
  });
});

test.each([
  ['GET', '/v1/up', 405, 'MethodNotAllowed'],
  ['POST', '/v1/status', 405, 'MethodNotAllowed'],
  ['GET', '/', 404, 'NotFound'],
  ['GET', '//', 404, 'NotFound'],
  ['GET', 'http://[', 404, 'NotFound'],
  ['GET', '/v1/up?now', 405, 'MethodNotAllowed'],
  ['DELETE', '/v1/everything', 404, 'NotFound'],
])('%s %s is %i %s', async (method, path, status, code) => {
  await serve();
  expect(await ask(method, path)).toMatchObject({ status, body: { error: { code } } });
  expect(logged).toEqual([]);
});

test('bodies and time are bounded, failures are answers, and the next request is served', async () => {
  await serve(
    {
      status: () => null,
      up: () => Promise.reject(new Error('no tap')),
      down: () => new Promise(() => undefined),
    },
    100,
  );
  expect(await ask('GET', '/v1/status')).toMatchObject({
    status: 503,
    body: { error: { code: 'Starting' } },
  });
  expect(await ask('POST', '/v1/up')).toMatchObject({ status: 500, body: { error: { message: 'no tap' } } });
  expect(await ask('POST', '/v1/down')).toMatchObject({ status: 504, body: { error: { code: 'TimedOut' } } });
  expect(await ask('POST', '/v1/up', 'x'.repeat(5000))).toMatchObject({ status: 413 });
  expect(await ask('POST', '/v1/restart')).toMatchObject({ status: 200 });
});

test('the sockets are 0660 and 0600, alone in their folder, and go with the server', async () => {
  const server = await serve();
  const socket = await lstat(socketPath);
  expect(socket.isSocket()).toBe(true);
  expect(socket.mode & 0o777).toBe(0o660);
  expect((await lstat(rootSocketPath)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['tuntapd-root.sock', 'tuntapd.sock']);
  await server.close();
  servers = [];
  expect(await readdir(folder)).toEqual([]);
});

test('a living socket and other files are not taken over', async () => {
  const first = await serve();
  await expect(serve()).rejects.toThrow(/another tuntapd/);
  expect(await ask('GET', '/v1/version')).toMatchObject({ status: 200 });
  await first.close();
  servers = [];
  await writeFile(socketPath, 'precious');
  await expect(serve()).rejects.toThrow(/is not a socket/);
  await rm(socketPath);
  expect(await readdir(folder)).toEqual([]);
});

test('a stale socket is replaced', async () => {
  const first = await serve();
  // What a killed daemon leaves: a socket file without anyone behind it.
  const stale = createServer();
  await first.close();
  servers = [];
  const child = join(folder, 's');
  await new Promise<void>((resolve) => stale.listen(child, resolve));
  await rename(child, socketPath);
  await new Promise<void>((resolve) =>
    stale.close(() => {
      resolve();
    }),
  );
  expect((await lstat(socketPath)).isSocket()).toBe(true);
  await serve();
  expect(await ask('GET', '/v1/version')).toMatchObject({ status: 200 });
});

test('close does not take away a socket that is no longer its own, nor wait for the silent', async () => {
  const first = await serve();
  const silent = connect(socketPath);
  await new Promise((resolve) => silent.once('connect', resolve));
  silent.on('error', () => undefined);
  await rm(socketPath);
  await rm(rootSocketPath);
  const second = await serve();
  const begin = performance.now();
  await first.close();
  expect(performance.now() - begin).toBeLessThan(2000);
  expect((await lstat(socketPath)).isSocket()).toBe(true);
  await chmod(socketPath, 0o660);
  expect(await ask('GET', '/v1/version')).toMatchObject({ status: 200 });
  servers = [second];
  silent.destroy();
});

test.each([
  ['/v1/restore', 'sudo tuntapctl shim restore'],
  ['/v1/leave', 'sudo make uninstall-daemon'],
])('%s is for root alone, and the refusal says what to type', async (path, words) => {
  let begun = 0;
  const act = () => {
    begun += 1;
    return Promise.resolve(done);
  };
  await serve({ restore: act, leave: act });
  expect(await ask('POST', path)).toMatchObject({
    status: 403,
    body: { error: { code: 'RootOnly', message: expect.stringContaining(words) } },
  });
  expect(begun).toBe(0);
  expect(await ask('POST', path, '', rootSocketPath)).toEqual({ status: 200, body: done });
});

const asRoot = process.getuid?.() === 0 ? test : test.skip;

asRoot('a member of the group that may ask cannot reach what is for root', async () => {
  await serve();
  await chmod(folder, 0o755);
  const attack = `
    process.setgroups([]); process.setgid(${process.getgid?.() ?? 0}); process.setuid(12345);
    const { connect } = require('node:net');
    const dial = (path) => new Promise((resolve) => {
      const socket = connect(path, () => { socket.destroy(); resolve('connected'); });
      socket.on('error', ({ code }) => resolve(code));
    });
    Promise.all(${JSON.stringify([socketPath, rootSocketPath])}.map(dial)).then((all) => console.log(all.join()));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', attack]);
  expect(stdout.trim()).toBe('connected,EACCES');
});

/** Asks and, once it is at work, hangs up. */
async function askAndHangUp(path: string): Promise<void> {
  const socket = connect(socketPath);
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`);
  await new Promise((resolve) => setTimeout(resolve, 20));
  socket.destroy();
}

test('those who ask and hang up leave nobody at work', async () => {
  let atWork = 0;
  const act = (abandoned?: AbortSignal) => {
    atWork += 1;
    return new Promise<typeof done>((resolve) => {
      abandoned?.addEventListener('abort', () => {
        atWork -= 1;
        resolve(done);
      });
    });
  };
  await serve({ up: act, down: act });
  for (let round = 0; round < 10; round += 1)
    await Promise.all(
      Array.from({ length: 40 }, (_, index) => askAndHangUp(index % 2 === 0 ? '/v1/up' : '/v1/down')),
    );
  for (const end = Date.now() + 5000; atWork > 0 && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 10));
  expect(atWork).toBe(0);
});

test('those who ask for the same wait for one, eight at the most; another action begins all the same', async () => {
  const begun: string[] = [];
  let finish = (): void => undefined;
  const finished = new Promise<typeof done>((resolve) => {
    finish = () => {
      resolve(done);
    };
  });
  const act = (name: string) => () => {
    begun.push(name);
    return finished;
  };
  await serve({ up: act('up'), down: act('down') });
  const asked = Array.from({ length: 12 }, () => ask('POST', '/v1/up'));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const downed = ask('POST', '/v1/down');
  await new Promise((resolve) => setTimeout(resolve, 100));
  finish();
  expect((await Promise.all(asked)).map(({ status }) => status).toSorted()).toEqual([
    ...Array.from({ length: 8 }, () => 200),
    ...Array.from({ length: 4 }, () => 503),
  ]);
  expect(await downed).toEqual({ status: 200, body: done });
  expect(begun).toEqual(['up', 'down']);
});

/** The lines of a stream as they arrive, and how it ended; `pause` stops reading. */
function watching(): { lines: string[]; ended: Promise<number>; leave: () => void; call: ClientRequest } {
  const lines: string[] = [];
  const call = request({ socketPath, path: '/v1/watch', agent: false });
  const ended = new Promise<number>((resolve, reject) => {
    call.on('error', reject);
    call.on('response', (response) => {
      let rest = '';
      response.on('data', (chunk: Buffer) => {
        const parts = `${rest}${chunk.toString()}`.split('\n');
        rest = parts.pop() ?? '';
        lines.push(...parts);
      });
      response.on('end', () => {
        resolve(response.statusCode ?? 0);
      });
    });
    call.end();
  });
  return { lines, ended, leave: () => call.destroy(), call };
}

const until = async (wanted: () => boolean): Promise<void> => {
  for (const end = Date.now() + 5000; !wanted() && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 10));
  expect(wanted()).toBe(true);
};

test('metrics are text as it is', async () => {
  await serve();
  const call = request({ socketPath, path: '/v1/metrics', agent: false }).end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  expect(response.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  const chunks = await response.toArray();
  expect(Buffer.concat(chunks as Buffer[]).toString()).toBe('tuntapd_up 1\n');
});

test('a watcher is told each status once, from the present one on, until the daemon ends', async () => {
  const feed = createFeed();
  const server = await serve({ follow: feed.follow });
  const { lines, ended } = watching();
  await until(() => lines.length === 1);
  feed.tell(madeUpStatus());
  feed.tell(madeUpStatus({ phase: 'degraded' }));
  await until(() => lines.length === 2);
  expect(lines.map((line) => statusSchema.parse(JSON.parse(line)).phase)).toEqual(['ready', 'degraded']);
  servers = [];
  await server.close();
  expect(await ended).toBe(200);
  expect(lines).toHaveLength(2);
});

test('a watcher that does not read costs one status, and learns the newest at last', async () => {
  const feed = createFeed();
  await serve({ follow: feed.follow });
  const call = request({ socketPath, path: '/v1/watch', agent: false }).end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  const why = 'x'.repeat(100_000);
  const big = (pid: number) =>
    madeUpStatus({ pid, routes: [{ subnet: '-', network: 'n', state: 'refused', why }] });
  for (let pid = 1; pid <= 500; pid += 1) feed.tell(big(pid));
  let text = '';
  response.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await until(() => text.includes('"pid":500,'));
  expect(text.split('\n').length).toBeLessThan(100);
  call.destroy();
});

test('eight watch at the most, and each who leaves makes room', async () => {
  const feed = createFeed();
  await serve({ follow: feed.follow });
  const all = Array.from({ length: 8 }, watching);
  await until(() => all.every(({ lines }) => lines.length === 1));
  expect(await ask('GET', '/v1/watch')).toMatchObject({ status: 503, body: { error: { code: 'Busy' } } });
  for (const { leave, ended } of all) {
    ended.catch(() => undefined);
    leave();
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
  const next = watching();
  await until(() => next.lines.length === 1);
  next.ended.catch(() => undefined);
  next.leave();
});
