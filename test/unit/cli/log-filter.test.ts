import { expect, test } from '@jest/globals';
import { momentOf } from '../../../cli/log-filter.js';

test('a day begins at midnight of the clock by which the log is shown, and an hour of it is of that clock too', () => {
  expect(momentOf('2026-11-27', 0)).toBe(new Date(2026, 10, 27).getTime());
  expect(momentOf('2026-11-27T09:00', 0)).toBe(new Date(2026, 10, 27, 9).getTime());
  expect(momentOf('2026-11-27T09:00Z', 0)).toBe(Date.UTC(2026, 10, 27, 9));
  expect(momentOf('2026-11-99', 0)).toBeNull();
});
