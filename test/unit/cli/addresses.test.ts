import { expect, test } from '@jest/globals';
import { addressesOf } from '../../../cli/addresses.js';

test('a name is found as programs find it', async () => {
  expect(await addressesOf('127.0.0.1')).toEqual(['127.0.0.1']);
  expect(await addressesOf('localhost')).toContain('127.0.0.1');
});

test('one that there is not is told by its code, and nobody waits without end', async () => {
  await expect(addressesOf('not a name')).rejects.toMatchObject({
    code: expect.stringMatching(/^E[A-Z_]+$/) as unknown,
  });
  await expect(addressesOf('localhost', 1)).rejects.toMatchObject({ code: 'no answer within 0.001 s' });
});
