/** Writes what of these pages is made from the source: `node docs/make.mjs`. */
import { Buffer } from 'node:buffer';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { format } from 'prettier';

const root = join(import.meta.dirname, '..');

/** What the product bundles as text. */
const loader = { '.sh': 'text', '.agent': 'binary' };

async function load(path) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [path],
    bundle: true,
    platform: 'node',
    format: 'esm',
    loader,
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire('/');",
    },
    write: false,
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}

async function write(name, make) {
  const path = join(root, 'docs', name);
  const text = make(readFileSync(path, 'utf8'));
  writeFileSync(path, await format(text, { parser: 'markdown', printWidth: 110 }));
}

const { renderReference } = await load('config/reference.ts');
await write('configuration.md', renderReference);

const { bounds, renderReasons } = await load('daemon/api/reasons/reference.ts');
await write('troubleshooting.md', (page) => {
  const [before] = page.split(bounds[0]);
  const [, after] = page.split(bounds[1]);
  return `${before}${renderReasons()}${after}`;
});

const { jsonSchema } = await load('cli/json-schema.ts');
const schema = await format(JSON.stringify(jsonSchema()), { parser: 'json', printWidth: 110 });
writeFileSync(join(root, 'docs/json.schema.json'), schema);

const { renderManual } = await load('cli/manual.ts');
writeFileSync(join(root, 'docs/tuntapctl.1'), renderManual());
