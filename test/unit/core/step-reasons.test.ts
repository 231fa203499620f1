/** Why a step failed, as its condition shows it. */
import { expect, test } from '@jest/globals';
import { entryOf } from '../../../daemon/api/reasons/registry.js';
import { failed } from '../../../daemon/core/condition.js';
import { conditionOf, type Step, StepError } from '../../../daemon/core/steps.js';

const kinds = Object.keys(conditionOf) as Step['kind'][];

test.each(kinds)('a %s that fails without a name of its own has a reason that is explained', (kind) => {
  expect(entryOf(conditionOf[kind], 'Failed')).toBeDefined();
});

test('a condition shows the reason of its own step, and of no other', () => {
  const { why, message, blocked } = new StepError('macOS’s own words', {
    condition: 'TapDevice',
    reason: 'KextNotLoaded',
    blocked: true,
  });
  const step = { kind: 'load-kext', key: 'k', why: '', bundle: '/k' } as const;
  const failures = [{ step, ...why, message, blocked }];
  expect(failed('TapDevice', failures)).toEqual({ status: 'False', reason: 'KextNotLoaded', message });
  expect(failed('Routes', failures)).toBeNull();
});

test('a reason that its condition does not have does not compile', () => {
  // @ts-expect-error -- it is TapDevice's
  expect(new StepError('', { condition: 'Routes', reason: 'KextNotLoaded' }).reason).toBe('KextNotLoaded');
});
