/** What the product's programs weigh: some of them start again and again. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

test('the child that works in Docker.app is small, and no program speaks other languages than English', () => {
  const { stdout } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, '../../../launchd/build.mjs'), '--print'],
    { encoding: 'utf8', maxBuffer: 67_108_864 },
  );
  const programs = new Map(
    (JSON.parse(stdout) as { path: string; text: string }[])
      .filter(({ path }) => path.endsWith('.mjs'))
      .map(({ path, text }) => [path, text]),
  );
  expect(Buffer.byteLength(programs.get('lib/bundle-worker.mjs') ?? '')).toBeGreaterThan(100_000);
  expect(Buffer.byteLength(programs.get('lib/bundle-worker.mjs') ?? '')).toBeLessThan(250_000);
  // The compiler names each module that it takes.
  const languages = [...programs.values()].flatMap((text) =>
    [...text.matchAll(/^\/\/ node_modules\/zod\/v4\/locales\/(.*)\.js$/gm)].map(([, name]) => name),
  );
  expect([...new Set(languages)]).toEqual(['en']);
}, 120_000);
