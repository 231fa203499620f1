import { expect, test } from '@jest/globals';
import type { Container } from '../../../daemon/core/observation.js';
import { watchContainers } from '../../../daemon/guest/container-watch.js';
import { until } from '../../lib/until.js';

const web = { id: 'web' } as Container;

/** A watch whose lists are answered by the test, in their order. */
function watched() {
  const lists: ((containers: readonly Container[]) => void)[] = [];
  const watch = watchContainers({
    list: () => new Promise((resolve) => lists.push(resolve)),
    onChange: () => undefined,
  });
  const begun = (count: number): Promise<boolean> =>
    until(`list ${count} has begun`, 5, () => Promise.resolve(lists.length === count));
  return { watch, lists, begun };
}

test('who asks while a list is under way is told that list, not the one before, and costs no other', async () => {
  const { watch, lists, begun } = watched();
  watch.keep('addresses');
  await begun(1);
  lists[0]?.([]);
  expect(await watch.current()).toEqual([]);
  watch.changed('now');
  await begun(2);
  const asked = watch.current();
  lists[1]?.([web]);
  expect(await asked).toEqual([web]);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(lists).toHaveLength(2);
});

test('who has heard of more since it began is told the next one', async () => {
  const { watch, lists, begun } = watched();
  watch.keep('addresses');
  await begun(1);
  watch.changed('now');
  const asked = watch.current();
  lists[0]?.([]);
  await begun(2);
  lists[1]?.([web]);
  expect(await asked).toEqual([web]);
});
