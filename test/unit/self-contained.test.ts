/** A test that needs a folder of one machine is no test on any other: none looks outside of the repository. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from '@jest/globals';

const tests = join(import.meta.dirname, '..');
const sources = readdirSync(tests, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(ts|mjs|sh)$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))
  .filter((path) => path !== import.meta.filename);

/** Lines of the tests that fit, with the file that holds them. */
const fitting = (what: RegExp, files = sources): string[] =>
  files.flatMap((path) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => what.test(line))
      .map((line) => `${relative(tests, path)}: ${line.trim()}`),
  );

test('no test names a folder beside the repository', () => {
  expect(sources.length).toBeGreaterThan(50);
  expect(fitting(/['"`/]shared\/|['"`]\/work\//)).toEqual([]);
});

test('no test is there only when a file is', () => {
  const suites = sources.filter((path) => path.endsWith('.test.ts'));
  expect(fitting(/^if \(|existsSync\(.*\? *(test|describe)\b/, suites)).toEqual([]);
});
