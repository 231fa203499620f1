import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const rooms = ['docker-app', 'vm', 'mac', 'guest', 'control'];

/** Files may import only what lies to their left: config <- observation <- rooms <- plan, reconciler <- main. */
const forbid = (files, folders, message) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns: [{ group: folders, message }] }] },
});

const siblings = (room) => rooms.filter((other) => other !== room).map((other) => `**/${other}/**`);
const wiring = ['**/main.js', '**/reconciler.js', '**/plan.js', '**/conditions.js'];
const outside = ['**/cli/**', '**/test/**', '**/launchd/**'];

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
  forbid(['config/**/*.ts'], ['**/daemon/**', ...outside], 'config stands alone'),
  forbid(
    ['daemon/core/observation.ts'],
    [...rooms.map((room) => `**/${room}/**`), ...wiring, ...outside],
    'types only',
  ),
  forbid(
    ['daemon/api/**/*.ts'],
    ['node:*', ...rooms.map((room) => `**/${room}/**`), ...wiring, '**/observation.js', ...outside],
    'what daemon and CLI say to each other is neutral ground: data, and pure',
  ),
  ...rooms.map((room) =>
    forbid(
      [`daemon/${room}/**/*.ts`],
      [...siblings(room), ...wiring, ...outside],
      'a room knows no sibling and nothing to its right',
    ),
  ),
  forbid(
    ['daemon/core/plan.ts', 'daemon/core/conditions.ts'],
    ['node:*', ...rooms.map((room) => `**/${room}/**`), '**/main.js', '**/reconciler.js', ...outside],
    'pure: data in, data out',
  ),
  forbid(
    ['daemon/runtime/reconciler.ts'],
    [...rooms.map((room) => `**/${room}/**`), '**/main.js', ...outside],
    'the loop knows no room',
  ),
  forbid(
    ['cli/**/*.ts'],
    [
      '**/daemon/main.js',
      '**/daemon/runtime/**',
      '**/daemon/guest/**',
      '**/daemon/mac/**',
      '**/daemon/vm/**',
      '**/test/**',
    ],
    'the CLI is a window on the daemon',
  ),
);
