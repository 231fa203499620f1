import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { decode, encode, type StringAnswer } from 'dns-packet';
import { cleanEnvironment } from '../../../daemon/lib/command.js';
import { keepNamesServer, type NamesServer } from '../../../daemon/names/server.js';
import { linesFor, type NamesData } from '../../../daemon/names/table.js';
import { workshop } from '../../product/bundle-crash/world.js';
import { until } from '../../lib/until.js';
import { signalAs } from '../inspector.js';

const asRoot = process.getuid?.() === 0 ? test : test.skip;
const nobody = 4_294_967_294;

let tools: string;
let worker: string;
let server: NamesServer;
let ports: number[];
let changes = 0;
let stale = 0;
let logged: string[];

beforeAll(async () => {
  tools = await workshop({ names: 'daemon/names/names-worker.ts' });
  worker = join(tools, 'names.mjs');
});
afterAll(() => {
  rmSync(tools, { recursive: true, force: true });
});
beforeEach(() => {
  // Ports of this very run: others test beside it.
  const first = 20_000 + Math.floor(Math.random() * 10_000);
  ports = [first, first + 1, first + 2];
  changes = 0;
  stale = 0;
  logged = [];
  server = keepNamesServer({
    worker,
    tryPorts: ports,
    onChange: () => (changes += 1),
    onStale: () => (stale += 1),
    log: (message) => logged.push(message),
  });
});
afterEach(() => {
  server.stop();
});

const data = (names: NamesData['names'], isCurrent = true): NamesData => ({
  zone: 'docker',
  isCurrent,
  names,
});
const web = data([['web', ['172.17.0.2']]]);

const portOf = (): number => {
  const state = server.state();
  return state.state === 'serving' ? state.port : 0;
};
const begun = (): Promise<boolean> => until('the server answers', 20, () => Promise.resolve(portOf() !== 0));
/** Waits for it, and counts what is stale from then on. */
const served = async (): Promise<void> => {
  await begun();
  stale = 0;
};
const queryFor = (name: string): Buffer =>
  encode({ type: 'query', id: 7, questions: [{ name, type: 'A', class: 'IN' }] });

const valuesOf = (bytes: Buffer): unknown => {
  const { answers = [] } = decode(bytes);
  return (bytes.readUInt16BE(2) & 15) === 0
    ? answers.map((answer) => (answer as StringAnswer).data)
    : 'denied';
};

/** What is answered over UDP within half a second, or `silence`. */
async function ask(name: string): Promise<unknown> {
  const socket = createSocket('udp4');
  try {
    return await new Promise((resolve) => {
      socket.on('message', (bytes) => {
        resolve(valuesOf(bytes));
      });
      socket.send(queryFor(name), portOf(), '127.0.0.1');
      setTimeout(resolve, 500, 'silence');
    });
  } finally {
    socket.close();
  }
}

