import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { answersTcp } from '../../daemon/lib/tcp-probe.js';

const here = '127.0.0.1';

test('a connection is an answer', async () => {
  const server = createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => server.listen(0, here, resolve));
  const { port } = server.address() as AddressInfo;
  expect(await answersTcp(here, here, { port })).toEqual({ alive: true, said: 'connected' });
  await new Promise((resolve) => server.close(resolve));
});

test('a refusal is an answer too', async () => {
  expect(await answersTcp('127.0.0.2', '127.0.0.1')).toEqual({ alive: true, said: 'ECONNREFUSED' });
});

test('silence ends in time', async () => {
  // Whose queue of connections is full, and who takes none of them, is as silent as a firewall.
  const script = `const s = require('net').createServer().listen({ port: 0, host: '${here}', backlog: 1 }, () => console.log(s.address().port))`;
  const server = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(server.stdout, 'data')) as [Buffer];
  server.kill('SIGSTOP');
  const port = Number(said.toString());
  const waiting = [1, 2, 3, 4].map(() => createConnection({ host: here, port }).on('error', () => undefined));
  await new Promise((resolve) => setTimeout(resolve, 200));
  const began = Date.now();
  expect(await answersTcp(here, here, { port, timeout: 200 })).toEqual({ alive: false, said: 'no answer' });
  expect(Date.now() - began).toBeLessThan(2000);
  for (const socket of waiting) socket.destroy();
  server.kill('SIGKILL');
});

test('an address of the link that is not ours is no answer', async () => {
  expect(await answersTcp(here, '192.0.2.7')).toEqual({ alive: false, said: 'EADDRNOTAVAIL' });
});
