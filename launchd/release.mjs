/**
 * `make release VERSION=x.y.z`: what CHANGELOG.md has as unreleased becomes that version, package.json and its lock get
 * it, and the release is made in build/dist. Commits nothing and pushes nothing; says what is left to do.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const changed = ['CHANGELOG.md', 'package.json', 'package-lock.json'];
const read = (path) => readFileSync(join(root, path), 'utf8');
const write = (path, text) => {
  writeFileSync(join(root, path), text);
};

/** A release that cannot be cut, in words for who asked. */
class Refusal extends Error {}

const numbersOf = (version) => version.split('.').map(Number);

/** Whether `version`, as x.y.z, comes after `other`. */
function isAfter(version, other) {
  const [one, two] = [numbersOf(version), numbersOf(other)];
  const index = one.findIndex((number, at) => number !== two[at]);
  return index !== -1 && one[index] > two[index];
}

/** CHANGELOG.md with all that was unreleased below a heading of `version`. */
function withRelease(changelog, version, date) {
  const [, before, unreleased, after] =
    /^([^]*?^## \[Unreleased\]\n)([^]*?)(^## \[[^]*)?$(?![^])/m.exec(changelog) ?? [];
  if (unreleased === undefined) throw new Refusal('CHANGELOG.md has no heading [Unreleased].');
  if (unreleased.trim() === '') throw new Refusal('CHANGELOG.md says of nothing that it is unreleased.');
  return `${before}\n## [${version}] - ${date}\n\n${unreleased.trim()}\n${after === undefined ? '' : `\n${after}`}`;
}

/** package.json, or the lock, with its own version, which stands before any other. */
const withVersion = (text, version, times) => {
  let left = times;
  return text.replaceAll(/^( {2,6}"version": )".*"/gm, (all, key) =>
    left-- > 0 ? `${key}"${version}"` : all,
  );
};

function cut(version) {
  if (!/^(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}$/.test(version))
    throw new Refusal('Which version? Give it as x.y.z: make release VERSION=1.2.3');
  const present = JSON.parse(read('package.json')).version;
  if (!isAfter(version, present)) throw new Refusal(`${version} does not come after ${present}.`);
  const dirty = execFileSync('git', ['status', '--porcelain'], { cwd: root, encoding: 'utf8' });
  if (dirty !== '') throw new Refusal(`Commit first what is not committed:\n${dirty.trimEnd()}`);

  const before = changed.map((path) => [path, read(path)]);
  const date = new Date().toISOString().slice(0, 10);
  try {
    write('CHANGELOG.md', withRelease(read('CHANGELOG.md'), version, date));
    write('package.json', withVersion(read('package.json'), version, 1));
    // Its own, and that of the package at its root.
    write('package-lock.json', withVersion(read('package-lock.json'), version, 2));
    execFileSync(process.execPath, ['launchd/dist.mjs'], { cwd: root, stdio: 'inherit' });
  } catch (error) {
    for (const [path, text] of before) write(path, text);
    throw error;
  }
  console.log(`\n${version} is in build/dist. What is left to do:`);
  console.log(`  git commit -m 'release: ${version}' ${changed.join(' ')}`);
  console.log(`  git tag -a v${version} -m 'tuntapd ${version}'`);
  console.log(`  git push --follow-tags, and upload build/dist`);
}

try {
  cut(process.argv[2] ?? '');
} catch (error) {
  console.error(error instanceof Refusal ? error.message : `No release: ${error.message}`);
  console.error('Nothing is changed.');
  process.exitCode = 1;
}
