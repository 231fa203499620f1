/**
 * A bundle that lives: updates of every style, whole, cut off or rolled back, people, crashes and runs of ours at any
 * moment of them, on real folders. No run of ours takes away a hyperkit that boots or the newest that there is; and when
 * it is quiet, one run reaches what is wanted, or there is a condition that says why not.
 */
import {
  cpSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { work } from '../../../daemon/docker-app/bundle-work.js';
import { type BundleRoom, createBundleRoom } from '../../../daemon/docker-app/bundles.js';
import { StepError } from '../../../daemon/core/steps.js';
import { messageOf } from '../../../daemon/lib/text.js';
import { lookDirectly } from './look-directly.js';
import { later } from '../../product/bundle-crash/daemon.js';
import { writeDockerApp } from '../../lab/docker/bundle.js';
import { machO } from '../../lab/docker/mach-o.js';
import { config, quietMac, up } from '../core/worlds.js';
import type { Memory } from '../../../daemon/core/memory.js';
import type { Failure, Finding } from '../../../daemon/core/condition.js';
import { judgeConditions, plan } from '../core/judged.js';

/** The work is done here, with the rights of whoever tests. */
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const shim = '#!/bin/sh\n# tuntapd hyperkit shim, version 1.\nexec "$0.original" "$@"\n';
const older = '#!/bin/sh\n# tuntapd hyperkit shim, version 0.\nexec "$0.original" "$@"\n';
const bin = 'Contents/Resources/bin';
const name = 'com.docker.hyperkit';

let root: string;
let count = 0;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'life-'));
  // Change times cannot be set: our runs come when nobody has written for long, which is when they are bold.
  jest.spyOn(Date, 'now').mockReturnValue(later);
});
afterAll(() => {
  jest.restoreAllMocks();
  rmSync(root, { recursive: true, force: true });
});
const home = process.cwd();
afterEach(() => {
  process.chdir(home);
});

const binaryOf = (version: number): Buffer => machO(`4.${version}.0 hyperkit`);
const versions = new Map(
  Array.from({ length: 100 }, (_, version) => [binaryOf(version).toString('latin1'), version]),
);

interface Life {
  readonly base: string;
  readonly app: string;
  readonly hyperkit: string;
  room: BundleRoom;
  version: number;
}

const newRoom = (base: string): BundleRoom =>
  createBundleRoom({
    ask: (request) => {
      try {
        return Promise.resolve(work(request));
      } finally {
        process.chdir(home);
      }
    },
    shim,
    look: lookDirectly,
    systemFolder: base,
    originals: join(base, 'state/originals.json'),
    log: () => undefined,
  });

/** Which version a file is, whole and executable. */
function versionAt(path: string): number | null {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() !== true || (stats.mode & 0o111) !== 0o111) return null;
  return versions.get(readFileSync(path, 'latin1')) ?? null;
}

function textAt(path: string): string | null {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true ? readFileSync(path, 'latin1') : null;
}

const isOurs = (text: string | null): boolean => text === shim || text === older;

/** The version that Docker would start; null when none. */
function boots({ hyperkit }: Life): number | null {
  return isOurs(textAt(hyperkit)) ? versionAt(`${hyperkit}.original`) : versionAt(hyperkit);
}

/** What Docker put there last, of what is whole. */
const newest = ({ hyperkit }: Life): number | null =>
  versionAt(hyperkit) ?? versionAt(`${hyperkit}.original`);

/** One pass of the daemon, to its end, and what it says of the shim afterwards. */
async function pass(life: Life, wanted: Memory['wanted']): Promise<Finding> {
  const memory = { ...up, wanted };
  const failures: Failure[] = [];
  for (let round = 0; round < 5; round += 1) {
    const bundles = await life.room.observe([life.app]);
    const observation = { ...quietMac, bundles };
    const steps = failures.length > 0 ? [] : plan(config, observation, memory);
    if (steps.length === 0) {
      const { findings } = judgeConditions(config, observation, memory, failures);
      const finding = findings.find(({ type }) => type === 'Shim');
      if (finding) return finding;
    }
    for (const step of steps)
      try {
        if (step.kind === 'install-shim') await life.room.install(step.hyperkit);
        if (step.kind === 'restore-hyperkit') await life.room.restore(step.hyperkit);
      } catch (error) {
        const { why, blocked } =
          error instanceof StepError
            ? error
            : { why: { condition: 'Shim', reason: 'Failed' } as const, blocked: false };
        failures.push({ step, ...why, message: messageOf(error), blocked });
      }
  }
  throw new Error('it never ends');
}

