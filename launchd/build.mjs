/**
 * Builds the product into build/product, unless what is there was made of the very same sources.
 *
 *     node launchd/build.mjs                  build
 *     node launchd/build.mjs --check          say by the exit status alone whether it is up to date
 *     node launchd/build.mjs --unprivileged   for root where there is no other user: compile as nobody, then write
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
const product = join(root, 'build/product');
const programs = {
  tuntapd: 'daemon/main.ts',
  'bundle-worker': 'daemon/docker-app/bundle-worker.ts',
  'process-lister': 'daemon/vm/process-lister.ts',
  'watch-worker': 'daemon/docker-app/watch-worker.ts',
  'context-worker': 'daemon/guest/context-worker.ts',
  'outside-worker': 'daemon/docker-app/outside-worker.ts',
  'names-worker': 'daemon/names/names-worker.ts',
  tuntapctl: 'cli/tuntapctl.ts',
  install: 'launchd/install.ts',
  uninstall: 'launchd/uninstall.ts',
};
/** Made by docs/make.mjs, held by a test. */
const manual = 'docs/tuntapctl.1';
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

/** Licence texts of the packages that ended up in a bundle, as their licences ask for. */
function thirdParty(inputs) {
  const folders = new Set(
    inputs
      .map((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
      .filter((folder) => folder !== undefined),
  );
  const runtime = readdirSync(join(root, 'node_modules')).filter((name) =>
    existsSync(join(root, 'node_modules', name, 'bin/node')),
  );
  for (const name of runtime) folders.add(`node_modules/${name}`);
  return [...folders]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(read(`${folder}/package.json`));
      const file = readdirSync(join(root, folder)).find((entry) => /^licen[cs]e/i.test(entry));
      const text = file ? read(`${folder}/${file}`).toString().trim() : `Licence: ${license}`;
      return `${name} ${version}\n\n${text}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

/** Everything that is to be written, as path and text. */
async function compile() {
  const { build } = await import('esbuild');
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: programs,
    outdir: 'lib',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    loader: { '.sh': 'text', '.agent': 'binary' },
    legalComments: 'none',
    logLevel: 'warning',
    banner: {
      // Packages in CommonJS (winston's) still ask for node's own modules by require.
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
  const files = outputFiles.map(({ path, text }) => ({ path: relative(root, path), text }));
  files.push({ path: 'THIRD_PARTY.txt', text: thirdParty(Object.keys(metafile.inputs)) });
  files.push({ path: 'share/man/man1/tuntapctl.1', text: read(manual).toString() });
  files.push({ path: 'LICENSE', text: read('LICENSE').toString() });
  return files;
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
if (mode === '--print') process.stdout.write(JSON.stringify(await compile()));
else {
  const inputs = inputsHash();
  if (upToDate(inputs)) {
    if (mode !== '--check') console.log('build/product is up to date');
  } else if (mode === '--check') process.exitCode = 1;
  else {
    write(mode === '--unprivileged' ? compileAsNobody() : await compile(), inputs);
    console.log('build/product is built');
  }
}
