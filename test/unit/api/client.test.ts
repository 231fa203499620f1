/** The one client of the control socket, against servers that behave and servers that do not. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ask, UnfitSocketPath } from '../../../daemon/api/client.js';

let folder: string;
let server: Server | null;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'client-'));
  server = null;
});

afterEach(async () => {
  const closing = server;
  if (closing) {
    closing.closeAllConnections();
    await new Promise((resolve) => closing.close(resolve));
  }
  await rm(folder, { recursive: true });
});

async function serve(listener: RequestListener): Promise<string> {
  const socket = join(folder, 's');
  const listening = createServer(listener);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(socket, resolve));
  return socket;
}

test('questions are asked by GET, actions by POST, and the reply comes back as it is', async () => {
  const socket = await serve(({ method, url }, response) => {
    response.statusCode = 503;
    response.end(`${method} ${url}`);
  });
  expect(await ask(socket, 'status', 100)).toEqual({ status: 503, text: 'GET /v1/status' });
  expect(await ask(socket, 'leave', 100)).toEqual({ status: 503, text: 'POST /v1/leave' });
});

test('an answer that is too long ends the connection', async () => {
  let isClosed: Promise<unknown> = Promise.resolve();
  const socket = await serve((_request, response) => {
    isClosed = new Promise((resolve) => response.once('close', resolve));
    response.write('x'.repeat(2000));
  });
  await expect(ask(socket, 'version', 1000)).rejects.toThrow('the answer is too long');
  await isClosed;
});

test.each(['nothing', 'half an answer'])(
  '%s within 5 s is a timeout',
  async (what) => {
    const socket = await serve((_request, response) => {
      if (what !== 'nothing') response.write('{"version":');
    });
    await expect(ask(socket, 'version', 1000)).rejects.toMatchObject({ code: 'ABORT_ERR' });
  },
  15_000,
);

test('a path too long for a socket is not dialled', async () => {
  await expect(ask(join(folder, 'x'.repeat(104)), 'version', 1000)).rejects.toBeInstanceOf(UnfitSocketPath);
});
