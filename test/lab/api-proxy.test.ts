/** The lab's Docker API proxy, between a client and an engine that are sockets of this test's own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { passOn } from './docker/api-proxy.js';
import { until } from '../lib/until.js';

let folder: string;
let servers: Server[];
let heard: string;
let engineSide: Socket | null;
let isEnded: boolean;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'proxy-'));
  [heard, engineSide, isEnded] = ['', null, false];
  const engine = createServer({ allowHalfOpen: true }, (socket) => {
    engineSide = socket;
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write('HTTP/1.1 101 UPGRADED\r\n\r\n'));
    socket.on('data', (bytes) => (heard += bytes.toString()));
    socket.on('end', () => (isEnded = true));
  });
  const proxy = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    passOn(client, createConnection({ path: join(folder, 'engine'), allowHalfOpen: true }));
  });
  servers = [engine, proxy];
  await new Promise<void>((resolve) => engine.listen(join(folder, 'engine'), resolve));
  await new Promise<void>((resolve) => proxy.listen(join(folder, 'proxy'), resolve));
});

afterEach(() => {
  engineSide?.destroy();
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function say(head: string, input: string): Promise<{ client: Socket; answer: () => string }> {
  const client = createConnection({ path: join(folder, 'proxy'), allowHalfOpen: true });
  let answer = '';
  client.on('error', () => undefined);
  client.on('data', (bytes) => (answer += bytes.toString()));
  client.write(`${head}\r\n\r\n`);
  await until('it is answered', 5, () => Promise.resolve(answer.startsWith('HTTP/1.1')));
  client.end(input);
  return { client, answer: () => answer };
}

test('with Upgrade what is said reaches the container, and the half-close does not', async () => {
  const { client } = await say(
    'POST /v1.51/containers/c/attach?stdin=1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp',
    'words',
  );
  await until('it is heard', 5, () => Promise.resolve(heard.endsWith('words')));
  expect(isEnded).toBe(false);
  client.destroy();
});

test('without Upgrade nothing that is said reaches the container', async () => {
  const { client, answer } = await say(
    'POST /v1.51/containers/c/attach?stdin=1 HTTP/1.1\r\nHost: docker',
    'words',
  );
  engineSide?.write('output');
  await until('output comes', 5, () => Promise.resolve(answer().endsWith('output')));
  expect(heard).toMatch(/^POST [^]*\r\n\r\n$/);
  client.destroy();
});

test('the websocket is refused', async () => {
  const { answer } = await say(
    'GET /v1.51/containers/c/attach/ws?stdin=1 HTTP/1.1\r\nUpgrade: websocket',
    '',
  );
  expect(answer()).toMatch(/500/);
});

test('everything else goes through as it is, its end too', async () => {
  const body = 'POST /v1.51/images/load HTTP/1.1\r\ncontent-length: 5';
  await say(body, 'bytes');
  await until('all is heard', 5, () => Promise.resolve(isEnded));
  expect(heard).toBe(`${body}\r\n\r\nbytes`);
});
