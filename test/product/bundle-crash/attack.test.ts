/**
 * The owner of a bundle swaps what lies in it for something else between any two steps of the child that works there:
 * nothing outside the bundle is created, changed or read into it. Only a call that names a place can meet what was
 * swapped there, so it is swapped just before each of these.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { childIn } from '../../../daemon/docker-app/bundle-child.js';
import { answerSchema, type WorkerRequest } from '../../../daemon/docker-app/bundle-protocol.js';
import { writeDockerApp } from '../../lab/docker/bundle.js';
import { machO } from '../../lab/docker/mach-o.js';
import { later, live } from './daemon.js';
import { type Call, describeCall, enumerate, haltAfter, namesIn, type Program, trace } from './trace.js';
import {
  bin,
  childProgram,
  copy,
  hyperkit,
  inParallel,
  newBundle,
  owner,
  sha256,
  workerSource,
  workshop,
} from './world.js';

let work: string;
let worker: string;

beforeAll(async () => {
  jest.spyOn(Date, 'now').mockReturnValue(later);
  work = await workshop({ worker: workerSource });
  worker = join(work, 'worker.mjs');
});
afterAll(() => {
  jest.restoreAllMocks();
  rmSync(work, { recursive: true, force: true });
});

/** A Docker.app of root's beside the user's. Everybody may write it, so it is the child's care alone that protects it. */
const roots = 'root';

function writeRoots(base: string): void {
  const app = join(base, roots, 'Docker.app');
  writeDockerApp({ path: app, owner: { uid: 0, gid: 0 }, version: '9.9.9', seed: 'precious' });
  const folder = join(base, roots, bin);
  writeFileSync(join(folder, 'com.docker.hyperkit.original'), machO('precious original'));
  writeFileSync(join(folder, '.com.docker.hyperkit.tuntapd-1'), 'precious');
  chmodSync(join(base, roots), 0o777);
  for (const entry of readdirSync(app, { recursive: true, encoding: 'utf8' }))
    chmodSync(join(app, entry), 0o777);
}

const filesBelow = (folder: string): string[] =>
  [
    folder,
    ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((entry) => join(folder, entry)),
  ].sort();

/** Everything of root's: names, types, modes, owners, times, contents. */
const snapshot = (base: string): string[] =>
  filesBelow(join(base, roots)).map((path) => {
    const stats = lstatSync(path, { bigint: true });
    const content = stats.isFile() ? sha256(readFileSync(path)) : '';
    return [path, stats.ino, stats.mode, stats.uid, stats.gid, stats.size, stats.mtimeNs, content].join(' ');
  });

interface Swap {
  readonly what: string;
  /** Below `base`; PID is the child's. */
  readonly place: string;
  readonly plant: (path: string, base: string) => void;
}

const precious = (base: string): string => join(base, roots, hyperkit);
const folders = ['Docker.app', 'Docker.app/Contents', 'Docker.app/Contents/Resources', bin].map(
  (place): Swap => ({
    what: 'a link to root’s folder',
    place,
    plant: (path, base) => {
      renameSync(path, join(base, 'moved'));
      symlinkSync(join(base, roots, place), path);
    },
  }),
);
const plants: Record<string, (path: string, base: string) => void> = {
  'a link to root’s file': (path, base) => {
    symlinkSync(precious(base), path);
  },
  'a hard link to root’s file': (path, base) => {
    linkSync(precious(base), path);
  },
  'a FIFO': (path) => {
    execFileSync('mkfifo', ['-m', '666', path]);
  },
  'a device that never ends': (path) => {
    execFileSync('mknod', ['-m', '666', path, 'c', '1', '5']);
  },
};
const special = ['a FIFO', 'a device that never ends'];
const files = [
  hyperkit,
  `${hyperkit}.original`,
  `${bin}/.com.docker.hyperkit.tuntapd-PID`,
  'Docker.app/Contents/Info.plist',
].flatMap((place) =>
  Object.entries(plants).map(([what, plant]): Swap => ({
    what,
    place,
    plant: (path, base) => {
      rmSync(path, { force: true });
      plant(path, base);
    },
  })),
);

interface Attack {
  readonly swap: Swap;
  /** The call after which it comes. */
  readonly after: Call;
}

/** Each swap just before every call that `meets` it. What is no file at all comes in two kinds by turns. */
const attacksOn = (calls: readonly Call[], meets: (call: Call, swap: Swap) => boolean): Attack[] =>
  [...folders, ...files].flatMap((swap) =>
    calls.slice(0, -1).flatMap((after, index): Attack[] => {
      const next = calls[index + 1];
      const turn = special.indexOf(swap.what);
      return next && meets(next, swap) && (turn < 0 || turn === index % 2) ? [{ swap, after }] : [];
    }),
  );

