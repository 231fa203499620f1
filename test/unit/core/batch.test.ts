import { expect, test } from '@jest/globals';
import { inBatches } from '../../../daemon/lib/batch.js';

test('what is asked for in one turn is done at once, each with its own outcome', async () => {
  const batches: (readonly number[])[] = [];
  const halve = inBatches((numbers: readonly number[]) => {
    batches.push(numbers);
    return Promise.resolve(
      numbers.map((number) => (number % 2 === 0 ? null : new Error(`${number} is odd`))),
    );
  });
  const first = await Promise.allSettled([halve(2), halve(3), halve(4)]);
  expect(first.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  await halve(6);
  expect(batches).toEqual([[2, 3, 4], [6]]);
});

test('when nothing could be done, that is everybody’s failure', async () => {
  const work = inBatches(() => Promise.reject(new Error('the table cannot be read')));
  const ends = await Promise.allSettled([work(1), work(2)]);
  expect(ends).toEqual([
    expect.objectContaining({ status: 'rejected' }),
    expect.objectContaining({ status: 'rejected' }),
  ]);
});
