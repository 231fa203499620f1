/** A process that does what the daemon does, and much of it at a time; prints the warnings that Node.js gave it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import * as z from 'zod';
import { run } from '../../../daemon/lib/command.js';
import { serveControl } from '../../../daemon/control/server.js';
import { withDeadline } from '../../../daemon/guest/deadline.js';
import { connectEngine } from '../../../daemon/guest/engine-client.js';
import { watchEngine } from '../../../daemon/guest/engine-watch.js';
import { fakeEngine } from './fake-engine.js';

const warnings: string[] = [];
process.on('warning', ({ name, message }) => warnings.push(`${name}: ${message}`));

const times = <T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)));

const engine = await fakeEngine({ slowness: () => 50 });
const client = await connectEngine(engine.dial);
const networks = z.array(z.unknown());
await withDeadline(client, { milliseconds: 10_000 }, (bounded) =>
  times(50, () => bounded.json('GET', '/networks', networks)),
);

engine.networks = Array.from({ length: 10 }, (_, index) => ({
  Id: `n${index}`,
  Name: `n${index}`,
  Driver: 'bridge',
}));
const vm = { id: '9@then', pid: 9, uid: 501, startedAt: '', startedWithTap: true, tapIsForeign: false };
const watch = watchEngine({
  find: () => Promise.resolve(engine.dial),
  vm: { ...vm, executable: null },
  onChange: () => undefined,
  log: () => undefined,
});
await pause(500);
// Of ten networks something is told at once; each is asked for, beside the stream.
engine.emit(
  engine.networks
    .map((_, index) =>
      JSON.stringify({ Type: 'network', Action: 'connect', Actor: { ID: `n${index}`, Attributes: {} } }),
    )
    .map((line) => `${line}\n`)
    .join(''),
);
await pause(500);
for (let round = 0; round < 20; round += 1) {
  watch.startOver();
  await pause(20);
}
watch.stop();
await engine.close();

await times(30, () => run('/bin/sh', ['-c', 'sleep 0.2']));

const folder = mkdtempSync(join(tmpdir(), 'many-requests-'));
const done = { done: true, problems: [] };
const act = () => pause(100).then(() => done);
const control = await serveControl({
  socketPath: join(folder, 's'),
  rootSocketPath: join(folder, 'r'),
  gid: process.getgid?.() ?? 0,
  log: () => undefined,
  handlers: {
    version: () => ({ version: '1', pid: 1 }),
    status: () => null,
    follow: () => () => undefined,
    metrics: () => 'tuntapd_up 1\n',
    up: act,
    down: act,
    restart: act,
    restore: act,
    leave: act,
  },
});
await times(40, (index) => {
  const path = ['/v1/up', '/v1/down', '/v1/version'][index % 3];
  return new Promise<void>((resolve, reject) => {
    request(
      { socketPath: join(folder, 's'), method: path === '/v1/version' ? 'GET' : 'POST', path },
      (answer) => {
        answer.resume().on('end', resolve);
      },
    )
      .on('error', reject)
      .end();
  });
});
await control.close();
rmSync(folder, { recursive: true });
process.stdout.write(JSON.stringify(warnings));
