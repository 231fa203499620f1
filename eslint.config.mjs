import { dirname, relative, resolve } from 'node:path';
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/**
 * The layers, from the ground up: what files of each may import besides each other. A file is of the longest entry that
 * its path begins with; `builtins: false` is pure: data in, data out.
 */
const rooms = [
  'daemon/mac',
  'daemon/vm',
  'daemon/guest',
  'daemon/docker-app',
  'daemon/names',
  'daemon/control',
];
const ground = ['daemon/lib', 'config', 'daemon/api'];
const layers = {
  'daemon/lib': { may: [] },
  config: { may: ['daemon/lib'] },
  'daemon/api': { may: ['daemon/lib', 'config'] },
  'daemon/api/reasons': { may: ['config'], builtins: false },
  'daemon/core': { may: ['daemon/api/reasons', ...ground], builtins: false },
  ...Object.fromEntries(
    rooms.map((room) => [room, { may: ['daemon/core', 'daemon/api/reasons', ...ground] }]),
  ),
  'daemon/runtime': { may: ['daemon/core', 'daemon/api/reasons', ...ground, ...rooms] },
  'daemon/run.ts': { may: ['daemon', 'config'] },
  'daemon/main.ts': { may: ['daemon/run.ts', 'daemon/runtime', ...ground] },
  cli: { may: ['daemon/api/reasons', ...ground, 'daemon/docker-app/shim.ts'] },
  launchd: { may: ['daemon/api/reasons', ...ground, 'daemon/docker-app/originals.ts'] },
};

const isIn = (path, place) => path === place || path.startsWith(`${place}/`);
const layerOf = (path) =>
  Object.keys(layers)
    .filter((name) => isIn(path, name))
    .toSorted((a, b) => b.length - a.length)[0];

/** Every import goes to the file's own layer, or to one that it may know. */
const layering = {
  create: (context) => {
    const here = relative(import.meta.dirname, context.filename);
    const own = layerOf(here);
    if (own === undefined) return {};
    const { may, builtins = true } = layers[own];
    const check = (node) => {
      const said = node.source?.value;
      if (typeof said !== 'string') return;
      if (said.startsWith('node:') && !builtins)
        context.report({ node, message: `${own} is pure: data in, data out, and no ${said}` });
      if (!said.startsWith('.')) return;
      const there = relative(import.meta.dirname, resolve(dirname(context.filename), said)).replace(
        /\.js$/,
        '.ts',
      );
      const isAllowed =
        layerOf(there) === own ||
        may.some(
          (place) =>
            place === there || place === layerOf(there) || (place === 'daemon' && isIn(there, place)),
        );
      if (!isAllowed && (layerOf(there) !== undefined || isIn(there, 'test')))
        context.report({ node, message: `${own} may import ${may.join(', ') || 'nothing'}, not ${there}` });
    };
    return { ImportDeclaration: check, ExportNamedDeclaration: check, ExportAllDeclaration: check };
  },
};

export default tseslint.config(
  { ignores: ['build/**', 'node_modules/**'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },
  { files: ['**/*.mjs'], languageOptions: { globals: { process: 'readonly', console: 'readonly' } } },
  {
    files: ['{config,daemon,cli,launchd}/**/*.ts'],
    plugins: { house: { rules: { layering } } },
    rules: { 'house/layering': 'error' },
  },
);
