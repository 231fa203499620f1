import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { outsideBy } from '../../../daemon/docker-app/outside.js';
import { prepared } from './prepared.js';
import { type EngineLink, linkEngine } from '../../../daemon/runtime/engine.js';
import { createOwnersLook } from '../../../daemon/runtime/owners-look.js';
import { createTakeBack } from '../../../daemon/runtime/take-back.js';
import type { Memory } from '../../../daemon/core/memory.js';
import type { Vm } from '../../../daemon/core/observation.js';
import { workshop } from '../../product/bundle-crash/world.js';
import { up } from '../core/worlds.js';
import { mountDead } from '../../lib/dead-mount.js';
import { until } from '../../lib/until.js';
import { fakeEngine, type FakeEngine, type FakeOptions } from './fake-engine.js';
import { fakeVm, type FakeVm } from './fake-vm.js';

const uid = process.getuid?.() ?? 0;
let home: string;
let engine: FakeEngine;
let link: EngineLink;
let hyperkit: ChildProcess;
let vm: Vm;
let tools: string;
let sockets: ReturnType<typeof createOwnersLook>;
let memory: Memory;
let logged: string[];

beforeAll(async () => {
  tools = await workshop({ outside: 'daemon/docker-app/outside-worker.ts' });
});

afterAll(() => {
  rmSync(tools, { recursive: true, force: true });
});

beforeEach(() => {
  [memory, logged] = [up, []];
  hyperkit = spawn('/bin/sleep', ['60']);
  const pid = hyperkit.pid ?? 0;
  vm = {
    id: `${pid}@then`,
    pid,
    uid,
    startedAt: 'then',
    startedWithTap: true,
    tapIsForeign: false,
    executable: null,
  };
});

afterEach(async () => {
  hyperkit.kill();
  link.stop();
  sockets.stop();
  await engine.close();
  rmSync(home, { recursive: true, force: true });
});

async function start(
  options: FakeOptions = {},
): Promise<{ name: string; uid: number; gid: number; home: string }> {
  home = mkdtempSync(join(tmpdir(), 'home-'));
  engine = await fakeEngine(options);
  mkdirSync(join(home, '.docker/run'), { recursive: true });
  symlinkSync(engine.socket, join(home, '.docker/run/docker.sock'));
  const log = (message: string): void => void logged.push(message);
  const learn = (change: Partial<Memory>): Promise<void> => {
    memory = { ...memory, ...change };
    return Promise.resolve();
  };
  sockets = createOwnersLook((owner) => outsideBy(join(tools, 'outside.mjs'), 1000, owner));
  link = linkEngine({
    onChange: () => undefined,
    log,
    takeBack: createTakeBack({ manage: true, memory: { now: () => memory, learn }, log, betweenTries: 1000 }),
    answers: sockets.answers,
  });
  return { name: 'person', uid, gid: 20, home };
}

const answers = (): Promise<boolean> =>
  until('the engine answers', 10, () => {
    const last = link.last();
    return Promise.resolve(last.known && last.value !== null);
  });

test('the engine is asked while its VM is there, and not otherwise', async () => {
  const person = await start();
  expect(link.follow(person, null)).toEqual({ known: true, value: null });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(engine.asked).toEqual([]);
  link.follow(person, vm);
  await answers();
  link.follow(person, null);
  const before = engine.asked.length;
  await new Promise((resolve) => setTimeout(resolve, 2500));
  expect(engine.asked).toHaveLength(before);
});

test('a pass that outlives the end of its run follows nobody any more', async () => {
  const person = await start();
  link.follow(person, vm);
  await answers();
  link.stop();
  const before = engine.asked.length;
  link.follow(person, vm);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(engine.asked).toHaveLength(before);
});

test('a VM that has ended is not asked for, though nobody has looked since: Docker would start it again', async () => {
  const person = await start();
  link.follow(person, vm);
  await answers();
  hyperkit.kill();
  await once(hyperkit, 'exit');
  const before = engine.asked.length;
  engine.hangUp();
  await new Promise((resolve) => setTimeout(resolve, 6000));
  await expect(link.containers()).rejects.toThrow();
  expect(engine.asked).toHaveLength(before);
});

test('a VM of another runtime’s is asked at its own socket, and Docker Desktop’s is left alone', async () => {
  const person = await start();
  const other = await fakeEngine();
  try {
    link.follow(person, { ...vm, runtime: { name: 'colima', socket: other.socket } });
    await answers();
    expect(other.asked.length).toBeGreaterThan(0);
    expect(engine.asked).toEqual([]);
    // docker is told of another socket of the same VM.
    const before = other.asked.length;
    link.follow(person, { ...vm, runtime: { name: 'colima', socket: engine.socket } });
    await answers();
    expect(engine.asked.length).toBeGreaterThan(0);
    expect(other.asked).toHaveLength(before);
  } finally {
    await other.close();
  }
});

