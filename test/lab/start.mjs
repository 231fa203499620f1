/**
 * Runs a TypeScript program of the lab outside of it: `node test/lab/start.mjs test/e2e/demo.ts [ARGUMENT…]`. Every
 * source keeps its own `import.meta.dirname`, since the lab finds its scripts beside them.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const [, , source = '', ...rest] = process.argv;
const folder = join(import.meta.dirname, '../../build/tools');
mkdirSync(folder, { recursive: true });
const outfile = join(folder, `${basename(source, '.ts')}-${process.pid}.mjs`);
await build({
  entryPoints: [resolve(source)],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  sourcemap: 'inline',
  logLevel: 'warning',
  plugins: [
    {
      name: 'own-dirname',
      setup: ({ onLoad }) => {
        onLoad({ filter: /test\/lab\/.*\.ts$/ }, ({ path }) => ({
          contents: readFileSync(path, 'utf8').replaceAll(
            'import.meta.dirname',
            JSON.stringify(dirname(path)),
          ),
          loader: 'ts',
        }));
      },
    },
  ],
});
process.once('exit', () => {
  rmSync(outfile, { force: true });
});
process.argv = [process.argv[0], source, ...rest];
await import(pathToFileURL(outfile).href);
