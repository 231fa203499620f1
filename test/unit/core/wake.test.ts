import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { slept } from '../../../daemon/core/wake.js';

const before = { wall: Date.UTC(2024, 2, 1), monotonic: 5_000 };
const after = (wall: number, monotonic: number) => ({
  wall: before.wall + wall,
  monotonic: before.monotonic + monotonic,
});

test.each([
  ['in time', 10_000, 10_000, false],
  ['late on a busy Mac', 39_000, 39_000, false],
  ['slept through, both clocks went on', 3_600_000, 3_600_000, true],
  ['slept through, only the wall clock went on', 3_600_000, 10_000, true],
  ['slept through, and the clock was set back meanwhile', -7_200_000, 50_000, true],
  ['the clock was set back', -3_600_000, 10_000, false],
  ['just not late enough', 40_000, 40_000, false],
  ['just late enough', 40_001, 10_000, true],
])('%s: wall %i ms, monotonic %i ms', (_title, wall, monotonic, expected) => {
  expect(slept(before, after(wall, monotonic))).toBe(expected);
});

/** Ticks of a Mac whose clocks drift by up to a tenth, with sleeps in between. */
test('each sleep of more than 30 s is noticed once, and no day without one is', () => {
  const ticks = fc.array(
    fc.record({ drift: fc.double({ min: 0.9, max: 1.1, noNaN: true }), sleep: fc.nat(90_000) }),
  );
  fc.assert(
    fc.property(ticks, fc.boolean(), (days, monotonicSleeps) => {
      let now = before;
      for (const { drift, sleep } of days) {
        const next = {
          wall: now.wall + 10_000 * drift + sleep,
          monotonic: now.monotonic + 10_000 * drift + (monotonicSleeps ? 0 : sleep),
        };
        expect(slept(now, next)).toBe(10_000 * drift + sleep > 40_000);
        now = next;
      }
    }),
  );
});