/** What became of root's that must not; none when all is well. */
function harm(base: string, before: readonly string[], linked: boolean, output: string): string[] {
  const found: string[] = [];
  if (snapshot(base).join('\n') !== before.join('\n')) found.push('root’s folder was changed');
  const own = filesBelow(join(base, roots)).filter((path) => lstatSync(path).isFile());
  const inodes = new Set(own.map((path) => lstatSync(path).ino));
  const contents = new Set(own.map((path) => sha256(readFileSync(path))));
  if (lstatSync(precious(base)).nlink > (linked ? 2 : 1)) found.push('root’s file got another name');
  for (const path of ['Docker.app', 'moved'].flatMap((name) => {
    const folder = join(base, name);
    return lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? filesBelow(folder) : [];
  })) {
    const stats = lstatSync(path);
    if (!stats.isFile() || inodes.has(stats.ino)) continue;
    if (contents.has(sha256(readFileSync(path)))) found.push(`${path} has what root’s file has`);
    if (stats.uid !== owner.uid) found.push(`${path} belongs to uid ${stats.uid}`);
  }
  for (const content of contents)
    if (output.includes(content)) found.push(`it told about root’s file: ${output}`);
  return found;
}

/** Plays these attacks, each on a world like `world`: what came of each, and what was harmed. */
async function play(
  world: string,
  program: (base: string) => Program,
  meets: (call: Call, swap: Swap) => boolean,
): Promise<{ outputs: string[]; harms: string[] }> {
  const once = `${world}-once`;
  copy(world, once);
  const names = namesIn((await trace(program(once))).calls);
  copy(world, once);
  const found = await enumerate(program(once), names);
  const outputs: string[] = [];
  const harms: string[] = [];
  await inParallel(attacksOn(found.calls, meets), async ({ swap, after }, slot) => {
    const base = `${world}-slot${slot}`;
    copy(world, base);
    const before = snapshot(base);
    const output = await haltAfter(after, found, program(base), (pid) => {
      swap.plant(join(base, swap.place.replace('PID', String(pid))), base);
    });
    outputs.push(output);
    const linked = swap.what.startsWith('a hard link');
    for (const what of harm(base, before, linked, output))
      harms.push(`${what}: ${swap.what} at ${swap.place} after ${describeCall(after)}`);
  });
  return { outputs, harms };
}

/** The world as the child finds it when it is asked to change something, and the request. */
async function moment(
  name: string,
  wanted: 'up' | 'restored',
  arrange: (base: string) => Promise<void> | void,
): Promise<{ world: string; request: WorkerRequest }> {
  const home = join(work, name);
  mkdirSync(home);
  const start = newBundle(join(home, 'start'));
  await arrange(start);
  const ask = childIn(worker);
  const world = join(home, 'world');
  let request: WorkerRequest | undefined;
  await live({
    base: start,
    wanted,
    ask: (asked) => {
      if (asked.action !== 'inspect') {
        copy(start, world);
        request = asked;
      }
      return ask(asked);
    },
  });
  if (!request) throw new Error('nothing was to be changed');
  writeRoots(world);
  return { world, request };
}

const install = (base: string): Promise<unknown> => live({ base, wanted: 'up', ask: childIn(worker) });

test.each<[string, 'up' | 'restored', (base: string) => Promise<void> | void]>([
  [
    'update',
    'up',
    async (base) => {
      await install(base);
      writeFileSync(join(base, hyperkit), machO('4.2.0 hyperkit'));
    },
  ],
  [
    'restore',
    'restored',
    async (base) => {
      await install(base);
    },
  ],
])(
  '%s: whatever is swapped meanwhile, root’s own is not touched',
  async (name, wanted, arrange) => {
    const { world, request } = await moment(name, wanted, arrange);
    const isChange = (call: Call): boolean => call.changes;
    const { outputs, harms } = await play(
      world,
      (base) => childProgram(worker, base, request),
      (call, { place }) =>
        call.names.includes(place.split('/').at(-1) ?? '') ||
        // The folder that it stands in has no name in its calls.
        (place === bin && isChange(call)),
    );
    expect(harms).toEqual([]);
    const answers = outputs.map((output) => answerSchema.parse(JSON.parse(output)));
    const done = answers.filter((answer) => answer.ok).length;
    const refusals = new Set(answers.flatMap((answer) => (answer.ok ? [] : [answer.code])));
    console.log(
      `${name}: ${answers.length} attacks; ${done} times it was done, else ${[...refusals].sort().join(', ')}`,
    );
    expect(done).toBeGreaterThan(0);
    expect(refusals).toContain('LINK');
    expect(refusals).toContain('MOVED');
  },
  600_000,
);

test('the same attacks harm root when an installer looks first and then goes by path', async () => {
  const naive = join(work, 'naive.mjs');
  writeFileSync(
    naive,
    `import { lstatSync, readFileSync, writeFileSync } from 'node:fs';
    const { app, way, name } = JSON.parse(readFileSync(0, 'utf8'));
    const folder = [app, ...way].join('/');
    if (lstatSync(folder).isSymbolicLink() || lstatSync(folder + '/' + name).isSymbolicLink()) process.exit(1);
    writeFileSync(folder + '/' + name, 'shim');`,
  );
  const { world, request } = await moment('naive', 'up', () => undefined);
  const { harms } = await play(
    world,
    (base) => childProgram(naive, base, request),
    (call, { place, what }) =>
      call.name === 'openat' && what.includes('link') && !place.includes('Info') && !place.includes('PID'),
  );
  expect(harms.length).toBeGreaterThanOrEqual(folders.length + 2);
}, 600_000);