async function askByTcp(name: string): Promise<unknown> {
  const socket = createConnection(portOf(), '127.0.0.1');
  const query = queryFor(name);
  const size = Buffer.alloc(2);
  size.writeUInt16BE(query.length, 0);
  // In parts, as a network may hand it over.
  for (const part of [size, query.subarray(0, 5), query.subarray(5)]) {
    socket.write(part);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return valuesOf(bytes.subarray(2));
}

/** The processes of the program. */
const children = (): number[] =>
  execFileSync('/bin/ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(worker))
    .map((line) => Number.parseInt(line, 10));

test('it answers over UDP and TCP, denies what it knows is not there, and is silent while it does not know', async () => {
  expect(server.state()).toEqual({ state: 'off' });
  server.follow(web);
  await served();
  expect(portOf()).toBe(ports[0]);
  expect(await ask('web.docker')).toEqual(['172.17.0.2']);
  expect(await askByTcp('x.web.docker')).toEqual(['172.17.0.2']);
  expect(await ask('db.docker')).toBe('denied');
  server.follow(data([['web', ['172.17.0.3']]], false));
  await until(
    'the names are others',
    5,
    async () => JSON.stringify(await ask('web.docker')) === '["172.17.0.3"]',
  );
  expect(await ask('db.docker')).toBe('silence');
  server.follow(null);
  expect(server.state()).toEqual({ state: 'off' });
  await until('the child is gone', 5, () => Promise.resolve(children().length === 0));
});

test('it comes back after its child was killed, and says so meanwhile', async () => {
  server.follow(web);
  await served();
  const [pid = 0] = children();
  process.kill(pid, 'SIGKILL');
  await until('that is seen', 5, () => Promise.resolve(server.state().state === 'failed'));
  await served();
  expect(children()).not.toContain(pid);
  expect(await ask('web.docker')).toEqual(['172.17.0.2']);
});

test('what the one before it told nobody knows, so with each that begins it may be stale', async () => {
  server.follow(web);
  await begun();
  expect(stale).toBe(1);
  server.lookAnew();
  process.kill(children()[0] ?? 0, 'SIGKILL');
  await until('that is seen', 5, () => Promise.resolve(server.state().state === 'failed'));
  await begun();
  expect(stale).toBe(2);
});

test('one that hangs is found out as soon as a person asks', async () => {
  server.follow(web);
  await served();
  const [pid = 0] = children();
  process.kill(pid, 'SIGSTOP');
  server.lookAnew();
  await until('that is seen', 30, () => Promise.resolve(server.state().state === 'failed'));
  await served();
  expect(children()).not.toContain(pid);
  expect(await ask('web.docker')).toEqual(['172.17.0.2']);
});

test('one that ended again and again is started at once when a person asks', async () => {
  server.follow(web);
  for (let times = 0; times < 4; times += 1) {
    const pid = await until<number>('a child', 20, () => Promise.resolve(children()[0] ?? false));
    process.kill(pid, 'SIGKILL');
    await until('it is gone', 5, () => Promise.resolve(children().length === 0));
  }
  const asked = performance.now();
  server.lookAnew();
  await served();
  // Left alone it would be 8 s.
  expect(performance.now() - asked).toBeLessThan(7000);
});

test('it says that it answers once it has the names, however many those are', async () => {
  server.follow(data(Array.from({ length: 20_000 }, (_, index) => [`web-${index}`, ['172.17.0.2']])));
  await served();
  expect(logged).toEqual([]);
  expect(await ask('web-19999.docker')).toEqual(['172.17.0.2']);
});

test('a child that did not read for a while has the latest names once it does', async () => {
  const others = Array.from({ length: 200 }, (_, index) => [`web-${index}`, ['172.17.0.2']] as const);
  server.follow(web);
  await served();
  const [pid = 0] = children();
  process.kill(pid, 'SIGSTOP');
  for (let round = 0; round < 100; round += 1) {
    server.follow(data([...others, ['web', [`172.17.1.${round}`]]]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  process.kill(pid, 'SIGCONT');
  await until(
    'it has the last ones',
    10,
    async () => JSON.stringify(await ask('web.docker')) === '["172.17.1.99"]',
  );
  expect(children()).toEqual([pid]);
});

/** A server that hears nothing of its first question. */
const deafAtFirst = `
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
let asked = 0;
const udp = createSocket('udp4').on('message', (query, { port, address }) => {
  query.writeUInt16BE(0x8400, 2);
  if ((asked += 1) > 1) udp.send(query, port, address);
});
udp.bind(0, '127.0.0.1', () => {
  const { port } = udp.address();
  const answer = (socket) => socket.on('data', (query) => {
    query.writeUInt16BE(0x8400, 4);
    socket.write(query);
  });
  createServer(answer).listen(port, '127.0.0.1', () => console.log('port ' + port));
});
process.stdin.resume();`;

test('a question that gets lost is asked again, and costs the server nothing', async () => {
  const program = join(tools, 'deaf.mjs');
  writeFileSync(program, deafAtFirst);
  const told: string[] = [];
  const other = keepNamesServer({
    worker: program,
    onChange: () => told.push(other.state().state),
    onStale: () => undefined,
    log: (message) => logged.push(message),
  });
  try {
    other.follow(web);
    await until('it serves', 20, () => Promise.resolve(other.state().state === 'serving'));
    expect([told, logged]).toEqual([['starting', 'serving'], []]);
  } finally {
    other.stop();
  }
});

describe('ports', () => {
  test('one that is taken, for TCP or for UDP, is left for the next', async () => {
    const tcp = createServer().listen(ports[0], '127.0.0.1');
    const udp = createSocket('udp4');
    udp.bind(ports[1], '127.0.0.1');
    await Promise.all([once(tcp, 'listening'), once(udp, 'listening')]);
    server.follow(web);
    await served();
    expect(portOf()).toBe(ports[2]);
    expect(await ask('web.docker')).toEqual(['172.17.0.2']);
    tcp.close();
    udp.close();
  });

  test('where none is free it says why, and serves once one is', async () => {
    const others = ports.map((port) => createServer().listen(port, '127.0.0.1'));
    await Promise.all(others.map((other) => once(other, 'listening')));
    server.follow(web);
    await until('it fails', 10, () => Promise.resolve(server.state().state === 'failed'));
    expect(server.state()).toMatchObject({ why: expect.stringContaining('EADDRINUSE') as unknown });
    for (const other of others) other.close();
    await served();
  });
});

describe('what was told and is no longer true', () => {
  test('a name that was denied and appears, and one that moves, are said to be stale; what was not asked is not', async () => {
    server.follow(web);
    await served();
    await ask('db.docker');
    server.follow(data([...web.names, ['other', ['172.17.0.9']]]));
    await ask('web.docker');
    expect(stale).toBe(0);
    server.follow(data([...web.names, ['db', ['172.17.0.4']]]));
    await until('the name that appeared is told', 5, () => Promise.resolve(stale === 1));
    server.follow(data([['web', ['172.17.0.5']]]));
    await until('the address that moved is told', 5, () => Promise.resolve(stale === 2));
  });

  test('a silence counts as a denial', async () => {
    server.follow(data([], false));
    await served();
    expect(await ask('web.docker')).toBe('silence');
    server.follow(web);
    await until('the name is told', 5, () => Promise.resolve(stale === 1));
  });
});

describe('whoever talks to it', () => {
  test('connections that are held for nothing keep nobody from an answer', async () => {
    server.follow(web);
    await served();
    const [pid = 0] = children();
    const held = Array.from({ length: 40 }, () =>
      createConnection(portOf(), '127.0.0.1').on('error', () => undefined),
    );
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    expect(await askByTcp('web.docker')).toEqual(['172.17.0.2']);
    // Longer than it takes to find that it does not answer.
    server.lookAnew();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(server.state().state).toBe('serving');
    expect([children(), logged]).toEqual([[pid], []]);
    for (const socket of held) socket.destroy();
  });

  test('TCP that never ends, says nonsense or does not read is closed, and others are answered meanwhile', async () => {
    server.follow(web);
    await served();
    const idle = Array.from({ length: 12 }, () => createConnection(portOf(), '127.0.0.1'));
    const closed = idle.map((socket) =>
      once(
        socket.on('error', () => undefined),
        'close',
      ),
    );
    for (const socket of idle.slice(0, 4)) socket.write(Buffer.from([255, 255]));
    for (const socket of idle.slice(4, 8)) socket.write(Buffer.from([0]));
    expect(await askByTcp('web.docker')).toEqual(['172.17.0.2']);
    const began = performance.now();
    await Promise.all(closed);
    expect(performance.now() - began).toBeLessThan(12_000);
    expect(await askByTcp('web.docker')).toEqual(['172.17.0.2']);
  }, 30_000);

  test('Node’s own resolver, by which doctor asks, is answered', async () => {
    server.follow(web);
    await served();
    const resolver = new Resolver({ timeout: 2000, tries: 1 });
    resolver.setServers([`127.0.0.1:${portOf()}`]);
    expect(await resolver.resolve4('web.docker')).toEqual(['172.17.0.2']);
    await expect(resolver.resolve4('absent.docker')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  test('a flood of packets and connections ends nothing, and memory stays as it is', async () => {
    server.follow(web);
    await served();
    const [pid = 0] = children();
    const resident = (): number =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    const before = resident();
    const socket = createSocket('udp4');
    for (let count = 0; count < 20_000; count += 1) {
      const packet = queryFor(`n${count}.docker`);
      packet[count % packet.length] = count % 256;
      socket.send(packet, portOf(), '127.0.0.1');
      if (count % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const many = Array.from({ length: 200 }, () =>
      createConnection(portOf(), '127.0.0.1').on('error', () => undefined),
    );
    await until('it answers after that', 10, async () => (await ask('web.docker')) !== 'silence');
    for (const connection of many) connection.destroy();
    socket.close();
    expect(children()).toEqual([pid]);
    expect(resident() - before).toBeLessThan(60_000);
  }, 60_000);

  asRoot('it is nobody, binds 127.0.0.1 alone, and SIGUSR1 opens no inspector in it', async () => {
    const child: ChildProcess = spawn(process.execPath, [worker], {
      env: cleanEnvironment,
      cwd: '/',
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    try {
      const start = JSON.stringify({ uid: nobody, gid: nobody, ports: [ports[0]] });
      child.stdin?.write(`${[start, ...linesFor(web)].join('\n')}\n`);
      if (!child.stdout) throw new Error('it has no output');
      await once(child.stdout, 'data');
      expect(/^Uid:\t(.*)$/m.exec(readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8'))?.[1]).toBe(
        Array(4).fill(nobody).join('\t'),
      );
      const hex = (ports[0] ?? 0).toString(16).toUpperCase().padStart(4, '0');
      for (const table of ['udp', 'tcp'])
        expect(readFileSync(`/proc/net/${table}`, 'utf8')).toMatch(new RegExp(` 0100007F:${hex} `));
      for (const table of ['udp6', 'tcp6'])
        if (existsSync(`/proc/net/${table}`))
          expect(readFileSync(`/proc/net/${table}`, 'utf8')).not.toMatch(new RegExp(`:${hex} `));
      // It listens by TCP for those who ask, and on nothing more after the signal.
      expect((await signalAs(nobody, child)).said).toBe('');
      expect(child.exitCode ?? child.signalCode).toBeNull();
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('it ends with whoever started it', async () => {
    const child = spawn(process.execPath, [worker], {
      env: cleanEnvironment,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const ended = once(child, 'exit');
    child.stdin.end();
    await ended;
  });
});
