import { expect, test } from '@jest/globals';
import { paceOf } from '../../../daemon/core/pace.js';
import type { Phase } from '../../../daemon/core/condition.js';

test.each(['ready', 'idle', 'down', 'blocked'] as const)('%s: one look a minute', (phase) => {
  expect(paceOf(phase, 0)).toBe(60_000);
});

/** How many looks there are in a span of ms when nothing is heard. */
function looks(phase: Phase, span: number): number {
  let count = 0;
  for (let age = 0; age < span; age += paceOf(phase, age)) count += 1;
  return count;
}

test.each(['working', 'degraded'] as const)('%s: soon at first, then ever more seldom', (phase) => {
  expect(paceOf(phase, 0)).toBe(1000);
  expect(looks(phase, 60_000)).toBe(7);
  expect(looks(phase, 3_600_000)).toBeLessThan(70);
});
