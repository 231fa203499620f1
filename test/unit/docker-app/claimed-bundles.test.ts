/** Any account can start processes that name Docker.apps, as many as it likes: what they have root do has an end. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { childIn } from '../../../daemon/docker-app/bundle-child.js';
import { type BundleRoom, createBundleRoom } from '../../../daemon/docker-app/bundles.js';
import { outsideBy } from '../../../daemon/docker-app/outside.js';
import { type ConsoleUser, seen } from '../../../daemon/core/observation.js';
import { observeBundles } from '../../../daemon/runtime/observe-bundles.js';
import type { Memory } from '../../../daemon/core/memory.js';
import { messageOf } from '../../../daemon/lib/text.js';
import { listByChild, listProcesses, pickDocker } from '../../../daemon/vm/processes.js';
import { later, shim } from '../../product/bundle-crash/daemon.js';
import { workerSource, workshop } from '../../product/bundle-crash/world.js';
import { writeDockerApp } from '../../lab/docker/bundle.js';
import { learn, plan } from '../core/judged.js';
import { config, quietMac, up } from '../core/worlds.js';

const asRoot = process.getuid?.() === 0 ? describe : describe.skip;

// Nobody else's in the tests: the list is of the whole machine.
const attacker = { uid: 1602, gid: 1602 };
const victim = { uid: 1603, gid: 1603 };
const inPlace = 'Contents/Resources/bin/com.docker.hyperkit';

let tools: string;
let base: string;
let originals: string;
let started: ChildProcess[];
let lister: ReturnType<typeof listByChild>;
let outside: ReturnType<typeof outsideBy>;
let room: BundleRoom;
/** The Docker.apps in which a child was asked to work, a line for each time. */
let asked: string[];
/** Called before a child is asked to work. */
let meanwhile: () => void;

beforeAll(async () => {
  tools = await workshop({
    lister: 'daemon/vm/process-lister.ts',
    outside: 'daemon/docker-app/outside-worker.ts',
    worker: workerSource,
  });
  // ps-list takes another path on Linux.
  writeFileSync(
    join(tools, 'lister-on-mac.mjs'),
    "Object.defineProperty(process, 'platform', { value: 'darwin' });\nawait import('./lister.mjs');\n",
  );
});
afterAll(() => {
  rmSync(tools, { recursive: true, force: true });
});

/** Its child begins with the first question: a busy machine may take longer for that than the daemon waits. */
async function listerAnswers(): Promise<void> {
  for (let tries = 0; tries < 5 && !(await listProcesses(lister.list)).known; tries += 1) await sleep(100);
}

beforeEach(async () => {
  // What is played here are bundles that nobody has written for long.
  jest.spyOn(Date, 'now').mockReturnValue(later);
  base = mkdtempSync(join(tmpdir(), 'claimed-'));
  chmodSync(base, 0o755);
  originals = join(base, 'state/originals.json');
  started = [];
  asked = [];
  meanwhile = () => undefined;
  lister = listByChild(join(tools, 'lister-on-mac.mjs'));
  await listerAnswers();
  outside = outsideBy(join(tools, 'outside.mjs'));
  const child = childIn(join(tools, 'worker.mjs'));
  room = createBundleRoom({
    ask: (request) => {
      asked.push(request.app);
      meanwhile();
      return child(request);
    },
    look: outside.look,
    systemFolder: base,
    originals,
    log: () => undefined,
    shim,
  });
});
afterEach(() => {
  jest.restoreAllMocks();
  lister.stop();
  outside.stop();
  for (const one of started) one.kill('SIGKILL');
  rmSync(base, { recursive: true, force: true });
});

/** As many Docker.apps of `owner`'s, each in a folder of its own. */
const bundlesOf = (owner: { uid: number; gid: number }, count: number): string[] =>
  Array.from({ length: count }, (_, index) => {
    const folder = join(base, `${owner.uid}-${index}`);
    mkdirSync(folder);
    chownSync(folder, owner.uid, owner.gid);
    writeDockerApp({ path: join(folder, 'Docker.app'), owner });
    return join(folder, 'Docker.app');
  });

/** Processes of the attacker's, each of which says that it is the Docker of one of these bundles. */
async function run(apps: readonly string[]): Promise<void> {
  const program = join(base, 'Docker');
  if (!existsSync(program)) copyFileSync('/usr/bin/perl', program);
  const processes = apps.map((app) =>
    spawn(program, ['-e', 'sleep 300'], {
      argv0: `${app}/Contents/MacOS/Docker`,
      stdio: 'ignore',
      ...attacker,
    }),
  );
  started.push(...processes);
  const named = ({ pid = 0 }: ChildProcess): boolean =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('Docker.app');
  for (const end = performance.now() + 5000; !processes.every(named);) {
    if (performance.now() > end) throw new Error('they do not run');
    await sleep(20);
  }
}

const userOf = ({ uid, gid }: typeof attacker): ConsoleUser => ({
  name: 'person',
  uid,
  gid,
  home: join(base, 'home'),
});

