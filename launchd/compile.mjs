/** The product's files as a build and a release have them: bundles, manual and licences. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
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
export const manual = 'docs/tuntapctl.1';

const read = (path) => readFileSync(join(root, path), 'utf8');

/** The folders of the packages of npm's that these inputs of a bundle lie in, below the checkout. */
const foldersOf = (inputs) => [
  ...new Set(
    inputs
      .map((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
      .filter((folder) => folder !== undefined),
  ),
];

/** The licence text of the package in `folder`, as its licence asks for, below its name. */
function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(join(folder, file), 'utf8').trim() : `Licence: ${license}`;
  return `${name} ${version}\n\n${text}\n`;
}

/** The runtimes that npm has brought for this machine, as folders. */
const presentRuntimes = () =>
  readdirSync(join(root, 'node_modules'))
    .map((name) => join(root, 'node_modules', name))
    .filter((folder) => existsSync(join(folder, 'bin/node')));

/**
 * Everything that is to be written, as path and text, with the packages that are part of it, as folders below the
 * checkout. `runtimes`: the folders of those that are installed with it.
 */
export async function compile(runtimes = presentRuntimes()) {
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
  const packages = foldersOf(Object.keys(metafile.inputs)).sort();
  const licences = [...packages.map((folder) => join(root, folder)), ...runtimes].map(licenceOf);
  const files = outputFiles.map(({ path, text }) => ({ path: relative(root, path), text }));
  files.push({ path: 'THIRD_PARTY.txt', text: licences.join(`\n${'-'.repeat(80)}\n\n`) });
  files.push({ path: 'share/man/man1/tuntapctl.1', text: read(manual) });
  files.push({ path: 'LICENSE', text: read('LICENSE') });
  return { files, packages };
}
