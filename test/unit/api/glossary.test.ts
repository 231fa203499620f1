/** The page of words has each that `status` sums up with, and each state of a subnet. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { isHealthy } from '../../../cli/status-view.js';
import { exit } from '../../../cli/exit.js';
import { phaseSchema, routeSchema } from '../../../daemon/api/messages.js';

const page = readFileSync(join(import.meta.dirname, '../../../docs/glossary.md'), 'utf8');

test('every phase has its meaning and its exit code', () => {
  const rows = [...page.matchAll(/^\| `(\w+)` +\| .+ \| (\d) +\|$/gm)].map(([, phase, code]) => [
    phase,
    code,
  ]);
  expect(rows).toEqual(
    phaseSchema.options.map((phase) => [phase, String(isHealthy({ phase }) ? exit.healthy : exit.degraded)]),
  );
});

test('every state of a subnet is named', () => {
  for (const state of routeSchema.shape.state.options) expect(page).toContain(`\`${state}\``);
});