/** A pass at this very moment, and what it must never do. */
async function run(life: Life, wanted: Memory['wanted']): Promise<Finding> {
  const before = { boots: boots(life), newest: newest(life) };
  const finding = await pass(life, wanted);
  expect(newest(life)).toBe(before.newest);
  // It may start another version afterwards only where that is the newest.
  if (before.boots !== null) expect([before.boots, before.newest]).toContain(boots(life));
  return finding;
}

/** Steps of the outside world; between any two a run of ours may come. */
type Scene = (life: Life) => readonly (() => void)[];

function put(path: string, content: Buffer | string): void {
  writeFileSync(path, content, { mode: 0o755 });
}

const write = (path: string, version: number): void => {
  writeDockerApp({ path, owner, version: `4.${version}.0`, seed: `4.${version}.0` });
};

const inFolder =
  (change: (life: Life) => void): Scene =>
  (life) => [
    () => {
      // Nobody changes a hyperkit in an app that is not there.
      if (lstatSync(dirname(life.hyperkit), { throwIfNoEntry: false })) change(life);
    },
  ];

const temporary = ({ hyperkit }: Life): string => join(dirname(hyperkit), `.${name}.tuntapd-4711`);

/** The first steps of an install that was cut off; the crash test holds their order against a trace. */
function crash(life: Life, after: number): void {
  const { hyperkit, base } = life;
  life.room = newRoom(base);
  if (versionAt(hyperkit) === null) return;
  rmSync(temporary(life), { force: true });
  const inode = (path: string): number | undefined => lstatSync(path, { throwIfNoEntry: false })?.ino;
  // After an earlier crash it has come this far already, and a rename of two names of one file does nothing.
  const isKept = inode(hyperkit) === inode(`${hyperkit}.original`);
  const steps = [
    () => {
      if (!isKept) linkSync(hyperkit, temporary(life));
    },
    () => {
      if (!isKept) renameSync(temporary(life), `${hyperkit}.original`);
    },
    () => {
      put(temporary(life), shim.slice(0, 20));
    },
    () => {
      put(temporary(life), shim);
    },
    () => {
      renameSync(temporary(life), hyperkit);
    },
  ];
  for (const step of steps.slice(0, after)) step();
}

