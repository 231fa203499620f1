import { chownSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { dial, DialError, enginePlaces, findEngine } from '../../../daemon/guest/engine-socket.js';

const uid = process.getuid?.() ?? 0;
let home: string;
let servers: Server[];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'home-'));
  servers = [];
});

afterEach(async () => {
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  rmSync(home, { recursive: true, force: true });
});

/** A socket that says its own name to whoever connects. */
async function living(path: string): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(path);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return path;
}

/** What a server that was killed leaves. */
async function stale(path: string): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.living`, resolve));
  renameSync(`${path}.living`, path);
  await new Promise((resolve) => server.close(resolve));
  return path;
}

const at = (name: string): string => join(home, name);

async function answerOf(connect: () => Promise<NodeJS.ReadableStream>): Promise<string> {
  let said = '';
  for await (const chunk of await connect()) said += String(chunk);
  return said;
}

test('the user’s own places come before the one that all users share', () => {
  expect(enginePlaces({ home: '/Users/person' })).toEqual([
    '/Users/person/.docker/run/docker.sock',
    '/Users/person/Library/Containers/com.docker.docker/Data/docker.raw.sock',
    '/var/run/docker.sock',
  ]);
});

describe('a place that', () => {
  test.each<[string, string, (path: string) => unknown]>([
    ['does not exist', 'SocketMissing', () => undefined],
    [
      'is a dangling link',
      'SocketMissing',
      (path) => {
        symlinkSync(at('nowhere'), path);
      },
    ],
    [
      'is a file',
      'SocketForeign',
      (path) => {
        writeFileSync(path, '');
      },
    ],
    [
      'is a folder',
      'SocketForeign',
      (path) => {
        mkdirSync(path);
      },
    ],
    [
      'is a link to itself',
      'SocketRefused',
      (path) => {
        symlinkSync(path, path);
      },
    ],
    ['nobody listens at', 'SocketStale', stale],
  ])('%s: %s', async (_what, reason, make) => {
    await make(at('docker.sock'));
    await expect(dial(at('docker.sock'), uid)).rejects.toMatchObject({
      reason,
      message: expect.stringContaining(at('docker.sock')),
    });
  });

  test('belongs to somebody else: SocketForeign, and it is not connected to', async () => {
    let connections = 0;
    await living(at('docker.sock'));
    servers[0]?.on('connection', () => {
      connections += 1;
    });
    await expect(dial(at('docker.sock'), uid + 1)).rejects.toMatchObject({ reason: 'SocketForeign' });
    expect(connections).toBe(0);
  });

  test('is a link to the user’s socket is followed', async () => {
    symlinkSync(await living(at('raw.sock')), at('docker.sock'));
    expect(await answerOf(() => dial(at('docker.sock'), uid))).toBe(at('raw.sock'));
  });
});

test('a folder that is exchanged, and put back, during the connection is noticed', async () => {
  mkdirSync(at('run'));
  await living(at('run/docker.sock'));
  servers[0]?.on('connection', () => {
    renameSync(at('run'), at('away'));
    renameSync(at('away'), at('run'));
  });
  await expect(dial(at('run/docker.sock'), uid)).rejects.toMatchObject({ reason: 'SocketSwapped' });
});

/**
 * A sockaddr_un holds 104 bytes on macOS and 108 on Linux, and libuv cuts what is longer: to each of these the user's own
 * path would lead.
 */
test('a path that is too long for a socket is not dialled, nor any socket that it would be cut to', async () => {
  let connections = 0;
  const long = at('d'.repeat(103 - home.length));
  mkdirSync(long);
  const whole = join(long, 'docker.sock');
  await living(at('s'));
  renameSync(at('s'), whole);
  for (const bytes of [103, 104, 107, 108]) {
    const cut = whole.slice(0, bytes);
    if (cut === long || cut.endsWith('/')) continue;
    await living(cut);
  }
  for (const server of servers) server.on('connection', () => (connections += 1));
  symlinkSync(whole, at('docker.sock'));
  for (const place of [whole, at('docker.sock')])
    await expect(dial(place, uid)).rejects.toMatchObject({
      reason: 'SocketPathTooLong',
      message: expect.stringContaining('103 at the most'),
    });
  expect(connections).toBe(0);
});

const asRoot = uid === 0 ? test : test.skip;

asRoot('a folder that is swapped all the time never leads to somebody else’s socket', async () => {
  mkdirSync(at('run'));
  await living(at('run/docker.sock'));
  mkdirSync(at('theirs'));
  await living(at('theirs/docker.sock'));
  chownSync(at('theirs/docker.sock'), uid + 1, 0);
  let swaps = 0;
  const attacker = setInterval(() => {
    if (swaps % 2 === 0) {
      renameSync(at('run'), at('away'));
      symlinkSync(at('theirs'), at('run'));
    } else {
      rmSync(at('run'));
      renameSync(at('away'), at('run'));
    }
    swaps += 1;
  }, 1);
  const said: string[] = [];
  for (const end = Date.now() + 1500; Date.now() < end;)
    said.push(
      await answerOf(() => dial(at('run/docker.sock'), uid)).catch((error: unknown) =>
        error instanceof DialError ? error.reason : String(error),
      ),
    );
  clearInterval(attacker);
  expect(swaps).toBeGreaterThan(50);
  for (const one of said)
    expect([
      at('run/docker.sock'),
      'SocketForeign',
      'SocketMissing',
      'SocketSwapped',
      'SocketRefused',
    ]).toContain(one);
});

describe('of several places', () => {
  const user = { name: 'person', uid, gid: 20, home: '/nowhere' };
  const answers = (): Promise<void> => Promise.resolve();

  test('a leftover does not hide one that lives', async () => {
    const places = [await stale(at('a')), at('b'), await living(at('c'))];
    expect(await answerOf(await findEngine(user, answers, places))).toBe(at('c'));
  });

  test('the first that lives is taken', async () => {
    const places = [await living(at('a')), await living(at('b'))];
    expect(await answerOf(await findEngine(user, answers, places))).toBe(at('a'));
  });

  test('none of which works, what tells most is said', async () => {
    const places = [at('missing'), await stale(at('stale'))];
    await expect(findEngine(user, answers, places)).rejects.toMatchObject({
      reason: 'SocketStale',
      message: `${at('stale')} is left over: nobody listens there any more`,
    });
    await expect(findEngine({ ...user, uid: uid + 1 }, answers, places)).rejects.toMatchObject({
      reason: 'SocketForeign',
    });
    await expect(findEngine(user, answers, [at('x'), at('y')])).rejects.toMatchObject({
      reason: 'SocketMissing',
    });
  });

  test('one that leads to another runtime is Docker Desktop’s only by name', async () => {
    const person = { ...user, home };
    mkdirSync(at('.colima/default'), { recursive: true });
    symlinkSync(await living(at('.colima/default/docker.sock')), at('shared'));
    await expect(findEngine(person, answers, [at('shared')])).rejects.toMatchObject({
      reason: 'SocketOfAnother',
      message: expect.stringContaining(`${at('.colima/default/docker.sock')}, which is not Docker Desktop’s`),
    });
    mkdirSync(at('dotfiles/docker/run'), { recursive: true });
    symlinkSync(at('dotfiles/docker'), at('.docker'));
    await living(at('dotfiles/docker/run/docker.sock'));
    rmSync(at('shared'));
    symlinkSync(at('.docker/run/docker.sock'), at('shared'));
    expect(await answerOf(await findEngine(person, answers, [at('shared')]))).toBe(
      at('dotfiles/docker/run/docker.sock'),
    );
  });

  test('one that leads by another runtime’s own link is that runtime’s, wherever its socket lies', async () => {
    const person = { ...user, home: at('home') };
    const machine = at('home/.local/share/containers/podman/machine');
    for (const folder of [machine, at('T/podman')]) mkdirSync(folder, { recursive: true });
    symlinkSync(await living(at('T/podman/podman-machine-default-api.sock')), join(machine, 'podman.sock'));
    symlinkSync(join(machine, 'podman.sock'), at('shared'));
    await expect(findEngine(person, answers, [at('shared')])).rejects.toMatchObject({
      reason: 'SocketOfAnother',
      message: expect.stringContaining(`${machine}/podman.sock, which is not Docker Desktop’s`),
    });
    rmSync(at('T'), { recursive: true });
    await expect(findEngine(person, answers, [at('shared')])).rejects.toMatchObject({
      reason: 'SocketMissing',
    });
  });

  test.each<[how: string, make: (socket: string) => void]>([
    [
      'by a folder that is a link',
      (socket) => {
        symlinkSync(dirname(socket), at('home/machine'));
        symlinkSync(at('home/machine/api.sock'), at('shared'));
      },
    ],
    [
      'by `..` behind a folder that is a link',
      (socket) => {
        mkdirSync(at('home/machine/deep'), { recursive: true });
        symlinkSync(at('home/machine/deep'), at('way'));
        symlinkSync(socket, at('home/machine/api.sock'));
        symlinkSync('way/../api.sock', at('shared'));
      },
    ],
  ])('nor is one that leads through the home %s', async (_how, make) => {
    for (const folder of ['home', 'T']) mkdirSync(at(folder));
    make(await living(at('T/api.sock')));
    await expect(findEngine({ ...user, home: at('home') }, answers, [at('shared')])).rejects.toMatchObject({
      reason: 'SocketOfAnother',
      message: expect.stringContaining(
        `${at('shared')} leads to ${at('home/machine/api.sock')}, which is not`,
      ),
    });
  });

  test('one that leads to Docker Desktop’s by a link of the user’s is Docker Desktop’s', async () => {
    for (const folder of ['home/.docker/run', 'home/links']) mkdirSync(at(folder), { recursive: true });
    symlinkSync(await living(at('home/.docker/run/docker.sock')), at('home/links/docker.sock'));
    symlinkSync(at('home/links/docker.sock'), at('shared'));
    expect(await answerOf(await findEngine({ ...user, home: at('home') }, answers, [at('shared')]))).toBe(
      at('home/.docker/run/docker.sock'),
    );
  });
});
