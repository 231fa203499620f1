/**
 * Builds the product into build/product, unless what is there was made of the very same sources.
 *
 *     node launchd/build.mjs                  build
 *     node launchd/build.mjs --check          say by the exit status alone whether it is up to date
 *     node launchd/build.mjs --unprivileged   for root where there is no other user: compile as nobody, then write
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { compile, manual } from './compile.mjs';

const root = join(import.meta.dirname, '..');
const product = join(root, 'build/product');
/** Whose compiler nobody trusts with root: no account has files of this uid. */
const nobody = 65534;

const sha256 = (content) => createHash('sha256').update(content).digest('hex');
const read = (path) => readFileSync(join(root, path));

/**
 * One hash over everything a build is made of. By content: a copied or cloned tree has times that mean nothing. Of the
 * packages npm's own note of what it installed, which may not be what package-lock.json wants by now.
 */
function inputsHash() {
  const sources = ['config', 'daemon', 'cli', 'launchd'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(ts|mjs|sh|agent)$/.test(entry.name))
      .map((entry) => relative(root, join(entry.parentPath, entry.name))),
  );
  const hash = createHash('sha256');
  const others = ['package.json', 'package-lock.json', 'node_modules/.package-lock.json', 'LICENSE', manual];
  for (const path of [...sources.sort(), ...others]) hash.update(`${path}\0${sha256(read(path))}\n`);
  return hash.digest('hex');
}

function upToDate(inputs) {
  try {
    const manifest = JSON.parse(readFileSync(join(product, 'manifest.json'), 'utf8'));
    return (
      manifest.inputs === inputs &&
      manifest.files.every((file) => sha256(readFileSync(join(product, file.path))) === file.sha256)
    );
  } catch {
    return false;
  }
}

function write(files, inputs) {
  const made = `${product}.${process.pid}`;
  rmSync(made, { recursive: true, force: true });
  try {
    for (const { path, text } of files) {
      mkdirSync(dirname(join(made, path)), { recursive: true });
      writeFileSync(join(made, path), text);
    }
    const manifest = {
      version: JSON.parse(read('package.json')).version,
      inputs,
      files: files.map(({ path, text }) => ({ path, sha256: sha256(text) })),
    };
    writeFileSync(join(made, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    rmSync(product, { recursive: true, force: true });
    renameSync(made, product);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/** The compiler and everything of npm runs as nobody; what it says is only text that we write down. */
function compileAsNobody() {
  const output = execFileSync(process.execPath, [import.meta.filename, '--print'], {
    cwd: '/',
    uid: nobody,
    gid: nobody,
    env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', HOME: '/' },
    maxBuffer: 67_108_864,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(output.toString());
}

const mode = process.argv[2];
if (mode === '--print') process.stdout.write(JSON.stringify((await compile()).files));
else {
  const inputs = inputsHash();
  if (upToDate(inputs)) {
    if (mode !== '--check') console.log('build/product is up to date');
  } else if (mode === '--check') process.exitCode = 1;
  else {
    write(mode === '--unprivileged' ? compileAsNobody() : (await compile()).files, inputs);
    console.log('build/product is built');
  }
}
