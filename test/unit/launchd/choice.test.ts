import { expect, test } from '@jest/globals';
import { chosen } from '../../../launchd/choice.js';

test.each(['1', 'yes', 'true', 'YES', 'True'])('%s is a yes', (value) => {
  expect(chosen('PURGE', value)).toBe(true);
});

test.each([undefined, '', '0', 'no', 'false', 'NO', 'False'])('%s is a no', (value) => {
  expect(chosen('PURGE', value)).toBe(false);
});

test.each(['2', 'y', 'on', ' 1', 'nein', '\u001b[31m1'])('%j is refused as a usage error', (value) => {
  let problem: unknown;
  try {
    chosen('FORCE', value);
  } catch (error) {
    problem = error;
  }
  expect(problem).toMatchObject({ exitCode: 2 });
  expect(String(problem)).toMatch(/FORCE=.* is neither yes nor no[^]*Nothing was done/);
  expect(String(problem)).not.toContain('\u001b');
});
