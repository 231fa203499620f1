import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { askStatus } from '../../../launchd/control.js';

test.each([
  [
    'of megabytes',
    200,
    JSON.stringify({ version: '2', pid: 7, phase: 'ready', words: 'x'.repeat(8_000_000) }),
  ],
  ['of another shape', 200, '[]'],
  ['that is not there yet', 503, '{}'],
])('a daemon with a status %s runs all the same', async (_what, code, status) => {
  const folder = await mkdtemp(join(tmpdir(), 'daemon-'));
  const server = createServer(({ url }, response) => {
    if (url === '/v1/status') response.statusCode = code;
    response.end(url === '/v1/version' ? '{"version":"2","pid":7}' : status);
  });
  const socket = join(folder, 's');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  try {
    expect(await askStatus(socket)).toEqual({ version: '2', pid: 7, phase: 'starting' });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  }
});