test('a socket of another user’s is refused, whoever’s context leads there', async () => {
  const person = await start();
  link.follow({ ...person, uid: uid + 1 }, { ...vm, runtime: { name: 'colima', socket: engine.socket } });
  const last = await until('it is refused', 90, () => {
    const said = link.last();
    return Promise.resolve(!said.known && said.reason !== undefined && said);
  });
  expect(last).toMatchObject({ known: false, reason: 'SocketForeign' });
}, 100_000);

describe('a VM that is no longer followed, and still runs', () => {
  const nic = 'ba:28:04:fb:9a:30';
  const theirs = { raw: ['-d 172.17.0.2/32 ! -i docker0 -j DROP'], filter: ['-s 10.9.9.9/32 -j DROP'] };
  let other: FakeEngine;
  let inside: FakeVm;
  let colima: Vm;

  const rules = (of = inside) => ({
    raw: of.chains.get('raw PREROUTING'),
    filter: of.chains.get('filter DOCKER-USER'),
  });
  const isOpen = (of = inside): boolean => JSON.stringify(rules(of)).includes('tuntapd');
  /** One that has the link's NIC. */
  function linkedVm(): FakeVm {
    const made = fakeVm(nic);
    for (const card of made.nics) card.up = true;
    return made;
  }

  /** Lets the Mac in, as the step does. */
  async function prepare(): Promise<void> {
    const last = link.last();
    const session = last.known ? (last.value?.session ?? '') : '';
    const guest = await prepared(link.client(), {
      ...{ nic, vmAddress: '192.168.64.2', prefix: 24, isGiven: true },
      ...{ session, mtu: 1500, macAddress: '192.168.64.1', engineVersion: '28.5.2', generation: 0 },
      ...{ timeout: 5000, log: () => undefined },
    });
    memory = { ...memory, guest };
  }

  /** colima's VM, with rules of ours in it. */
  async function begin(
    options: FakeOptions = {},
    desktops = linkedVm(),
  ): Promise<Parameters<EngineLink['follow']>[0]> {
    const person = await start({ runs: desktops.agent });
    inside = linkedVm();
    other = await fakeEngine({ runs: inside.agent, ...options });
    colima = { ...vm, id: 'colima', runtime: { name: 'colima', socket: other.socket } };
    link.follow(person, colima);
    await answers();
    await prepare();
    await until('the helper has been removed', 10, () =>
      Promise.resolve(other.asked.some((what) => what.startsWith('DELETE '))),
    );
    expect(isOpen()).toBe(true);
    return person;
  }

  afterEach(() => other.close());

  test.each([['another VM is followed'], ['nobody is']])(
    'loses our rules and our image when %s, and nothing else',
    async (what) => {
      const person = await begin();
      if (what === 'nobody is') link.follow(person, null);
      else link.follow(person, vm);
      await until('all of ours is gone', 10, () =>
        Promise.resolve(!isOpen() && other.images.length === 0 && other.containers.size === 0),
      );
      expect(rules()).toEqual(theirs);
      expect(memory.guest).toBeNull();
      expect(engine.images).toEqual([]);
    },
  );

  test('is one where nothing is set up any more, by IPv6 neither, also where only that was', async () => {
    const person = await begin();
    const { guest } = memory;
    memory = { ...up, ipv6: { ...up.ipv6, guest, mayBeSetUp: colima.id } };
    link.follow(person, vm);
    await until('our rules are gone', 10, () => Promise.resolve(!isOpen()));
    expect(memory.ipv6).toMatchObject({ guest: null, mayBeSetUp: null });
  });

  test('keeps what was never ours', async () => {
    const person = await begin();
    memory = up;
    const before = other.asked.length;
    link.follow(person, vm);
    await answers();
    expect(other.asked).toHaveLength(before);
  });

  test('is not dialled when it was Docker Desktop’s, and has ended for all that is known', async () => {
    const person = await begin();
    link.follow(person, vm);
    await answers();
    await prepare();
    await until('colima is left', 10, () => Promise.resolve(!isOpen()));
    const before = engine.asked.length;
    link.follow(person, null);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(engine.asked.slice(before).filter((what) => !what.startsWith('DELETE '))).toEqual([]);
  });

  test('is not asked once it has ended: Docker would start it again', async () => {
    const person = await begin();
    hyperkit.kill();
    await once(hyperkit, 'exit');
    const before = other.asked.length;
    link.follow(person, { ...vm, pid: process.pid });
    await answers();
    expect(other.asked).toHaveLength(before);
  });

  test('whose socket the next one has got is not reached by it', async () => {
    const person = await begin();
    link.follow(person, { ...colima, id: 'next' });
    await answers();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(isOpen()).toBe(true);
  });

  /** Another VM is followed while colima's engine refuses; it no longer does once it was asked. */
  async function leaveWhileBusy(): ReturnType<typeof begin> {
    const refuses: Record<string, { status: number; message: string }> = {};
    const person = await begin({ refuses });
    refuses['POST /containers/create'] = { status: 500, message: 'it is busy' };
    link.follow(person, vm);
    await until('it was tried', 10, () =>
      Promise.resolve(logged.some((line) => line.includes('is still there: it is busy'))),
    );
    delete refuses['POST /containers/create'];
    return person;
  }

  test('loses them a little later when its engine is too busy at first', async () => {
    await leaveWhileBusy();
    await until('all of ours is gone', 30, () =>
      Promise.resolve(!isOpen() && other.images.length === 0 && other.containers.size === 0),
    );
  });

  test('keeps them when it is come back to before the next try', async () => {
    const person = await leaveWhileBusy();
    link.follow(person, colima);
    await answers();
    await prepare();
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(isOpen()).toBe(true);
    expect(memory.guest).not.toBeNull();
  });

  test('keeps nobody waiting when its engine hangs, and is set up again when it is come back to', async () => {
    let hangs = false;
    const desktops = linkedVm();
    const hangsAt = (what: string): boolean => hangs && what === 'POST /containers/create';
    const person = await begin({ hangsAt }, desktops);
    hangs = true;
    link.follow(person, vm);
    await answers();
    const began = performance.now();
    await prepare();
    expect(performance.now() - began).toBeLessThan(2000);
    expect([isOpen(desktops), isOpen()]).toEqual([true, true]);
    hangs = false;
    link.follow(person, colima);
    await answers();
    await prepare();
    await until('the other one is left', 10, () => Promise.resolve(!isOpen(desktops)));
    expect(isOpen()).toBe(true);
  });
});

