import { chmod, lstat, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type ControlHandlers, type ControlServer, serveControl } from '../../../daemon/control/server.js';
import { statusSchema } from '../../../daemon/control/messages.js';
import { madeUpStatus } from '../cli/made-up.js';

let folder: string;
let socketPath: string;
let servers: ControlServer[];
let logged: string[];
const done = { done: true, problems: [] };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'control-'));
  socketPath = join(folder, 'tuntapd.sock');
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
    gid: process.getgid?.() ?? 0,
    timeout,
    log: (_level, message) => logged.push(message),
    handlers: {
      version: () => ({ version: '1.2.3', pid: 7 }),
      status: () => madeUpStatus(),
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

function ask(method: string, path: string, body = ''): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path, agent: false }, (response) => {
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
  expect(await ask('POST', '/v1/leave')).toEqual({
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

test('the socket is 0660 and alone in its folder, and goes with the server', async () => {
  const server = await serve();
  const socket = await lstat(socketPath);
  expect(socket.isSocket()).toBe(true);
  expect(socket.mode & 0o777).toBe(0o660);
  expect(await readdir(folder)).toEqual(['tuntapd.sock']);
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
  await expect(serve()).rejects.toThrow(/is no socket/);
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
