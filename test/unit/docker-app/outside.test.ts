/** A place that hangs costs the look at it one deadline and one process, and nobody else anything. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { DoesNotAnswer, outsideBy } from '../../../daemon/docker-app/outside.js';
import { createBundleRoom } from '../../../daemon/docker-app/bundles.js';
import { childIn } from '../../../daemon/docker-app/bundle-child.js';
import { workerSource, workshop } from '../../product/bundle-crash/world.js';
import { writeDockerApp } from '../../lab/docker/bundle.js';
import { type DeadMount, mountDead } from '../../lib/dead-mount.js';
import { until } from '../../lib/until.js';

const asRoot = process.getuid?.() === 0 ? test : test.skip;
const patience = 3000;

let base: string;
let tools: string;
let dead: DeadMount | null = null;
let outside: ReturnType<typeof outsideBy>;

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), 'outside-'));
  chmodSync(base, 0o755);
  tools = await workshop({
    outside: 'daemon/docker-app/outside-worker.ts',
    worker: workerSource,
  });
  outside = outsideBy(join(tools, 'outside.mjs'), patience);
});
afterEach(async () => {
  outside.stop();
  dead?.end();
  dead = null;
  await until('no child is left', 10, () => Promise.resolve(children().length === 0));
  rmSync(base, { recursive: true, force: true });
  rmSync(tools, { recursive: true, force: true });
});

/** The processes that look for us, those that hang included. */
const children = (): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[3] === String(process.pid) &&
        !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ') &&
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(join(tools, 'outside.mjs'))
      );
    } catch {
      return false;
    }
  });

test('tells what lstat tells, in order, and why where it tells nothing', async () => {
  writeFileSync(join(base, 'file'), 'four');
  const answers = await outside.look(base, [base, join(base, 'none'), join(base, 'file')]);
  expect(answers).toMatchObject([{ mode: expect.any(Number) as unknown }, 'ENOENT', { size: 4, nlink: 1 }]);
});

asRoot('a place that hangs is unknown at once from then on, until it answers again', async () => {
  dead = await mountDead(join(base, 'dead'));
  const hanging = join(dead.folder, 'Docker.app');
  const look = (): Promise<unknown> => outside.look(hanging, [hanging]);
  const first = await look().catch((error: unknown) => error);
  expect(first).toBeInstanceOf(DoesNotAnswer);
  const { since } = first as DoesNotAnswer;
  expect(String(first)).toContain(`not been looked at since ${new Date(since).toISOString()}`);

  const began = performance.now();
  for (let count = 0; count < 20; count += 1) await expect(look()).rejects.toMatchObject({ since });
  expect(performance.now() - began).toBeLessThan(1000);
  // Nothing else waits, and of ours only one process hangs.
  await Promise.all(Array.from({ length: 8 }, () => stat(base)));
  expect(await outside.look(base, [base])).toMatchObject([{ uid: 0 }]);
  expect(children()).toHaveLength(2);

  dead.end();
  await until('it is asked again', 10, () =>
    look().then(
      () => true,
      () => false,
    ),
  );
  expect(await outside.look(hanging, [hanging])).toEqual(['ENOENT']);
});

asRoot('a Docker.app that hangs is told of as unknown; the others are worked on as ever', async () => {
  dead = await mountDead(join(base, 'dead'));
  const app = join(base, 'Docker.app');
  const hanging = join(dead.folder, 'Docker.app');
  const originals = join(base, 'state/originals.json');
  const journalled = join(hanging, 'Contents/Resources/bin/com.docker.hyperkit');
  mkdirSync(join(base, 'state'));
  writeFileSync(
    originals,
    JSON.stringify({ [journalled]: { sha256: 'a'.repeat(64), size: 1, version: null } }),
  );
  writeDockerApp({ path: app, owner: { uid: 501, gid: 20 } });
  const room = createBundleRoom({
    ask: childIn(join(tools, 'worker.mjs')),
    look: outside.look,
    systemFolder: base,
    shim: '',
    originals,
    log: () => undefined,
  });
  await room.observe([hanging, app]);
  const began = performance.now();
  expect(await room.observe([hanging, app])).toMatchObject({
    value: {
      withHyperkit: [{ app, target: { kind: 'mach-o' } }],
      refused: [{ app: hanging, unseen: true, why: expect.stringContaining('since 20') as unknown }],
      // Unknown is not absent: the shim may stand there.
      outOfReach: [journalled],
    },
  });
  expect(performance.now() - began).toBeLessThan(3000);
  expect(await room.touched()).toEqual([hanging]);
  await expect(room.restore(journalled)).rejects.toMatchObject({ reason: 'DoesNotAnswer' });
});