const scenes: Record<string, Scene> = {
  'an update, rename style': ({ app, version }) => [
    () => {
      rmSync(`${app}.staged`, { recursive: true, force: true });
      rmSync(`${app}.back`, { recursive: true, force: true });
      write(`${app}.staged`, version);
    },
    () => {
      if (lstatSync(app, { throwIfNoEntry: false })) renameSync(app, `${app}.back`);
    },
    () => {
      renameSync(`${app}.staged`, app);
    },
    () => {
      rmSync(`${app}.back`, { recursive: true, force: true });
    },
  ],
  'an update that is rolled back': ({ app }) => [
    () => {
      rmSync(`${app}.back`, { recursive: true, force: true });
      if (lstatSync(app, { throwIfNoEntry: false })) renameSync(app, `${app}.back`);
    },
    () => {
      mkdirSync(join(app, bin), { recursive: true });
    },
    () => {
      rmSync(app, { recursive: true });
      if (lstatSync(`${app}.back`, { throwIfNoEntry: false })) renameSync(`${app}.back`, app);
    },
  ],
  'an update, Sparkle style': ({ app, hyperkit, version }) => {
    const whole = `${app}.whole`;
    return [
      () => {
        write(whole, version);
        rmSync(app, { recursive: true, force: true });
      },
      () => {
        mkdirSync(join(app, 'Contents/MacOS'), { recursive: true });
        for (const file of ['Contents/Info.plist', 'Contents/MacOS/Docker'])
          cpSync(join(whole, file), join(app, file));
      },
      () => {
        mkdirSync(dirname(hyperkit), { recursive: true });
        put(hyperkit, binaryOf(version).subarray(0, 4100));
      },
      () => {
        put(hyperkit, binaryOf(version));
      },
      () => {
        rmSync(whole, { recursive: true });
      },
    ];
  },
  'an update in place, by a new file': inFolder(({ hyperkit, version }) => {
    rmSync(hyperkit, { force: true });
    put(hyperkit, binaryOf(version));
  }),
  'an update in place, by overwriting': (life) => [
    ...inFolder(({ hyperkit, version }) => {
      put(hyperkit, binaryOf(version).subarray(0, 300));
    })(life),
    ...inFolder(({ hyperkit, version }) => {
      put(hyperkit, binaryOf(version));
    })(life),
  ],
  'a copy that broke off': inFolder(({ hyperkit, version }) => {
    rmSync(hyperkit, { force: true });
    put(hyperkit, binaryOf(version).subarray(0, 4100));
  }),
  'somebody deletes hyperkit': inFolder(({ hyperkit }) => {
    rmSync(hyperkit, { force: true });
  }),
  'somebody deletes the original': inFolder(({ hyperkit }) => {
    rmSync(`${hyperkit}.original`, { force: true });
  }),
  'somebody moves the original back': inFolder(({ hyperkit }) => {
    if (versionAt(`${hyperkit}.original`) !== null) renameSync(`${hyperkit}.original`, hyperkit);
  }),
  'somebody copies the original back': inFolder(({ hyperkit }) => {
    if (versionAt(`${hyperkit}.original`) !== null && isOurs(textAt(hyperkit)))
      put(hyperkit, readFileSync(`${hyperkit}.original`));
  }),
  'an older tuntapd’s shim': inFolder(({ hyperkit }) => {
    if (isOurs(textAt(hyperkit))) put(hyperkit, older);
  }),
  'a script of somebody’s': inFolder(({ hyperkit }) => {
    rmSync(hyperkit, { force: true });
    put(hyperkit, '#!/bin/sh\nexec qemu "$@"\n');
  }),
  leftovers: inFolder((life) => {
    rmSync(temporary(life), { force: true });
    put(temporary(life), shim.slice(0, 30));
  }),
  'the journal is lost': ({ base }) => [
    () => {
      rmSync(join(base, 'state'), { recursive: true, force: true });
    },
  ],
  ...Object.fromEntries(
    [0, 1, 2, 3, 4, 5].map((after) => [
      `a crash after ${after} steps of an install`,
      inFolder((life) => {
        crash(life, after);
      }),
    ]),
  ),
};

const wanted = fc.constantFrom<Memory['wanted']>('up', 'up', 'restored');
const event = fc.record({
  scene: fc.constantFrom(...Object.keys(scenes)),
  /** What is run after each of its steps. */
  runs: fc.array(fc.option(wanted), { minLength: 5, maxLength: 5 }),
});

test('whatever happens, nothing that boots is lost, and in the end there is the shim or a reason', async () => {
  const seen = { installed: 0, refused: new Set<string>() };
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 8 }), async (events) => {
      const base = join(root, String(count++));
      const app = join(base, 'Docker.app');
      write(app, 0);
      const hyperkit = join(app, bin, name);
      const life: Life = { base, app, hyperkit, room: newRoom(base), version: 0 };
      for (const { scene, runs } of events) {
        life.version += 1;
        for (const [index, step] of (scenes[scene]?.(life) ?? []).entries()) {
          step();
          const asked = runs[index];
          if (asked) await run(life, asked);
        }
      }

      // What the world left there, once it is quiet.
      const last = newest(life);
      const text = textAt(hyperkit);
      const isBroken = text !== null && !isOurs(text) && versionAt(hyperkit) === null;
      const finding = await run(life, 'up');
      if (last === null || isBroken) {
        expect(finding).toMatchObject({ status: 'False' });
        expect(finding.reason).not.toBe('NotInstalled');
        expect(finding.message.length).toBeGreaterThan(20);
        seen.refused.add(finding.reason);
      } else {
        seen.installed += 1;
        expect(finding).toMatchObject({ status: 'True', reason: 'Installed' });
        expect(textAt(hyperkit)).toBe(shim);
        expect(boots(life)).toBe(last);
        expect(readdirSync(dirname(hyperkit)).sort()).toEqual([name, `${name}.original`]);
        await run(life, 'restored');
        expect(boots(life)).toBe(last);
        expect(readdirSync(dirname(hyperkit))).toEqual([name]);
      }
      rmSync(base, { recursive: true });
    }),
    { numRuns: 150 },
  );
  expect(seen.installed).toBeGreaterThan(50);
  expect([...seen.refused]).toEqual(
    expect.arrayContaining(['BeingWritten', 'ForeignScript', 'OriginalMissing']),
  );
}, 120_000);
