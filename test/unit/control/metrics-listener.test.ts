import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, expect, test } from '@jest/globals';
import { serveMetrics } from '../../../daemon/control/metrics-listener.js';
import { until } from '../../lib/until.js';

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly type: string;
}

let said: string[] = [];
let listener: { readonly close: () => Promise<void> } | null = null;
let other: Server | null = null;

afterEach(async () => {
  await listener?.close();
  other?.close();
  listener = null;
  other = null;
  said = [];
});

/** A port of 127.0.0.1 that is free, or taken by `other`. */
async function port({ taken }: { taken: boolean }): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port: found } = server.address() as AddressInfo;
  if (taken) other = server;
  else await new Promise((resolve) => server.close(resolve));
  return found;
}

const serve = (at: number, host = '127.0.0.1'): void => {
  listener = serveMetrics({
    listen: { host, port: at },
    text: () => 'tuntapd_passes_total 3\n',
    log: (level, message) => said.push(`${level} ${message}`),
    retryAfter: 50,
  });
};

const ask = (at: number, options: { path?: string; method?: string; host?: string; name?: string } = {}) =>
  new Promise<Reply>((resolve, reject) => {
    const { path = '/metrics', method = 'GET', host = '127.0.0.1', name } = options;
    const headers = name === undefined ? {} : { host: name };
    get({ host, port: at, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => {
        const { statusCode = 0, headers: told } = response;
        resolve({ status: statusCode, text, type: told['content-type'] ?? '' });
      });
    }).on('error', reject);
  });

const listens = () => until('it listens', 5, () => Promise.resolve(said.some((line) => /^info/.test(line))));

test('tells what is counted, to this Mac alone', async () => {
  const at = await port({ taken: false });
  serve(at);
  await listens();
  expect(await ask(at)).toEqual({
    status: 200,
    text: 'tuntapd_passes_total 3\n',
    type: 'text/plain; version=0.0.4; charset=utf-8',
  });
  expect((await ask(at, { path: '/v1/up', method: 'POST' })).status).toBe(404);
  expect((await ask(at, { method: 'POST' })).status).toBe(405);
  const outside = Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal);
  if (outside) await expect(ask(at, { host: outside.address })).rejects.toThrow(/ECONNREFUSED/);
});

test.each([
  'evil.example',
  'evil.example:9187',
  '10.0.0.1',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
])('a page of %s in a browser, whose name leads to 127.0.0.1, is told nothing', async (name) => {
  const at = await port({ taken: false });
  serve(at);
  await listens();
  expect(await ask(at, { name })).toMatchObject({ status: 403, text: 'ask by a loopback address\n' });
  expect((await ask(at, { name: `localhost:${at}` })).status).toBe(200);
});

test('an address that is taken is told once with its key, and had once it is free', async () => {
  const at = await port({ taken: true });
  serve(at);
  await until('it is told', 5, () => Promise.resolve(said.length > 0));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(said).toEqual([
    expect.stringMatching(
      new RegExp(`^error metrics\\.listen: 127\\.0\\.0\\.1, port ${at}, cannot be had: .*EADDRINUSE`),
    ),
  ]);
  await new Promise((resolve) => other?.close(resolve));
  await listens();
  expect((await ask(at)).status).toBe(200);
});

test('ends at once, also while somebody is connected or the address is taken', async () => {
  const free = await port({ taken: false });
  serve(free);
  await listens();
  await ask(free);
  await listener?.close();
  await expect(ask(free)).rejects.toThrow(/ECONNREFUSED/);
  serve(await port({ taken: true }));
  await until('it is told', 5, () => Promise.resolve(said.length > 1));
  await listener?.close();
  const before = said.length;
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(said).toHaveLength(before);
  listener = null;
});
