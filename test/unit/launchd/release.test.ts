/** `make release`, in a made-up repository whose dist.mjs says which version it is asked for. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

let repository: string;

const at = (path: string): string => join(repository, path);
const read = (path: string): string => readFileSync(at(path), 'utf8');
const changelog = (unreleased: string): string =>
  `# Changelog\n\n## [Unreleased]\n${unreleased}\n## [0.1.0] - 2026-01-02\n\n### Added\n\n- The daemon.\n`;
const git = (...words: string[]): string =>
  execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@b', ...words], {
    cwd: repository,
    encoding: 'utf8',
  });

function commit(unreleased: string): void {
  writeFileSync(at('CHANGELOG.md'), changelog(unreleased));
  git('add', '.');
  git('commit', '--quiet', '--allow-empty', '-m', 'all');
}

const release = (version: string) =>
  spawnSync(process.execPath, [at('launchd/release.mjs'), version], { encoding: 'utf8' });

beforeEach(() => {
  repository = mkdtempSync(join(tmpdir(), 'release-'));
  mkdirSync(at('launchd'));
  cpSync('launchd/release.mjs', at('launchd/release.mjs'));
  const own = { name: 'tuntapd', version: '0.1.0' };
  const write = (path: string, value: object): void => {
    writeFileSync(at(path), `${JSON.stringify(value, null, 2)}\n`);
  };
  write('package.json', { ...own, dependencies: { zod: '0.1.0' } });
  write('package-lock.json', { ...own, packages: { '': own, 'node_modules/zod': { version: '0.1.0' } } });
  writeFileSync(
    at('launchd/dist.mjs'),
    "import { readFileSync } from 'node:fs';\nconst { version } = JSON.parse(readFileSync('package.json', 'utf8'));\n" +
      "console.log('dist of', version);\nprocess.exitCode = version === '6.6.6' ? 1 : 0;\n",
  );
  git('init', '--quiet');
  commit('\n### Added\n\n- Something.\n');
});

afterEach(() => {
  rmSync(repository, { recursive: true, force: true });
});

test('what is unreleased becomes the version, everywhere, and nothing is committed or pushed', () => {
  const before = git('rev-parse', 'HEAD');
  const { status, stdout, stderr } = release('0.2.0');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/^dist of 0\.2\.0\n[^]*git tag -a v0\.2\.0/);
  const today = new Date().toISOString().slice(0, 10);
  expect(read('CHANGELOG.md')).toBe(
    changelog('').replace(
      '## [0.1.0]',
      () => `## [0.2.0] - ${today}\n\n### Added\n\n- Something.\n\n## [0.1.0]`,
    ),
  );
  expect(JSON.parse(read('package.json'))).toMatchObject({
    version: '0.2.0',
    dependencies: { zod: '0.1.0' },
  });
  expect(JSON.parse(read('package-lock.json'))).toMatchObject({
    version: '0.2.0',
    packages: { '': { version: '0.2.0' }, 'node_modules/zod': { version: '0.1.0' } },
  });
  expect(git('rev-parse', 'HEAD')).toBe(before);
});

test.each([
  ['', 'Which version?'],
  ['v0.2.0', 'Which version?'],
  ['0.2', 'Which version?'],
  ['0.1.0', '0.1.0 does not come after 0.1.0.'],
  ['0.0.9', '0.0.9 does not come after 0.1.0.'],
  ['6.6.6', 'No release:'],
])('%j is refused, or fails, and leaves the checkout as it was', (version, told) => {
  const { status, stderr } = release(version);
  expect(status).toBe(1);
  expect(stderr).toContain(told);
  expect(stderr).toContain('Nothing is changed.');
  expect(git('status', '--porcelain')).toBe('');
});

test('neither nothing nor what is not committed is released', () => {
  commit('');
  expect(release('0.2.0').stderr).toContain('says of nothing that it is unreleased');
  writeFileSync(at('README.md'), 'draft');
  expect(release('0.2.0').stderr).toMatch(/Commit first what is not committed:\n.*README\.md/);
  expect(read('package.json')).toContain('"version": "0.1.0"');
});
