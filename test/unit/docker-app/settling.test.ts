import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  createSettling,
  judgeSettling,
  leftoverAfter,
  lookAtBundle,
  quietAfter,
  type Signs,
} from '../../../daemon/docker-app/settling.js';
import { writeDockerApp } from '../../lab/docker/bundle.js';
import { lookDirectly } from './look-directly.js';

const day = 1_700_000_000_000;
const whole: Signs = {
  present: true,
  mark: '',
  missing: [],
  changed: day - 60_000,
  back: null,
  identity: '1:2',
  arrived: day - 60_000,
};
const judge = (signs: Partial<Signs>, unchangedFor = 0) =>
  judgeSettling('/Applications/Docker.app', { ...whole, ...signs }, { wall: day, unchangedFor });

test.each<[string, Partial<Signs>, RegExp | null]>([
  ['whole and old', {}, null],
  ['not there', { present: false }, null],
  ['moved away', { present: false, back: day }, /being updated/],
  [
    'so far without its program',
    { missing: ['Contents/MacOS/Docker'], changed: day - leftoverAfter + 1 },
    /lacks Contents\/MacOS\/Docker/,
  ],
  [
    'without its program, beside the one it replaces',
    { missing: ['Contents/MacOS/Docker'], back: day - 10 * leftoverAfter },
    /lacks Contents\/MacOS\/Docker/,
  ],
  ['of another make, and has no such program', { missing: ['Contents/MacOS/Docker'] }, null],
  ['just changed', { changed: day - 10 }, /being written/],
  ['changed tomorrow, says a clock that jumped', { changed: day + 86_400_000 }, /being written/],
  ['put in place of another that is still there', { back: day - 1000 }, /\.back is there/],
  ['beside a leftover', { back: day - leftoverAfter }, null],
])('a bundle that is %s', (_what, signs, expected) => {
  const found = judge(signs);
  if (expected) expect(found?.why).toMatch(expected);
  else expect(found).toBeNull();
});

test('whatever the clock says, a complete bundle that stays as it is settles when it said', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 * day }), fc.nat(quietAfter), (changed, unchangedFor) => {
      const first = judge({ changed }, unchangedFor);
      if (first) expect(judge({ changed }, unchangedFor + (first.settlesIn ?? NaN))).toBeNull();
    }),
  );
});

test('an update is seen in real files from its first to its last moment', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'settling-'));
  const app = join(folder, 'Docker.app');
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  let later = 0;
  const settling = createSettling(
    { wall: () => Date.now() + later, steady: () => performance.now() + later },
    lookDirectly,
  );
  const isSettled = async (): Promise<boolean> => (await settling.look(app)).unsettled === null;
  try {
    writeDockerApp({ path: app, owner });
    expect(await isSettled()).toBe(false);
    later += quietAfter;
    expect(await isSettled()).toBe(true);

    later = 0;
    writeFileSync(join(app, 'Contents/Resources/bin/com.docker.hyperkit'), 'half');
    expect(await isSettled()).toBe(false);
    await settling.ours(app);
    expect(await isSettled()).toBe(true);

    renameSync(app, `${app}.back`);
    expect(await isSettled()).toBe(false);
    mkdirSync(join(app, 'Contents/MacOS'), { recursive: true });
    later += 10 * leftoverAfter;
    expect(await isSettled()).toBe(false);

    rmSync(app, { recursive: true });
    renameSync(`${app}.back`, app);
    expect(await isSettled()).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each([3_600_000, 8760 * 3_600_000])(
  'a bundle that came before the clock was set back by %i ms has not come after what is started from then on',
  async (jump) => {
    const folder = mkdtempSync(join(tmpdir(), 'settling-'));
    const app = join(folder, 'Docker.app');
    let wall = Date.now();
    const clock = { wall: () => wall, steady: () => performance.now() };
    const before = createSettling(clock, lookDirectly);
    try {
      writeDockerApp({ path: app, owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 } });
      const { arrived } = (await before.look(app)).signs;
      expect(arrived).toBeGreaterThan(wall - 10_000);
      wall -= jump;
      // Of a daemon that saw it come, and of one that began afterwards.
      for (const settling of [before, createSettling(clock, lookDirectly)]) {
        const setBack = wall;
        expect((await settling.look(app)).signs.arrived).toBe(setBack);
        wall += 60_000;
        // It does not come again and again.
        expect((await settling.look(app)).signs.arrived).toBe(setBack);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

test('a bundle is the same one after a restart of the Mac, which numbers its disks anew', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'settling-'));
  const app = join(folder, 'Docker.app');
  writeDockerApp({ path: app, owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 } });
  const identityOn = async (dev: number): Promise<string | null> => {
    const signs = await lookAtBundle(app, async (place, paths) =>
      (await lookDirectly(place, paths)).map((answer) =>
        typeof answer === 'string' ? answer : { ...answer, dev },
      ),
    );
    return signs.identity;
  };
  try {
    expect(await identityOn(1)).not.toBeNull();
    expect(await identityOn(1)).toBe(await identityOn(2));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