const asRoot = uid === 0 ? test : test.skip;

const raw = 'Library/Containers/com.docker.docker/Data/docker.raw.sock';

/** What a user makes of a disk that does not answer, mounted at ~/share. Below his home: a context’s `socket`, and the place that is told of. */
const hanging: readonly {
  readonly what: string;
  readonly socket?: string;
  readonly place: string;
  readonly links: readonly string[];
}[] = [
  {
    what: 'a context’s socket lies on it',
    socket: 'share/docker.sock',
    place: 'share/docker.sock',
    links: [],
  },
  {
    what: 'a context’s socket leads to it',
    socket: 'docker.sock',
    place: 'docker.sock',
    links: ['docker.sock'],
  },
  { what: 'a socket of Docker Desktop’s leads to it', place: raw, links: [raw] },
  {
    what: 'a folder of Docker Desktop’s lies on it',
    place: raw,
    links: ['Library/Containers/com.docker.docker'],
  },
  {
    what: 'each of its folders lies on it',
    place: '.docker/run/docker.sock',
    links: ['.docker', 'Library/Containers', 'Library/Group Containers'],
  },
];

asRoot.each(hanging)(
  'a disk that does not answer keeps the daemon from nothing: $what',
  async ({ socket, place, links }) => {
    const person = await start();
    const other = { ...person, name: 'other', home: mkdtempSync(join(tmpdir(), 'home-')) };
    const dead = await mountDead(join(other.home, 'share'));
    try {
      for (const from of links) {
        mkdirSync(dirname(join(other.home, from)), { recursive: true });
        symlinkSync(join(dead.folder, 'anything'), join(other.home, from));
      }
      const runtime = { name: 'Lima' as const, socket: join(other.home, socket ?? '') };
      for (let vms = 0; vms < 6; vms += 1) {
        link.follow(other, { ...vm, id: String(vms), ...(socket === undefined ? {} : { runtime }) });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await until('it is said', 10, () =>
        Promise.resolve(
          logged.some((line) => line.includes(`${join(other.home, place)} has not been looked at since`)),
        ),
      );
      // Files are read and other engines asked all the same.
      link.follow(person, vm);
      await answers();
    } finally {
      dead.end();
      rmSync(other.home, { recursive: true, force: true });
    }
  },
);
