/**
 * mDNSResponder: what programs are answered that ask macOS for a name. The machine starts it and tells it the resolvers,
 * a line of JSON on stdin each time they are others. A client writes `FAMILY NAME` (0, 4 or 6) to its socket and is sent
 * the addresses, one a line (nss/mac.c; a Mac's own protocol has more to say, and nobody here speaks it).
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { ask } from '../mac/dns/asking.js';
import type { DnsResolver } from '../mac/dns/configuration.js';
import { createQuestions } from '../mac/dns/questions.js';
import { responderSocket } from '../mac/dns/responder-socket.js';

/** `_mdnsresponder`, as which it runs. */
const account = 65;

const questions = createQuestions({ ask, now: () => performance.now() });

async function answer(line: string): Promise<string> {
  const [, family, name = ''] = /^([046]) (\S+)$/.exec(line) ?? [];
  const addresses = await questions.addressesOf(name, Number(family ?? 0) as 0 | 4 | 6);
  return addresses.map((address) => `${address}\n`).join('');
}

const server = createServer((socket: Socket) => {
  socket.on('error', () => undefined);
  createInterface({ input: socket }).once('line', (line) => {
    void answer(line).then((text) => socket.end(text));
  });
});

process.on('SIGHUP', questions.purge);
createInterface({ input: process.stdin })
  .on('line', (line) => {
    questions.follow(JSON.parse(line) as readonly DnsResolver[]);
  })
  .on('close', () => process.exit());
rmSync(responderSocket, { force: true });
server.listen(responderSocket, () => {
  chmodSync(responderSocket, 0o666);
  process.setgroups?.([]);
  process.setgid?.(account);
  process.setuid?.(account);
  process.stdout.write('ready\n');
});