/** What the daemon does about Docker.apps with this user in front: look, learn, plan, install. `children`: those that the look took. */
function daemonWith(user: ConsoleUser) {
  let memory: Memory = up;
  return async () => {
    const before = asked.length;
    const processes = await listProcesses(lister.list);
    if (!processes.known) throw new Error(processes.why);
    const docker = pickDocker(processes.value, user);
    const running = docker.map(({ app }) => app);
    const { found } = await observeBundles({ config, user, remembered: memory.apps, running, bundles: room });
    if (!found.known) throw new Error(found.why);
    const children = asked.length - before;
    const observation = { ...quietMac, consoleUser: seen(user), docker: seen(docker), bundles: found };
    memory = { ...memory, ...learn(config, observation, memory) };
    const failures: string[] = [];
    for (const step of plan(config, observation, memory))
      if (step.kind === 'install-shim')
        await room.install(step.hyperkit).catch((error: unknown) => failures.push(messageOf(error)));
    return {
      running: running.length,
      counted: found.value.withHyperkit.map(({ app }) => app),
      failures,
      children,
    };
  };
}

const journalled = (): string[] =>
  existsSync(originals)
    ? Object.keys(JSON.parse(readFileSync(originals, 'utf8')) as object).map((path) =>
        path.slice(0, -inPlace.length - 1),
      )
    : [];
const isShimmed = (app: string): boolean => readFileSync(join(app, inPlace), 'utf8') === shim;
const filesOf = (app: string): string[] => readdirSync(join(app, 'Contents/Resources/bin'));

asRoot('thirty processes that say they are Docker’s', () => {
  test('of a user who is not in front: nobody looks, and nothing is changed', async () => {
    const apps = bundlesOf(attacker, 30);
    await run(apps);
    const pass = daemonWith(userOf(victim));
    for (let count = 0; count < 3; count += 1)
      expect(await pass()).toMatchObject({ running: 0, counted: [], failures: [] });
    expect(asked).toEqual([]);
    expect(journalled()).toEqual([]);
    expect(apps.filter(isShimmed)).toEqual([]);
  });

  test('in folders of somebody else: no child works there, and nothing is changed', async () => {
    const apps = bundlesOf(victim, 30);
    await run(apps);
    const pass = daemonWith(userOf(attacker));
    for (let count = 0; count < 3; count += 1) {
      const began = performance.now();
      expect(await pass()).toMatchObject({ running: 30, counted: [] });
      expect(performance.now() - began).toBeLessThan(10_000);
    }
    expect(asked).toEqual([]);
    expect(journalled()).toEqual([]);
    expect(apps.flatMap(filesOf).every((name) => name === 'com.docker.hyperkit')).toBe(true);
  });

  test('in his own folders: a few at a time, sixteen journalled, and forgotten once they are gone', async () => {
    const apps = bundlesOf(attacker, 30);
    const pass = daemonWith(userOf(attacker));
    await run(apps);
    for (let count = 0; count < 4; count += 1) {
      const { running, counted, children } = await pass();
      expect(running).toBe(30);
      // Four that run, four that are remembered, and those where hyperkit was put aside.
      expect(counted.length).toBeLessThanOrEqual(4 + 4 + 16);
      // The first kinds for the first time, and what the last pass changed.
      expect(children).toBeLessThanOrEqual(8 + 8);
    }
    expect(journalled()).toHaveLength(16);
    expect(apps.filter(isShimmed).toSorted()).toEqual(journalled().toSorted());
    for (const app of apps) rmSync(app, { recursive: true });
    await pass();
    expect(journalled()).toEqual([]);
  }, 240_000);
});

asRoot('a link on the way to a bundle', () => {
  let link: string;
  let theirs: string;
  beforeEach(async () => {
    const [own = ''] = bundlesOf(attacker, 1);
    [theirs = ''] = bundlesOf(victim, 1);
    link = join(base, 'link');
    symlinkSync(join(own, '..'), link);
    await run([join(link, 'Docker.app')]);
  });
  const turn = (): void => {
    symlinkSync(join(theirs, '..'), `${link}.new`);
    renameSync(`${link}.new`, link);
  };

  test('that is turned to somebody else’s once hyperkit was put aside: nothing is put there', async () => {
    const pass = daemonWith(userOf(attacker));
    await pass();
    expect(journalled()).toEqual([join(link, 'Docker.app')]);
    turn();
    for (let count = 0; count < 3; count += 1) expect((await pass()).counted).toEqual([]);
    expect(filesOf(theirs)).toEqual(['com.docker.hyperkit']);
    expect(isShimmed(theirs)).toBe(false);
  });

  test.each([1, 2, 3])(
    'that is turned to somebody else’s before child %i works: nothing is put there',
    async (nth) => {
      const pass = daemonWith(userOf(attacker));
      meanwhile = () => {
        if (asked.length === nth) turn();
      };
      for (let count = 0; count < 3; count += 1) await pass();
      expect(asked.length).toBeGreaterThanOrEqual(nth);
      expect(filesOf(theirs)).toEqual(['com.docker.hyperkit']);
      expect(isShimmed(theirs)).toBe(false);
    },
  );
});
